"""Gradient ascent at one scale: steps that make an objective larger, tile by tile."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import ConfigurationError, DivergedError, NoGradientError
from ..stopping import heed
from .backbone import Backbone
from .gradients import balance, decorrelate, hold_down
from .objectives import Objective
from .tensors import Pixels
from .tiles import Axis, Here, cut, tiles

_JITTER = 32  # pixels by which tiles around a neuron move: the stride of the deepest layers of most networks
_WAKING = 0.02  # size of the noise that is added where nothing has a gradient


@dataclass(frozen=True)
class Ascent:
    """How a picture climbs at one scale.

    Attributes:
        steps: How many, at most.
        rate: By how much a step changes a pixel in the mean; black is 0, white 1.
        max_loss: The value above which no further step is made.
        bands: Bands of frequencies in which the gradient is balanced; with one it is not.
        total_variation: How much noise is held down.
        decorrelate: Whether colours change in such company as in photos.
        roll: Whether tiles begin at another place in every step.
        tile: Most rows and columns that a network reads at once.
        overlap: Rows and columns that tiles share.
    """

    steps: int = 20
    rate: float = 0.01
    max_loss: float = math.inf
    bands: int = 4
    total_variation: float = 0.0
    decorrelate: bool = False
    roll: bool = True
    tile: int = 640
    overlap: int = 96


@dataclass(frozen=True)
class Step:
    """A step that was made.

    Attributes:
        number: From 1.
        steps: How many there are at most.
        loss: The objective before it.
        picture: After it; it goes on changing.
    """

    number: int
    steps: int
    loss: float
    picture: Pixels


def ascend(
    picture: Pixels,
    backbone: Backbone,
    objective: Objective,
    how: Ascent,
    generator: torch.Generator,
    mask: Float[Tensor, "1 1 height width"] | None = None,
    watch: Callable[[Step], None] = lambda step: None,
) -> list[float]:
    """Climbs, and says how high it was before each step.

    Args:
        picture: Between 0 and 1; changed in place.
        backbone: The network.
        objective: What shall grow.
        how: In what steps.
        generator: Where the places of tiles come from.
        mask: How far each pixel may change, from 0 to 1; all of them where None.
        watch: Is told of each step.

    Raises:
        DivergedError: A gradient is no number.
        NoGradientError: Nothing in the picture changes the objective.
    """
    exact = backbone.size is not None
    rows, columns = (
        cut(length, backbone.size or how.tile, how.overlap, exact=exact, moving=how.roll)
        for length in picture.shape[-2:]
    )
    gradient = torch.zeros_like(picture)
    losses: list[float] = []
    moved = False
    for number in range(1, how.steps + 1):
        roll = _rolled((rows, columns), objective.place, how.roll, generator)
        loss, count = 0.0, 0
        gradient.zero_()
        for tile in tiles(rows, columns, roll):
            heed()
            value, slope = slope_of(tile.read(picture), backbone, objective, tile.here)
            tile.add(gradient, slope)
            loss, count = loss + value, count + 1
        loss /= count
        if not math.isfinite(loss):
            remedy = "; a smaller --rate may help" if number > 1 else ""
            raise DivergedError(f"{objective} is {loss} after {number - 1} steps{remedy}")
        losses.append(loss)
        if loss > how.max_loss:
            break
        if _step(picture, gradient, how, mask):
            moved = True
        else:
            _wake(picture, mask, generator)
        watch(Step(number, how.steps, loss, picture))
    if how.steps and not moved and losses[-1] <= how.max_loss:
        raise NoGradientError(
            f"{objective} has no gradient anywhere in this picture, as if its units slept (ReLUs that are below zero "
            "everywhere); take another channel, or a layer before the activation"
        )
    return losses


def slope_of(pixels: Pixels, backbone: Backbone, objective: Objective, here: Here) -> tuple[float, Pixels]:
    """An objective's value for a picture, and how it grows with each pixel.

    Args:
        pixels: Between 0 and 1.
        backbone: The network.
        objective: What is asked of its layers.
        here: Which part of a picture this is.
    """
    pixels = pixels.detach().requires_grad_(True)
    with torch.enable_grad():
        value = objective.value(backbone.activations(pixels, objective.names), here)
        try:
            (slope,) = torch.autograd.grad(value, pixels)
        except RuntimeError as error:
            told = str(error).strip().partition("\n")[0]
            raise ConfigurationError(f"there is no way back through {backbone.name}: {told}") from None
    return float(value.detach()), slope


def _rolled(
    axes: tuple[Axis, Axis], place: tuple[float, float] | None, moving: bool, generator: torch.Generator
) -> tuple[int, int]:
    """By how much tiles are moved: anywhere; where a single place counts, so that it lies in the middle of a tile."""
    found = []
    for number, axis in enumerate(axes):
        if place is None:
            found.append(int(torch.randint(axis.length, (), generator=generator)) if moving else 0)
            continue
        jitter = int(torch.randint(min(_JITTER, axis.length), (), generator=generator)) if moving else 0
        middle = axis.starts[0] + axis.tile // 2 + min(_JITTER, axis.length) // 2
        found.append((int(place[number] * axis.length) - middle + jitter) % axis.length)
    return found[0], found[1]


def _step(picture: Pixels, gradient: Pixels, how: Ascent, mask: Tensor | None) -> bool:
    """Adds a gradient to a picture, as a step of the size that is asked for; says whether there was any."""
    if how.decorrelate:
        decorrelate(gradient)
    size = balance(gradient, how.bands)
    if not math.isfinite(size):
        raise DivergedError("the gradient by the picture is not finite; a layer before this one may have one that is")
    if size == 0:
        return False
    if how.total_variation:
        hold_down(gradient, picture, how.total_variation)
    if mask is not None:
        gradient *= mask
    picture.add_(gradient, alpha=how.rate).clamp_(0, 1)
    return True


def _wake(picture: Pixels, mask: Tensor | None, generator: torch.Generator) -> None:
    """Adds noise where no unit answers: it may reach one that does."""
    for row in range(picture.shape[2]):
        noise = torch.empty(picture[:, :, row].shape).normal_(0, _WAKING, generator=generator).to(picture.device)
        picture[:, :, row] += noise if mask is None else noise * mask[:, :, row]
    picture.clamp_(0, 1)
