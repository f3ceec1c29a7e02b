"""Dreams over HTTP: a picture in, a dream out, at once or octave by octave as it comes.

A client names what it sees and how the picture climbs; files and modules of the server's machine it cannot name.
"""

import base64
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, cast

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field, create_model

from ...artefact import Artefact
from ...data.pictures import Picture, read_picture
from ...dreaming import Octave, Pixels, Step, Watcher, pixels_of
from ..serving import Question, Reply, Service, Shown, Tell
from .builtin import NAME
from .config import MOODS, AscentSection, Configuration, ObjectiveSection, Preset
from .dreams import Dream
from .estimator import configured, prepared
from .listing import listing

MOST_PIXELS = 16_000_000
_OF_THE_SERVER = ("guide", "only")  # options that name files
_EXAMPLE_SIDE = 64
_PNG = "image/png"


def _content(value: object) -> object:
    """A file's bytes as they are, or as text that stands for them."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise ValueError("a picture in JSON is a file's bytes in base64") from None


class _DreamQuestion(Question):
    """A picture, and what shall be seen in it."""

    picture: Annotated[bytes, BeforeValidator(_content)] = Field(
        description="A PNG, JPEG or WebP: a part of a form, or in JSON its bytes in base64.",
        json_schema_extra={"contentEncoding": "base64"},
    )
    stream: bool = Field(False, description="Tell each step and octave as it comes: server-sent events.")


_WISHES = [
    (name, field)
    for section in (ObjectiveSection, AscentSection)
    for name, field in section.model_fields.items()
    if name not in _OF_THE_SERVER
]
DreamQuestion: type[Any] = create_model(
    "DreamQuestion",
    __base__=_DreamQuestion,
    __doc__=_DreamQuestion.__doc__,
    **cast("dict[str, Any]", {name: (field.annotation, field) for name, field in _WISHES}),
)


class OctaveTold(BaseModel):
    """A scale that was dreamt at."""

    width: int
    height: int
    losses: list[float] = Field(description="What was to grow, before each step.")


class DreamReply(Reply):
    """A dream."""

    picture: str = Field(description="A PNG, its bytes in base64.")
    width: int
    height: int
    objective: str = Field(description="What was made large.")
    octaves: list[OctaveTold]


def _png(reply: DreamReply) -> bytes:
    return base64.b64decode(reply.picture)


class DreamService(Service):
    """Dreams, as programs ask for them."""

    question, reply = DreamQuestion, DreamReply
    bodies: ClassVar = {"multipart/form-data": ""}
    forms: ClassVar = {_PNG: Shown(_png, {"type": "string", "contentMediaType": _PNG})}
    usual = _PNG
    streams = True

    def built_in(self) -> tuple[Any, Artefact]:
        """What dreams, and what is told of it, without a folder."""
        fitted = _Dreams()
        document = {
            "rung": NAME,
            "note": "the network that comes with the extra dream; it has learned from photos, and nothing from yours",
            "parameters": fitted.parameters,
            "metrics": {},
            "data": {},
        }
        return fitted, Artefact("dream", document)

    def expects(self, fitted: "_Dreams") -> dict[str, Any]:
        """Moods, layers, and how large a picture may be."""
        moods = [{"name": name, "layer": _layer_of(preset)} for name, preset in MOODS.items()]
        return {"moods": moods, "layers": fitted.layers, "most_pixels": MOST_PIXELS}

    def example(self, fitted: "_Dreams") -> dict[str, Any]:
        """A small grey picture, dreamt over briefly."""
        grey = Picture(np.full((_EXAMPLE_SIDE, _EXAMPLE_SIDE, 3), 0.5, np.float32))
        content = base64.b64encode(grey.encoded("PNG")).decode()
        return {"picture": content, "mood": "lines", "octaves": 1, "steps": 2}

    def answers(self, fitted: "_Dreams", questions: Sequence[Any]) -> list[DreamReply]:
        """The dream of each picture."""
        return [_reply(_dreamt(question, Watcher())) for question in questions]

    def tell(self, fitted: "_Dreams", question: Any, tell: Tell) -> None:
        """Tells each step, and the picture after each octave."""

        def step(number: int, octaves: int, own: Step) -> None:
            height, width = own.picture.shape[-2:]
            size = {"width": width, "height": height}
            place = {"octave": number, "octaves": octaves, "step": own.number, "steps": own.steps}
            tell("step", {**place, **size, "loss": own.loss})

        def octave(number: int, octaves: int, picture: Pixels) -> None:
            shown = Picture(pixels_of(picture))
            tell("octave", {"octave": number, "octaves": octaves, "picture": _as_text(shown.encoded("JPEG"))})

        tell("done", _reply(_dreamt(question, Watcher(step, octave))).model_dump())


class _Dreams:
    """The network that comes with Foretell; each dream opens one of its own, since what watches it hangs on it."""

    rung = NAME

    @cached_property
    def _known(self) -> Any:
        return prepared(configured({}, environment={}))

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""
        return sum(weight.numel() for weight in self._known.backbone.module.parameters())

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """Those that lie at the top, and what each is good for."""
        return [
            {"name": own["name"], "good_for": own["good_for"], "channels": own["shape"][0]}
            for own in listing(self._known.backbone)
            if own["outer"] and own["gradient"]
        ]


def _dreamt(question: Any, watcher: Watcher) -> Dream:
    named = {name: getattr(question, name) for name, _ in _WISHES if name in question.model_fields_set}
    asked: Configuration = configured(named, environment={})
    picture = read_picture(question.picture, MOST_PIXELS)
    return prepared(asked).over(picture, watcher)


def _reply(dream: Dream) -> DreamReply:
    height, width = dream.picture.size
    octaves = [_told(own) for own in dream.octaves]
    picture = _as_text(dream.picture.encoded("PNG"))
    objective = str(dream.about["objective"])
    return DreamReply(
        picture=picture, width=width, height=height, objective=objective, octaves=octaves, warnings=dream.notes
    )


def _layer_of(preset: Preset) -> str:
    """The layer that a mood is about."""
    wished = preset["objective"]
    return str((*wished.get("layers", ()), *wished.get("channel", ()))[0]).partition(":")[0]


def _told(octave: Octave) -> OctaveTold:
    return OctaveTold(width=octave.size[1], height=octave.size[0], losses=octave.losses)


def _as_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


service = DreamService()
