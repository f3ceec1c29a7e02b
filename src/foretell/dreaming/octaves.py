"""A dream at several scales, from small to large, what scaling up loses given back each time (the slides' octaves)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .ascent import Ascent, Step, ascend
from .backbone import Backbone
from .objectives import Objective
from .scaling import Size, resized
from .tensors import Pixels

_NOTHING = 1 / 512  # of a mask: black, to the nearest of 256 shades


@dataclass(frozen=True)
class Octave:
    """A scale that was dreamt at.

    Attributes:
        size: Rows and columns.
        losses: The objective before each step.
    """

    size: Size
    losses: list[float]


@dataclass(frozen=True)
class Watcher:
    """Whom a dream tells how it goes.

    Attributes:
        step: Is given the octave's number, from 1, how many there are, and the step.
        octave: The same, and the picture after it, which goes on changing.
    """

    step: Callable[[int, int, Step], None] = lambda number, octaves, step: None
    octave: Callable[[int, int, Pixels], None] = lambda number, octaves, picture: None


def octave_sizes(size: Size, octaves: int, scale: float, smallest: int) -> list[Size]:
    """The sizes of a picture from the smallest octave to its own; those that would be too small are left out.

    Args:
        size: Rows and columns of the picture.
        octaves: How many.
        scale: By how much each is larger than the one before.
        smallest: Fewest rows or columns that an octave has; the picture itself may have fewer.

    >>> octave_sizes((400, 600), 3, 1.4, 32)
    [(204, 306), (286, 429), (400, 600)]
    >>> octave_sizes((60, 60), 4, 1.4, 40)
    [(43, 43), (60, 60)]
    """
    found = [(round(size[0] / scale**power), round(size[1] / scale**power)) for power in range(octaves - 1, 0, -1)]
    return [own for own in found if min(own) >= smallest] + [size]


def dream_up(
    original: Pixels,
    sizes: list[Size],
    backbone: Backbone,
    objective: Objective,
    how: Ascent,
    *,
    seed: int = 0,
    reinject: bool = True,
    mask: Float[Tensor, "1 1 height width"] | None = None,
    watcher: Watcher = Watcher(),
) -> tuple[Pixels, list[Octave]]:
    """Dreams over a picture.

    Args:
        original: Between 0 and 1; stays as it is.
        sizes: Of the octaves, the last one the original's.
        backbone: The network.
        objective: What shall grow.
        how: In what steps, at each octave.
        seed: Where random numbers come from.
        reinject: Whether what scaling up loses of the original is given back.
        mask: How far each pixel may change; all of them where None.
        watcher: Is told how it goes.

    Returns:
        The dream, and what happened at each octave.
    """
    generator = torch.Generator().manual_seed(seed)
    octaves: list[Octave] = []
    picture = resized(original, sizes[0])
    shrunk = picture
    for number, size in enumerate(sizes, 1):
        if number > 1:
            picture = resized(picture, size)
            exact = resized(original, size)
            if reinject:
                # The lost detail: what the original has at this scale and its smaller self, scaled up, has not.
                picture += exact
                picture -= resized(shrunk, size)
            shrunk = exact
            del exact
        picture = picture.clone() if picture is shrunk else picture
        area = None if mask is None else resized(mask, size)
        if area is not None:
            # What scaling up smeared over the edge of a mask.
            picture = torch.where(area <= _NOTHING, shrunk, picture)

        def step(own: Step, number: int = number) -> None:
            watcher.step(number, len(sizes), own)

        losses = ascend(picture, backbone, objective, how, generator, area, step)
        octaves.append(Octave(size, losses))
        watcher.octave(number, len(sizes), picture)
    return picture, octaves
