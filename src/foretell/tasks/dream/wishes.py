"""What a dream is asked for, as options say it: texts such as ``_blocks.10:1`` as an objective."""

from ...config import entries
from ...dreaming import Objective, channel, layer, neuron, towards
from ...errors import UsageError
from .config import MOODS, NOISE, USUAL_MOOD, ZOOM, Configuration, ObjectiveSection, Preset

WISHES = ("layers", "channel", "neuron")
"""Options that say what shall be seen."""


def presets(asked: Configuration, *, wishless: bool = False) -> Preset:
    """Values of options that what was asked for brings along; what was named goes before.

    Args:
        asked: The options as they were named.
        wishless: Whether it is said elsewhere what shall be seen.

    Raises:
        UsageError: Some of them exclude each other.
    """
    wished, noise, film = asked.objective, asked.noise, asked.film
    named = [name for name in WISHES if getattr(wished, name)]
    if wished.mood and named:
        raise UsageError(f"--mood is a choice of layers, and so is --{named[0]}; name one of them")
    if wished.mood and asked.backbone.model:
        raise UsageError(f"--mood {wished.mood} is made of layers of the built-in network; name --layers of --model")
    merged: dict[str, dict[str, object]] = {}
    found: list[Preset] = [MOODS[wished.mood or USUAL_MOOD]] if not (named or asked.backbone.model or wishless) else []
    found += [NOISE] if noise.from_noise or noise.grid else []
    found += [ZOOM] if film.zoom else []
    for preset in found:
        for section, values in preset.items():
            merged.setdefault(section, {}).update(values)
    return merged


def objective_of(asked: Configuration) -> Objective:
    """What a dream makes large.

    Args:
        asked: The options.

    Raises:
        UsageError: Nothing is asked for, or in no form that is known.
    """
    wished = asked.objective
    if asked.noise.grid is not None:
        return channel(*filter_of(wished))
    parts: list[Objective] = []
    for text in entries(wished.layers):
        name, weight = _weighted(text)
        _require_weight(weight, text)
        parts.append(
            weight * (layer(name) if wished.guide is None else towards(wished.guide, name, asked.tiles.max_pixels))
        )
    for text in entries(wished.channel):
        name, numbers = _parts(text, "--channel LAYER:NUMBER, or LAYER:NUMBER:WEIGHT", 1, 2)
        weight = numbers[1] if len(numbers) > 1 else 1.0
        _require_weight(weight, text)
        parts.append(weight * channel(name, _whole(numbers[0], text)))
    for text in entries(wished.neuron):
        name, numbers = _parts(text, "--neuron LAYER:NUMBER, or LAYER:NUMBER:ROW:COLUMN", 1, 3)
        if len(numbers) == 2:
            raise UsageError(
                f'--neuron names a row without a column; LAYER:NUMBER:ROW:COLUMN is needed, found "{text}"'
            )
        parts.append(neuron(name, _whole(numbers[0], text), *numbers[1:]))
    if not parts:
        raise UsageError("--layers, --channel or --neuron is needed: what shall be seen; --list-layers shows layers")
    if wished.guide is not None and not wished.layers:
        raise UsageError("--guide says what layers shall see; name them with --layers")
    return sum(parts[1:], parts[0])


def filter_of(wished: ObjectiveSection) -> tuple[str, int]:
    """The layer of a sheet of filters, and the number of the first, 0 where none is named.

    Args:
        wished: What was asked for.

    Raises:
        UsageError: It is not one layer.
    """
    named = entries(wished.channel)
    if len(named) != 1 or wished.layers or wished.neuron or wished.guide:
        raise UsageError(
            "--grid shows filters of one layer: --channel LAYER, or --channel LAYER:FIRST, and nothing else"
        )
    name, numbers = _parts(named[0], "--channel LAYER, or LAYER:FIRST", 0, 1)
    return name, _whole(numbers[0], named[0]) if numbers else 0


def _weighted(text: str) -> tuple[str, float]:
    """A layer's name and its weight."""
    name, numbers = _parts(text, "--layers NAME, or NAME:WEIGHT, such as _blocks.10:0.5,", 0, 1)
    return name, numbers[0] if numbers else 1.0


def _parts(text: str, form: str, fewest: int, most: int) -> tuple[str, list[float]]:
    """A layer's name and the numbers behind it."""
    name, *rest = (part.strip() for part in text.split(":"))
    try:
        numbers = [float(own) for own in rest]
    except ValueError:
        numbers = [0.0] * (most + 1)
    if not fewest <= len(numbers) <= most or not all(abs(number) < 1e9 for number in numbers):
        raise UsageError(f'{form} is needed; found "{text}"')
    return name, numbers


def _require_weight(weight: float, text: str) -> None:
    if weight == 0:
        raise UsageError(f'a weight of 0 asks for nothing; leave "{text}" away')


def _whole(number: float, text: str) -> int:
    if number != int(number):
        raise UsageError(f'channels have whole numbers; found "{text}"')
    return int(number)
