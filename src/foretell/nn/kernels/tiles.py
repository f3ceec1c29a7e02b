"""Sequences in and out of tiles: what the kernels read and write that is not theirs."""

from typing import Any, NamedTuple

from numba import njit

from .vectors import ROWS, lanes, load, load_some, store, store_some


class Sizes(NamedTuple):
    """What a call is about: how many of what.

    Attributes:
        batch: Sequences.
        steps: Steps of the longest.
        features: Inputs of a step.
        units: Numbers of a state.
        group: Tiles that go through time together; more than one where the weights are large.
        backwards: Whether sequences are read from their ends.
        relu: Whether the activation is the larger of x and zero, not tanh.
    """

    batch: int
    steps: int
    features: int
    units: int
    group: int
    backwards: bool
    relu: bool


class Sequences(NamedTuple):
    """Numbers by sequence, step and feature in one flat array; none at all where it is empty.

    Attributes:
        values: The numbers; those of one step stand together.
        row: Distance between two sequences.
        time: Distance between two steps; 0 for a mask that holds for all of them.
    """

    values: Any
    row: int
    time: int


@njit
def going_on(going, at, lengths, first, step, sizes):
    """Notes which of a tile's sequences have such a step."""
    for row in range(ROWS):
        going[at + row] = first + row < sizes.batch and step < lengths[first + row]


@njit
def fetch(tiles, at, source, mask, going, going_at, first, step, width):
    """Fills tiles with one step of the sequences from ``first`` on, times a mask; zeros where a sequence has none."""
    lane = lanes(tiles)
    for row in range(ROWS):
        here = (first + row) * source.row + step * source.time
        there = (first + row) * mask.row + step * mask.time
        for start in range(0, width, lane):
            count = min(lane, width - start) if going[going_at + row] else 0
            numbers = load_some(source.values, here + start, count)
            if mask.values.size > 0:
                numbers = numbers * load_some(mask.values, there + start, count)
            store(tiles, at + start * ROWS + row * lane, numbers)


@njit
def masked(tiles, at, source, source_at, mask, first, step, sizes):
    """Fills tiles with other tiles of states, times a mask."""
    lane = lanes(tiles)
    for row in range(ROWS):
        there = (first + row) * mask.row + step * mask.time
        for start in range(0, sizes.units, lane):
            place = start * ROWS + row * lane
            numbers = load(source, source_at + place)
            if mask.values.size > 0:
                count = min(lane, sizes.units - start) if first + row < sizes.batch else 0
                numbers = numbers * load_some(mask.values, there + start, count)
            store(tiles, at + place, numbers)


@njit
def copy(target, target_at, tiles, at, size):
    """Copies so many numbers of tiles."""
    for place in range(0, size, lanes(tiles)):
        store(target, target_at + place, load(tiles, at + place))


@njit
def add(tiles, at, other, first, last):
    """Adds tiles to tiles: numbers from ``first`` to ``last`` of ``other``."""
    for place in range(0, last - first, lanes(tiles)):
        store(tiles, at + place, load(tiles, at + place) + load(other, first + place))


@njit
def fetch_states(tiles, at, source, first, sizes):
    """Fills tiles with the states of the sequences from ``first`` on; zeros where there is no sequence."""
    lane = lanes(tiles)
    for row in range(ROWS):
        for start in range(0, sizes.units, lane):
            count = min(lane, sizes.units - start) if first + row < sizes.batch else 0
            numbers = load_some(source.values, (first + row) * source.row + start, count)
            store(tiles, at + start * ROWS + row * lane, numbers)


@njit
def clear_lanes(tiles, first, last, count):
    """Keeps the first so many lanes of each vector; weights of zero make no zero of an infinite input in the others."""
    for place in range(first, last, lanes(tiles)):
        store(tiles, place, load_some(tiles, place, count))


@njit
def clear(tiles, first, last):
    """Fills tiles with zeros."""
    for place in range(first, last):
        tiles[place] = 0


@njit
def write(target, at, tiles, tiles_at, row, width):
    """Writes one sequence's numbers out of tiles."""
    lane = lanes(tiles)
    for start in range(0, width, lane):
        numbers = load(tiles, tiles_at + start * ROWS + row * lane)
        store_some(target, at + start, numbers, min(lane, width - start))


@njit
def write_steps(target, mask, tiles, tiles_at, going, going_at, first, step, width):
    """Writes one step of a tile's sequences, times a mask, to where sequences stand."""
    lane = lanes(tiles)
    for row in range(ROWS):
        if going[going_at + row]:
            there = (first + row) * mask.row + step * mask.time
            for start in range(0, width, lane):
                place, count = tiles_at + start * ROWS + row * lane, min(lane, width - start)
                numbers = load(tiles, place)
                if mask.values.size > 0:
                    numbers = numbers * load_some(mask.values, there + start, count)
                store_some(target.values, (first + row) * target.row + step * target.time + start, numbers, count)


@njit
def write_states(target, tiles, tiles_at, first, sizes):
    """Writes a tile's states, one after the other."""
    for row in range(min(ROWS, sizes.batch - first)):
        write(target, (first + row) * sizes.units, tiles, tiles_at, row, sizes.units)


@njit
def clear_after(target, lengths, first, sizes, width):
    """Fills what stands beyond the ends of a tile's sequences with zeros."""
    for row in range(first, min(first + ROWS, sizes.batch)):
        for step in range(lengths[row], sizes.steps):
            there = row * target.row + step * target.time
            target.values[there : there + width] = 0


@njit
def longest(lengths, first, last):
    """Steps of the longest of some sequences."""
    steps = 0
    for row in range(first, last):
        steps = max(steps, lengths[row])
    return steps
