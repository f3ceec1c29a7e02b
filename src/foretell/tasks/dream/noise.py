"""Dreams without a picture: what filters of a network look for, one by one or as a sheet (the slides' filters)."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ...data.pictures import SMALLEST, Picture, read_picture
from ...dreaming import Watcher, channel, channels_of
from ...errors import ConfigurationError, NoGradientError
from .dreams import Dream, Dreaming
from .wishes import filter_of

_GREY, _GRAIN = 0.5, 0.05
_LARGEST = 16_384
_GAP, _CAPTION = 6, 18  # pixels between pictures, and under them


def picture_size(text: str) -> tuple[int, int]:
    """Rows and columns from a text: SIDE, or WIDTHxHEIGHT.

    Args:
        text: As ``--size`` has it.

    Raises:
        ConfigurationError: It says something else.

    >>> picture_size("256"), picture_size("640x400")
    ((256, 256), (400, 640))
    """
    match = re.fullmatch(r"\s*(\d{1,6})(?:\s*[x×*]\s*(\d{1,6}))?\s*", text.lower())
    width, height = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not (SMALLEST <= width <= _LARGEST and SMALLEST <= height <= _LARGEST):
        raise ConfigurationError(
            f'--size needs SIDE or WIDTHxHEIGHT, from {SMALLEST} to {_LARGEST} pixels; found "{text}"', option="size"
        )
    return height, width


def noise(size: tuple[int, int], seed: int) -> Picture:
    """Grey with a little grain.

    Args:
        size: Rows and columns.
        seed: Where its numbers come from.

    >>> noise((32, 48), 0).size
    (32, 48)
    """
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.empty(*size, 3).normal_(_GREY, _GRAIN, generator=generator).clamp_(0, 1)
    return Picture(pixels.numpy(), name="noise")


@dataclass(frozen=True, eq=False)
class Sheet:
    """What several filters of a layer look for.

    Attributes:
        dream: All of them in one picture, their numbers below.
        filters: Of each its ``channel``, and its ``loss`` at the beginning and the end; none where it is ``silent``.
    """

    dream: Dream
    filters: list[dict[str, Any]]


def sheet(dreaming: Dreaming, watch: Callable[[int, int], Watcher] = lambda number, count: Watcher()) -> Sheet:
    """Dreams of several filters of a layer, each from the same noise.

    Args:
        dreaming: Options and network; the objective is each filter in turn.
        watch: Says whom to tell of each dream, given its number and how many there are.

    Raises:
        ConfigurationError: The layer has fewer.
    """
    layer, first = filter_of(dreaming.asked.objective)
    count = dreaming.asked.noise.grid or 1
    known = channels_of(dreaming.backbone, layer)
    if first + count > known:
        raise ConfigurationError(
            f"{layer} has {known} channels, from 0 to {known - 1}; {count} from {first} on are too many", option="grid"
        )
    asked = dreaming.asked
    begin = dreaming.read(noise(picture_size(asked.noise.size), asked.ascent.seed))
    pictures: list[np.ndarray] = []
    filters: list[dict[str, Any]] = []
    notes: list[str] = []
    for number in range(first, first + count):
        own = replace(dreaming, objective=channel(layer, number))
        try:
            dream = own.over(begin, watch(number - first + 1, count))
        except NoGradientError:
            pictures.append(begin.bytes_array())
            filters.append({"channel": number, "silent": True})
            continue
        notes = dream.notes
        pictures.append(dream.picture.bytes_array())
        losses = [loss for octave in dream.octaves for loss in octave.losses]
        filters.append({"channel": number, "loss": [losses[0], losses[-1]] if losses else None})
    captions = [f"{own['channel']}{' (silent)' if own.get('silent') else ''}" for own in filters]
    shown = replace(read_picture(laid_out(pictures, captions)), name="sheet")
    about = dreaming.about(None, sheet={"layer": layer, "first": first, "count": count})
    about["objective"] = f"each channel of {layer} from {first} on"
    return Sheet(Dream(shown, [], notes, about), filters)


def laid_out(pictures: list[np.ndarray], captions: list[str]) -> Any:
    """Pictures in rows on a page about as high as wide, captions below.

    Args:
        pictures: Of one size, in shades from 0 to 255.
        captions: One for each.

    Returns:
        The page, an image of Pillow's.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = pictures[0].shape[:2]
    across = math.ceil(math.sqrt(len(pictures) * height / width))
    across = max(1, min(across, len(pictures)))
    down = math.ceil(len(pictures) / across)
    page = Image.new("RGB", (_GAP + across * (width + _GAP), _GAP + down * (height + _CAPTION + _GAP)), "white")
    pen, letters = ImageDraw.Draw(page), ImageFont.load_default(_CAPTION - 5)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = _GAP + (number % across) * (width + _GAP)
        top = _GAP + (number // across) * (height + _CAPTION + _GAP)
        page.paste(Image.fromarray(picture), (left, top))
        pen.text((left + width / 2, top + height + _CAPTION / 2), caption, fill="black", font=letters, anchor="mm")
    return page
