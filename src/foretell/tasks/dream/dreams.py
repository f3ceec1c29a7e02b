"""A picture in, a dream out: the options of a dream, joined with picture and network."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ... import __version__
from ...data.pictures import SMALLEST, Picture, read_picture
from ...dreaming import (
    Ascent,
    Backbone,
    Objective,
    Octave,
    Pixels,
    Watcher,
    dream_up,
    octave_sizes,
    pixels_of,
    resized,
    tensor_of,
)
from ...errors import ConfigurationError
from ...training.seeds import threads
from .config import Configuration

_OVERLAP = 0.15  # of a tile
_NOT_TOLD = {"backbone": {"cache_dir", "threads"}, "tiles": {"max_pixels"}}  # told otherwise, or without effect


@dataclass(frozen=True, eq=False)
class Dream:
    """What was dreamt.

    Attributes:
        picture: The dream.
        octaves: The objective before each step, scale by scale.
        notes: What was done otherwise than asked for, sentences.
        about: Everything that makes the same dream again.
    """

    picture: Picture
    octaves: list[Octave]
    notes: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def image(self) -> Any:
        """The dream as Pillow has it."""
        return self.picture.image()

    def save(self, path: str | Path) -> None:
        """Writes a PNG (which says how it was made), JPEG or WebP.

        Args:
            path: Where.
        """
        self.picture.save(path, json.dumps(self.about, sort_keys=True))

    def _repr_png_(self) -> bytes:
        return self.picture.encoded("PNG")


@dataclass(frozen=True, eq=False)
class Dreaming:
    """Options, network and objective, ready to dream over pictures.

    Attributes:
        asked: The options.
        backbone: The network.
        objective: What shall grow.
    """

    asked: Configuration
    backbone: Backbone
    objective: Objective

    @property
    def how(self) -> Ascent:
        """The steps at each scale."""
        ascent, tiles = self.asked.ascent, self.asked.tiles
        tile = self.backbone.size or tiles.tile
        overlap = round(_OVERLAP * tile) if tiles.overlap is None else tiles.overlap
        if 2 * overlap > tile:
            raise ConfigurationError(
                f"--overlap is at most half a tile of {tile} pixels, {tile // 2}; found {overlap}", option="overlap"
            )
        return Ascent(
            steps=ascent.steps,
            rate=ascent.rate,
            max_loss=float("inf") if ascent.max_loss is None else ascent.max_loss,
            bands=ascent.bands,
            total_variation=ascent.total_variation,
            decorrelate=ascent.decorrelate,
            roll=ascent.roll,
            tile=tile,
            overlap=overlap,
        )

    def read(self, source: object) -> Picture:
        """A picture, not too large.

        Args:
            source: A path, an image or an array.
        """
        return read_picture(source, self.asked.tiles.max_pixels)

    def over(self, picture: Picture, watcher: Watcher | None = None, seed: int | None = None) -> Dream:
        """Dreams over a picture.

        Args:
            picture: The picture.
            watcher: Is told how it goes.
            seed: In place of the options'.
        """
        ascent = self.asked.ascent
        original = tensor_of(picture, self.backbone.device)
        mask = self._mask(picture)
        sizes = octave_sizes(picture.size, ascent.octaves, ascent.scale, SMALLEST)
        notes = []
        if len(sizes) < ascent.octaves:
            left = ascent.octaves - len(sizes)
            notes.append(
                f"{left} of {ascent.octaves} octaves left out: they would have fewer than {SMALLEST} rows or columns"
            )
        with self.at_work():
            found, octaves = dream_up(
                original,
                sizes,
                self.backbone,
                self.objective,
                self.how,
                seed=ascent.seed if seed is None else seed,
                reinject=ascent.reinject,
                mask=mask,
                watcher=watcher or Watcher(),
            )
            if ascent.strength < 1:
                found.lerp_(original, 1 - ascent.strength)
            found.clamp_(0, 1)
        return Dream(picture.showing(pixels_of(found)), octaves, notes, self.about(picture))

    def about(self, picture: Picture | None, **further: object) -> dict[str, Any]:
        """Everything that makes the same dream again, without times or places.

        Args:
            picture: What was dreamt over; nothing where it was noise.
            **further: What else there is to say.
        """
        kept = self.asked.model_dump(exclude_none=True, exclude=_NOT_TOLD)
        if not (self.asked.noise.from_noise or self.asked.noise.grid):
            kept.pop("noise")
        if not self.asked.film.film:
            kept.pop("film")
        options = {section: {name: _plain(value) for name, value in own.items()} for section, own in kept.items()}
        found: dict[str, Any] = {
            "made_with": f"Foretell {__version__}, torch {torch.__version__}",
            "objective": str(self.objective),
            "network": self.backbone.name,
            "weights": self.backbone.fingerprint,
            "wish": self.objective.fingerprint,
            "device": self.backbone.device,
            "threads": self.asked.backbone.threads or torch.get_num_threads(),
            "options": options,
        }
        if self._only is not None:
            found["only_pixels"] = self._only.fingerprint
        if picture is not None:
            found |= {"picture": picture.name, "pixels": picture.fingerprint}
        return found | further

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside a block as many threads work as were asked for, and what depends on them or on chance is fixed."""
        fixed = torch.backends.cudnn.deterministic
        torch.backends.cudnn.deterministic = True
        try:
            with threads(self.asked.backbone.threads):
                yield
        finally:
            torch.backends.cudnn.deterministic = fixed

    @cached_property
    def _only(self) -> Picture | None:
        """The mask as it was drawn."""
        path = self.asked.ascent.only
        return None if path is None else read_picture(path, self.asked.tiles.max_pixels, smallest=1)

    def _mask(self, picture: Picture) -> Float[Tensor, "1 1 height width"] | None:
        """Where it may dream, as large as the picture."""
        mask = self._only
        if mask is None:
            return None
        pixels: Pixels = tensor_of(mask, self.backbone.device).mean(dim=1, keepdim=True)
        if mask.alpha is not None:
            pixels = pixels * (torch.from_numpy(mask.alpha).to(pixels) / 255)
        (height, width), own = mask.size, picture.size
        if abs(height * own[1] - width * own[0]) > max(height, width, *own):
            raise ConfigurationError(
                f"the mask {self.asked.ascent.only} has {width}×{height} pixels, another shape than the picture's "
                f"{own[1]}×{own[0]}; it must have the same, or the same at another scale",
                option="only",
            )
        return resized(pixels, own).clamp_(0, 1)


def _plain(value: object) -> object:
    """A value as JSON has it; of a path only its name, which says nothing of whose machine it was."""
    return value.name if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
