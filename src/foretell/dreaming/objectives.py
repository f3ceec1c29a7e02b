"""What a dream makes large: an algebra of terms, ``layer("_blocks.10") + 0.5 * channel("_blocks.12", 42)``.

Each term is a mean over the places of one layer's output, so that a tile's value is a share of the whole picture's, and
terms keep their proportions at every scale. The form is Lucid's (Olah et al., "Feature Visualization", 2017).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..data.pictures import SMALLEST, read_picture
from ..errors import ConfigurationError
from .backbone import Backbone
from .scaling import resized
from .tensors import tensor_of
from .tiles import Here

Activations = Mapping[str, Tensor]
_LARGEST = 64_000_000  # pixels of a guide
_GUIDE = 512  # rows or columns at which it is looked at, at most
_PLACES = 4096  # of it, at most
_PRODUCTS = 1 << 22  # of a picture's places and a guide's, at once


@runtime_checkable
class Term(Protocol):
    """A number that comes of one layer's output."""

    @property
    def name(self) -> str:
        """The layer."""

    def of(self, activation: Tensor, here: Here) -> Float[Tensor, ""]:
        """The number, to be made large.

        Args:
            activation: The layer's output: a batch of one first.
            here: Which part of the picture it saw.
        """

    def bound(self, backbone: Backbone) -> "Term":
        """The same, ready for a network whose layer of that name can be dreamt with.

        Args:
            backbone: The network.

        Raises:
            ConfigurationError: It does not fit.
        """


@dataclass(frozen=True)
class Whole:
    """The mean of a layer's squared output: all that it sees, more of it (the slides' "entire layers")."""

    name: str

    def of(self, activation: Tensor, here: Here) -> Float[Tensor, ""]:
        """The mean square."""
        return activation.square().mean()

    def bound(self, backbone: Backbone) -> "Whole":
        """Itself."""
        return self

    def __str__(self) -> str:
        return f"layer({self.name})"


@dataclass(frozen=True)
class Channel:
    """The mean of one channel: what a single filter looks for."""

    name: str
    number: int

    def of(self, activation: Tensor, here: Here) -> Float[Tensor, ""]:
        """The mean over all places."""
        return _channel(activation, self.name, self.number).mean()

    def bound(self, backbone: Backbone) -> "Channel":
        """Itself, if there is such a channel."""
        _require_channel(backbone, self.name, self.number)
        return self

    def __str__(self) -> str:
        return f"channel({self.name}, {self.number})"


@dataclass(frozen=True)
class Neuron:
    """One channel at one place of the picture."""

    name: str
    number: int
    row: float
    column: float

    def of(self, activation: Tensor, here: Here) -> Float[Tensor, ""]:
        """The output at the place; nothing where another tile holds it."""
        cells = _channel(activation, self.name, self.number)[0]
        down, across = here.within(self.row, self.column)
        if max(down, across) >= 1:
            return cells.sum() * 0
        cell = cells[int(down * cells.shape[0]), int(across * cells.shape[1])]
        # Other terms are means over the tile; this one is alone in the whole picture.
        return cell / min(1.0, here.height * here.width)

    def bound(self, backbone: Backbone) -> "Neuron":
        """Itself, if there is such a channel and such a place."""
        _require_channel(backbone, self.name, self.number)
        shape = backbone.layers[self.name].shape
        if len(shape) != 3:
            raise ConfigurationError(
                f"a neuron lies in a layer of maps: channels, rows, columns; {self.name} says {shape}: name a channel",
                layer=self.name,
            )
        for share in (self.row, self.column):
            if not 0 <= share < 1:
                raise ConfigurationError(
                    f"a neuron's place is told in shares of the picture, at least 0 and below 1; found {share:g}"
                )
        return self

    def __str__(self) -> str:
        return f"neuron({self.name}, {self.number}, {self.row:g}, {self.column:g})"


