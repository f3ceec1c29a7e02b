"""Films of dreams: one that goes deeper and deeper, each frame dreamt from the last; or one of a dream as it comes."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...data.films import Frames, require_frame, write_film
from ...data.pictures import Picture
from ...dreaming import Pixels, Step, Watcher, pixels_of, resized, tensor_of
from ...files import HALF, remove_leftovers
from .dreams import Dream, Dreaming

Told = Callable[[int, int], Watcher]


def zoom_film(
    dreaming: Dreaming,
    picture: Picture,
    path: Path,
    watch: Told = lambda number, count: Watcher(),
    shown: Callable[[int, Picture], None] = lambda number, frame: None,
) -> Dream:
    """A film into a picture; one that was stopped goes on with the frame after the last that is there.

    A frame is what was kept of it, in 256 shades, so that going on gives the same film to the last bit.

    Args:
        dreaming: Options, network and objective.
        picture: What it begins with.
        path: The film.
        watch: Says whom to tell of each frame, given its number and how many there are.
        shown: Is given each frame that is done.

    Returns:
        The last frame.

    Raises:
        InputError: Frames of another film are in the way.
        StorageError: Something cannot be written.
    """
    film, ascent = dreaming.asked.film, dreaming.asked.ascent
    count = film.zoom or 1
    picture = picture.opaque()
    require_frame(path, picture.size)
    about = dreaming.about(picture)
    frames = Frames.opened(path, _what_frames_depend_on(about))
    done = min(len(frames), count)
    dream = None
    for number in range(done + 1, count + 1):
        begin = picture if number == 1 else _enlarged(frames.read(number - 1), film.zoom_rate, dreaming)
        dream = dreaming.over(begin, watch(number, count), seed=ascent.seed + number - 1)
        frames.add(number, dream.picture)
        shown(number, dream.picture)
    write_film(path, frames, film.fps, count)
    last = replace(picture, pixels=frames.read(count).pixels)
    frames.remove()
    return Dream(last, dream.octaves if dream else [], dream.notes if dream else [], about)


def octave_film(dreaming: Dreaming, picture: Picture, path: Path, watcher: Watcher) -> Dream:
    """A film of a dream as it comes: the picture, then each step, every scale as large as the picture.

    Args:
        dreaming: Options, network and objective.
        picture: What is dreamt over.
        path: The film.
        watcher: Is told how it goes.

    Returns:
        The dream.
    """
    require_frame(path, picture.size)
    original, strength = tensor_of(picture, dreaming.backbone.device), dreaming.asked.ascent.strength
    kept = path.with_name(f"frames-of-{path.name}")
    remove_leftovers(kept)
    with tempfile.TemporaryDirectory(prefix=f".{kept.name}.", suffix=HALF, dir=path.parent) as folder:
        frames = Frames(Path(folder))
        frames.add(1, picture.opaque())
        shown = 1

        def step(octave: int, octaves: int, own: Step) -> None:
            nonlocal shown
            shown += 1
            pixels = resized(own.picture, picture.size).clamp(0, 1).lerp(original, 1 - strength)
            frames.add(shown, picture.showing(pixels_of(pixels)).opaque())
            watcher.step(octave, octaves, own)

        dream = dreaming.over(picture, Watcher(step, watcher.octave))
        write_film(path, frames, dreaming.asked.film.fps)
    return dream


def _what_frames_depend_on(about: dict[str, Any]) -> dict[str, Any]:
    """Not on how many there are, nor on how fast they pass, nor on what the film is called."""
    film = {"zoom_rate": about["options"]["film"]["zoom_rate"]}
    return {**about, "options": {**about["options"], "film": film}}


def _enlarged(frame: Picture, rate: float, dreaming: Dreaming) -> Picture:
    """The middle of a frame, as large as the frame; places between pixels count as such, so that nothing trembles."""
    pixels = tensor_of(frame, dreaming.backbone.device)
    with dreaming.at_work():
        found = enlarged(pixels, rate).clamp_(0, 1)
    return frame.showing(pixels_of(found))


def enlarged(pixels: Pixels, rate: float) -> Float[Tensor, "1 colour height width"]:
    """A picture's middle, so much larger.

    Args:
        pixels: The picture.
        rate: How much.

    >>> bool((enlarged(torch.full((1, 3, 8, 8), 0.5), 1.1) - 0.5).abs().max() < 1e-5)
    True
    """
    place = torch.tensor([[[1 / rate, 0, 0], [0, 1 / rate, 0]]], device=pixels.device, dtype=pixels.dtype)
    grid = functional.affine_grid(place, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
