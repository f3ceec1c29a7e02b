"""Tiles: they cover a picture, count one together, and no border is seen in what they say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foretell.dreaming import Ascent, Backbone, Objective, channel, layer
from foretell.dreaming.ascent import ascend, slope_of
from foretell.dreaming.tiles import Axis, Here, Tile, cut, tiles

from .made_pictures import made_picture, small_network, tensor

PLAIN = ((0.0,) * 3, (1.0,) * 3)


def blended(
    picture: Tensor, backbone: Backbone, objective: Objective, tile: int, overlap: int, roll: tuple[int, int]
) -> Tensor:
    """The slope of a picture, tile by tile."""
    rows, columns = (cut(length, tile, overlap) for length in picture.shape[-2:])
    found = torch.zeros_like(picture)
    for own in tiles(rows, columns, roll):
        own.add(found, slope_of(own.read(picture), backbone, objective, own.here)[1])
    return found


@given(st.integers(1, 900), st.integers(64, 400), st.integers(0, 200), st.booleans())
def test_tiles_cover_a_picture_and_count_one_together(length: int, tile: int, overlap: int, exact: bool) -> None:
    overlap = min(overlap, tile // 2)
    axis = cut(length, tile, overlap, exact=exact, moving=False)
    total = torch.zeros(length)
    for number in range(len(axis.starts)):
        covered = 0
        for own, whole in axis.pieces(number, 0):
            total[whole] += axis.windows[number][own]
            covered += own.stop - own.start
        assert covered == axis.tile
    torch.testing.assert_close(total, torch.ones(length), atol=1e-5, rtol=0)
    assert axis.tile <= max(tile, length if not exact else tile)
    assert axis.tile == tile if exact else axis.tile <= tile


@given(st.integers(64, 900), st.integers(64, 400), st.integers(0, 100))
def test_neighbours_share_at_least_what_is_asked_for(length: int, tile: int, overlap: int) -> None:
    overlap = min(overlap, tile // 2)
    axis = cut(length, tile, overlap)
    if len(axis.starts) > 1:
        gaps = [
            (after - before) % length
            for before, after in zip(axis.starts, (*axis.starts[1:], axis.starts[0]), strict=True)
        ]
        assert all(axis.tile - gap >= overlap - 1 for gap in gaps)


@given(st.integers(33, 90), st.integers(33, 90), st.integers(0, 200), st.integers(0, 200), st.booleans())
def test_a_tile_reads_the_rolled_picture_and_adding_is_the_transpose_of_reading(
    height: int, width: int, down: int, across: int, exact: bool
) -> None:
    """Also where the tile is larger than the picture and turns around it several times."""
    picture = torch.rand(1, 3, height, width)
    rows, columns = (cut(length, 64, 16, exact=exact) for length in (height, width))
    for tile in tiles(rows, columns, (down, across)):
        read = tile.read(picture)
        top, left = ((axis.starts[at] + roll) % axis.length for axis, at, roll in _places(tile))
        turns = picture.repeat(1, 1, 4, 4)
        expected = turns[:, :, top : top + rows.tile, left : left + columns.tile]
        assert torch.equal(read, expected)
        values = torch.rand_like(read)
        weights = rows.windows[tile.at[0]][:, None] * columns.windows[tile.at[1]]
        written = torch.zeros_like(picture)
        tile.add(written, values.clone())
        torch.testing.assert_close((written * picture).sum(), (values * weights * read).sum(), rtol=1e-4, atol=1e-4)


def _places(tile: Tile) -> list[tuple[Axis, int, int]]:
    return list(zip((tile.rows, tile.columns), tile.at, tile.roll, strict=True))


@pytest.mark.parametrize("roll", [(0, 0), (13, 77), (150, 3)])
def test_tiles_say_what_the_whole_picture_says(roll: tuple[int, int]) -> None:
    """Where a network sees no farther than the part of an overlap that does not count, exactly."""
    picture = tensor(made_picture(200, 260))
    objective = layer("2") + 3 * channel("0", 1)
    tiled = blended(picture, Backbone(small_network(), *PLAIN), objective, 96, 40, roll)
    # The same network on a ring: the whole picture at once, without any border.
    whole = slope_of(picture, Backbone(small_network(padding="circular"), *PLAIN), objective, Here())[1]
    rows, columns = (cut(length, 96, 40) for length in (200, 260))
    share = rows.tile * columns.tile / (200 * 260)
    torch.testing.assert_close(tiled * share, whole, atol=1e-8, rtol=1e-4)


def across_borders(slope: Tensor, borders: list[int]) -> float:
    """How much larger the change of a slope is at some columns than elsewhere."""
    change = (slope - slope.roll(1, 3)).abs().mean(dim=(0, 1, 2)).numpy()
    at = np.zeros(len(change), bool)
    at[borders] = True
    return float(change[at].mean() / change[~at].mean())


def test_no_seam_shows_in_the_gradient_across_borders() -> None:
    picture, backbone, objective = tensor(made_picture(192, 320)), Backbone(small_network(), *PLAIN), layer("2")
    columns = cut(320, 96, 48)
    fine = blended(picture, backbone, objective, 96, 48, (0, 0))
    borders = sorted(
        {start % 320 for start in columns.starts} | {(start + columns.tile) % 320 for start in columns.starts}
    )
    assert across_borders(fine, borders) < 1.15
    hard = torch.zeros_like(picture)
    for left in range(0, 320, 80):
        hard[..., left : left + 80] = slope_of(
            picture[..., left : left + 80].contiguous(), backbone, objective, Here()
        )[1]
    assert across_borders(hard, [0, 80, 160, 240]) > 1.3  # the measure finds a seam where there is one


def test_no_seam_grows_in_a_dream_of_many_steps() -> None:
    """A tile alone shows no line where its border lay in the first step, as it once did."""
    backbone, flat = Backbone(small_network(), *PLAIN), torch.full((1, 3, 96, 128), 0.5)
    how = Ascent(steps=1, overlap=48, bands=1)
    dreamt = flat.clone()
    ascend(dreamt, backbone, layer("2"), how, torch.Generator().manual_seed(1))
    # On a flat picture all but the surroundings of the border say the same: so nothing may be seen there but a fading.
    change = (dreamt - flat).abs().mean(dim=1)[0]
    assert change.max() <= 1.5 * change.median()


def test_a_rolled_dream_has_no_preferred_place() -> None:
    picture = tensor(made_picture(96, 128))
    backbone = Backbone(small_network(), *PLAIN)
    moved, still = picture.clone(), picture.clone()
    ascend(moved, backbone, layer("2"), Ascent(steps=3), torch.Generator().manual_seed(0))
    ascend(still, backbone, layer("2"), Ascent(steps=3, roll=False), torch.Generator().manual_seed(0))
    assert not torch.equal(moved, still)


def test_a_tile_that_is_larger_than_the_picture_is_the_picture() -> None:
    picture, backbone = tensor(made_picture(70, 90)), Backbone(small_network(), *PLAIN)
    large, whole = picture.clone(), picture.clone()
    ascend(large, backbone, layer("2"), Ascent(steps=2, tile=640, roll=False), torch.Generator())
    ascend(whole, backbone, layer("2"), Ascent(steps=2, tile=90, overlap=16, roll=False), torch.Generator())
    assert torch.equal(large, whole)


def test_a_network_of_one_size_dreams_over_pictures_of_any() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 8, stride=8), torch.nn.Flatten(), torch.nn.Linear(4 * 64, 5))
    backbone = Backbone(network, *PLAIN, size=64)
    for size in ((40, 50), (100, 150)):
        picture = tensor(made_picture(*size))
        before = picture.clone()
        losses = ascend(
            picture, backbone, channel("2", 3), Ascent(steps=8, tile=64, overlap=16, roll=False), torch.Generator()
        )
        assert losses[-1] > losses[0]
        assert not torch.equal(picture, before)