@dataclass(frozen=True, eq=False)
class Towards:
    """How like a guide's outputs a picture's are: each place looks for the one in the guide that is most like it.

    Args:
        name: The layer.
        guide: A picture.
        max_pixels: Above which it is refused.
        seen: What the layer says of it, a row for each place; None until a network is known.
    """

    name: str
    guide: object
    max_pixels: int = _LARGEST
    seen: Float[Tensor, "place channel"] | None = None

    def of(self, activation: Tensor, here: Here) -> Float[Tensor, ""]:
        """The mean product with the guide's most similar place."""
        if self.seen is None:
            raise ConfigurationError(f"{self} has seen no network yet; bind it first", layer=self.name)
        own = _places(activation)
        rows, seen = max(1, _PRODUCTS // len(self.seen)), self.seen
        parts = (own.detach()[top : top + rows] for top in range(0, len(own), rows))
        best = torch.cat([(part @ seen.T).argmax(dim=1) for part in parts])
        return (own * seen[best]).sum(dim=1).mean()

    def bound(self, backbone: Backbone) -> "Towards":
        """The same, with what the layer says of the guide."""
        pixels = tensor_of(read_picture(self.guide, self.max_pixels), backbone.device)
        height, width = pixels.shape[-2:]
        share = max(min(1.0, _GUIDE / max(height, width)), min(1.0, SMALLEST / min(height, width)))
        size = (max(1, round(height * share)), max(1, round(width * share)))
        pixels = resized(pixels, size if backbone.size is None else (backbone.size, backbone.size))
        with torch.no_grad():
            places = _places(backbone.activations(pixels, [self.name])[self.name])
        return replace(self, seen=places[:: -(-len(places) // _PLACES)].contiguous())

    def __str__(self) -> str:
        named = Path(self.guide).name if isinstance(self.guide, str | Path) else "a picture"
        return f"towards({named}, {self.name})"


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms; sums, differences and multiples of objectives are objectives.

    >>> print(layer("a") + 0.5 * channel("b", 42) - neuron("c", 3))
    layer(a) + 0.5 * channel(b, 42) - neuron(c, 3, 0.5, 0.5)
    >>> (2 * layer("a") / 4).terms[0][0]
    0.5
    """

    terms: tuple[tuple[float, Term], ...]

    @property
    def place(self) -> tuple[float, float] | None:
        """Where in the picture the first neuron lies, in shares of height and width; None where there is none."""
        return next(((term.row, term.column) for _, term in self.terms if isinstance(term, Neuron)), None)

    @property
    def fingerprint(self) -> str:
        """A digest of all that it is made of, guides among them."""
        digest = hashlib.sha256()
        for weight, term in self.terms:
            digest.update(f"{weight!r} {term}\n".encode("utf-8", "replace"))
            if isinstance(term, Towards) and term.seen is not None:
                digest.update(term.seen.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        """The layers that it reads, each once."""
        return tuple(dict.fromkeys(term.name for _, term in self.terms))

    def bound(self, backbone: Backbone) -> "Objective":
        """The same, ready for a network.

        Args:
            backbone: The network.

        Raises:
            ConfigurationError: It has no such layer or channel, or no gradient comes from it.
        """
        backbone.require(self.names)
        return Objective(tuple((weight, term.bound(backbone)) for weight, term in self.terms))

    def value(self, seen: Activations, here: Here) -> Float[Tensor, ""]:
        """The number that a dream makes large.

        Args:
            seen: Outputs by layer.
            here: Which part of the picture they are of.
        """
        return torch.stack([weight * term.of(seen[term.name], here) for weight, term in self.terms]).sum()

    def __add__(self, other: object) -> "Objective":
        return Objective(self.terms + other.terms) if isinstance(other, Objective) else NotImplemented

    def __mul__(self, factor: object) -> "Objective":
        if not isinstance(factor, int | float):
            return NotImplemented
        return Objective(tuple((weight * factor, term) for weight, term in self.terms))

    def __radd__(self, other: object) -> "Objective":
        return self if other == 0 else NotImplemented  # as sum() begins

    def __rmul__(self, factor: object) -> "Objective":
        return self * factor

    def __truediv__(self, divisor: object) -> "Objective":
        return self * (1 / divisor) if isinstance(divisor, int | float) else NotImplemented

    def __neg__(self) -> "Objective":
        return self * -1

    def __sub__(self, other: object) -> "Objective":
        return self + -other if isinstance(other, Objective) else NotImplemented

    def __str__(self) -> str:
        text = ""
        for weight, term in self.terms:
            sign = (" - " if weight < 0 else " + ") if text else ("-" if weight < 0 else "")
            text += sign + ("" if abs(weight) == 1 else f"{abs(weight):g} * ") + str(term)
        return text


def layer(name: str) -> Objective:
    """More of all that a layer sees.

    Args:
        name: Of the layer, as ``foretell dream --list-layers`` has it.
    """
    return Objective(((1.0, Whole(name)),))


def channel(name: str, number: int) -> Objective:
    """More of what one filter of a layer looks for.

    Args:
        name: Of the layer.
        number: Of its channel, from 0.
    """
    return Objective(((1.0, Channel(name, number)),))


def neuron(name: str, number: int, row: float = 0.5, column: float = 0.5) -> Objective:
    """More of what one filter looks for, at one place.

    Args:
        name: Of the layer.
        number: Of its channel, from 0.
        row: Where, as a share of the picture's height.
        column: Where, as a share of its width.
    """
    return Objective(((1.0, Neuron(name, number, row, column)),))


def towards(guide: object, name: str, max_pixels: int = _LARGEST) -> Objective:
    """More of what a layer sees in a second picture (Mordvintsev et al., "Inceptionism", 2015: guided dreams).

    Args:
        guide: The second picture: a path, an image of Pillow's, or an array.
        name: Of the layer.
        max_pixels: Above which the picture is refused; it is looked at at 512 rows or columns at most.
    """
    return Objective(((1.0, Towards(name, guide, max_pixels)),))


def channels_of(backbone: Backbone, name: str) -> int:
    """How many channels a layer has.

    Args:
        backbone: The network.
        name: Of its layer.
    """
    shape = backbone.layers[name].shape
    return shape[_axis(len(shape) + 1) - 1] if shape else 1


def _require_channel(backbone: Backbone, name: str, number: int) -> None:
    count = channels_of(backbone, name)
    if not 0 <= number < count:
        raise ConfigurationError(
            f"{name} has {count} channels, from 0 to {count - 1}; found {number}", layer=name, channel=number
        )


def _channel(activation: Tensor, name: str, number: int) -> Tensor:
    """One channel of a layer's output."""
    axis = _axis(activation.dim())
    if number >= activation.shape[axis]:
        raise ConfigurationError(
            f"{name} says {tuple(activation.shape[1:])} of this picture, and so has no channel {number}: how many it "
            "has hangs on the picture, so that it can be dreamt with as a whole only",
            layer=name,
        )
    return activation.select(axis, number)


def _axis(axes: int) -> int:
    """Where a layer's channels lie, of so many axes: second in maps, last in sequences of tokens."""
    return 2 if axes == 3 else 1


def _places(activation: Tensor) -> Float[Tensor, "place channel"]:
    """A row for each place of a batch of one."""
    return activation.movedim(_axis(activation.dim()), -1).flatten(0, -2)
