"""``foretell.Dreamer``: dreaming from Python."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...config import TaskConfiguration
from ...data.films import require_film
from ...dreaming import Backbone, Objective, Watcher
from ...errors import UsageError, nearest
from .config import Configuration
from .dreams import Dream, Dreaming
from .film import octave_film, zoom_film
from .listing import listing
from .network import open_backbone
from .noise import Sheet, noise, picture_size, sheet
from .wishes import WISHES, objective_of, presets

_FORMS = {
    "from_noise": "Dreamer(...).from_noise()",
    "grid": 'Dreamer(...).sheet("_blocks.8", 16)',
    "film": 'Dreamer(...).film(photo, "out.mp4")',
    "zoom": 'Dreamer(...).film(photo, "out.mp4", frames=120)',
}


def configured(flags: Mapping[str, Any], *, wishless: bool = False, **origins: Any) -> Configuration:
    """The options of a dream; what a mood or a film brings along lies below all that is named.

    Args:
        flags: Values by name.
        wishless: Whether it is said elsewhere what shall be seen.
        **origins: Where else options come from: ``file``, ``sets``, ``environment``.

    Raises:
        ConfigurationError: One breaks its rule.
        UsageError: Some of them exclude each other.
    """
    kind: type[TaskConfiguration] = Configuration
    named: Any = kind.build(flags, **origins)
    found: Any = kind.build(flags, recipe=presets(named, wishless=wishless), **origins)
    checked: Configuration = found
    return checked


def prepared(
    asked: Configuration, model: torch.nn.Module | None = None, objective: Objective | None = None
) -> Dreaming:
    """Network and objective that options name.

    Args:
        asked: The options.
        model: A network in place of the one that they name.
        objective: What shall grow, in place of what they name.
    """
    backbone = open_backbone(asked.backbone, model)
    wished = objective_of(asked) if objective is None else objective
    return Dreaming(asked, backbone, wished.bound(backbone))


class Dreamer:
    """Dreams over pictures.

    Args:
        mood: lines, eyes, faces or flowers; faces where nothing else is named.
        objective: What shall grow, as an algebra of layers: ``layer("_blocks.10") + 0.5 * layer("_blocks.12")`` of
            ``foretell.dreaming``.
        model: Any torch module (a copy of it is used), or PACKAGE:CALLABLE; the built-in network where None.
        **options: Any option of ``foretell config render dream``, such as ``layers="_blocks.5"`` or ``steps=10``.

    Example:
        >>> import numpy as np
        >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, stride=2), torch.nn.ReLU())
        >>> dreamer = Dreamer(model=network, layers="0", octaves=2, steps=3)
        >>> dream = dreamer.dream(np.full((48, 64, 3), 128, np.uint8))
        >>> dream.picture.size, [len(octave.losses) for octave in dream.octaves]
        ((48, 64), [3, 3])
    """

    def __init__(
        self,
        mood: str | None = None,
        *,
        objective: Objective | None = None,
        model: str | torch.nn.Module | None = None,
        **options: Any,
    ) -> None:
        if objective is not None and not isinstance(objective, Objective):
            raise UsageError(
                f"an objective is made of layer, channel, neuron, towards; found {type(objective).__name__}"
            )
        self.mood = mood
        self.objective = objective
        self.model = model
        self.options = options

    def dream(self, picture: Any, watcher: Watcher | None = None) -> Dream:
        """Dreams over a picture.

        Args:
            picture: A path, an image of Pillow's, or an array of rows, columns and colours.
            watcher: Is told of each step and octave.

        Returns:
            The dream: ``.image``, ``.picture.pixels``, ``.octaves``, ``.save("out.png")``.

        Raises:
            DataError: It is no picture, or too large or small.
            UnsafeFileError: Its file is damaged.
        """
        dreaming = self._dreaming()
        return dreaming.over(dreaming.read(picture), watcher)

    def from_noise(self, watcher: Watcher | None = None) -> Dream:
        """Dreams from noise, so that what a layer or channel looks for is seen.

        Args:
            watcher: Is told of each step and octave.
        """
        dreaming = self._dreaming(from_noise=True)
        asked = dreaming.asked
        return dreaming.over(dreaming.read(noise(picture_size(asked.noise.size), asked.ascent.seed)), watcher)

    def sheet(self, layer: str, count: int = 16, first: int = 0) -> Sheet:
        """What several filters of a layer look for, in one picture.

        Args:
            layer: Its name.
            count: How many filters.
            first: The first one.
        """
        others = dict.fromkeys(("mood", "guide", *WISHES))
        asked = self._configuration({**others, "grid": count, "channel": (f"{layer}:{first}",)})
        return sheet(prepared(asked, self._module))

    def film(self, picture: Any, path: str | Path, frames: int | None = None) -> Dream:
        """A film: deeper and deeper into a picture, or of the dream as it comes.

        Args:
            picture: As for :meth:`dream`.
            path: Ends in .mp4, .gif or .webp.
            frames: How many to zoom through; a film of the octaves where None.

        Returns:
            The last frame, or the dream.
        """
        require_film(Path(path))
        dreaming = self._dreaming(film=path, zoom=frames)
        begin = dreaming.read(picture)
        if frames is None:
            return octave_film(dreaming, begin, Path(path), Watcher())
        return zoom_film(dreaming, begin, Path(path))

    def layers(self) -> list[dict[str, Any]]:
        """The network's layers: name, shape of what it says, what it is good for."""
        return listing(self._backbone(self._configuration({})))

    def _configuration(self, further: Mapping[str, Any]) -> Configuration:
        known = [name for _, name, _ in Configuration.options()]
        for name in self.options:
            if name not in known:
                raise UsageError(f'there is no option "{name}"; {nearest(name, known)}', option=name)
            if name in _FORMS:
                raise UsageError(f"{name} is no option of Dreamer, but a way to call it: {_FORMS[name]}", option=name)
        model = self.model if isinstance(self.model, str) else None if self.model is None else type(self.model).__name__
        flags = {"mood": self.mood, "model": model, **self.options, **further}
        return configured(
            {name: value for name, value in flags.items() if value is not None},
            wishless=self.objective is not None,
            environment={},
        )

    def _backbone(self, asked: Configuration) -> Backbone:
        return open_backbone(asked.backbone, self._module)

    @property
    def _module(self) -> torch.nn.Module | None:
        return None if isinstance(self.model, str) else self.model

    def _dreaming(self, **further: Any) -> Dreaming:
        if self.objective is not None:
            for name in ("mood", "guide", *WISHES):
                if name in self.options or (name == "mood" and self.mood is not None):
                    raise UsageError(f"the objective says what shall be seen, and so does {name}; name one of them")
        return prepared(self._configuration(further), self._module, self.objective)
