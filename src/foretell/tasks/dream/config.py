"""The options of dreaming, and moods for those who do not know layers; nothing here imports torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from ...config import Names, Section, TaskConfiguration
from ...config.kinds import Text
from ...config.sections import CODE


class ObjectiveSection(Section):
    """What a dream makes large."""

    mood: Literal["lines", "eyes", "faces", "flowers"] | None = Field(
        None, description="What is seen, for those who do not know layers (faces where nothing else is named)."
    )
    layers: Names = Field(
        (),
        description="Layers, all that they see, with weights: _blocks.10:1,_blocks.12:0.5; below zero is less of it.",
    )
    channel: Names = Field((), description="Single filters: LAYER:NUMBER, and a weight: LAYER:NUMBER:WEIGHT.")
    neuron: Names = Field(
        (),
        description="Filters at one place: LAYER:NUMBER, and where, in shares of height and width: LAYER:NUMBER:.5:.5.",
    )
    guide: Path | None = Field(None, description="Second picture: what the layers see in it is what is looked for.")


class BackboneSection(Section):
    """The network that dreams."""

    model: str | None = Field(
        None,
        description="Any torch module, PACKAGE:CALLABLE, as torchvision.models:resnet50 (the built-in when not named); "
        "it is code, so no file may name it.",
        json_schema_extra=CODE,
    )
    weights: Path | None = Field(None, description="Other weights of it, a .safetensors file.")
    normalise: str | None = Field(
        None,
        description="What its pixels are like: MEAN,DEVIATION, or three numbers of each (ImageNet's when not named).",
    )
    input_size: int | None = Field(
        None, ge=16, le=4096, description="Rows and columns that it reads, for a network that reads one size only."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where it works.")
    threads: int = Field(0, ge=0, le=1024, description="Processor threads; 0 means torch's choice.")
    cache_dir: Path | None = Field(
        None,
        description="Folder for what is made once, as the built-in network's weights (the platform's when not named).",
    )


class AscentSection(Section):
    """How a picture climbs."""

    octaves: int = Field(4, ge=1, le=32, description="Scales that are dreamt at, the picture's own last.")
    scale: float = Field(1.4, gt=1, le=8, description="By how much each is larger than the one before.")
    steps: int = Field(20, ge=0, le=100_000, description="Steps at each of them.")
    rate: float = Field(
        0.01, gt=0, le=1, description="By how much a step changes a pixel in the mean; from black to white is 1."
    )
    max_loss: float | None = Field(
        None, allow_inf_nan=False, description="Value of what is made large above which an octave ends early."
    )
    bands: int = Field(
        4,
        ge=1,
        le=12,
        description="Bands of frequencies in which the gradient is balanced; more are softer, 1 is rough.",
    )
    total_variation: float = Field(0.0, ge=0, le=100, description="How much noise is held down; 0.3 is visible.")
    decorrelate: bool = Field(False, description="Change colours together as they do in photos; less garish.")
    reinject: bool = Field(True, description="Give back the detail that scaling up loses.")
    roll: bool = Field(True, description="Move tiles at each step, so that no seam stays.")
    only: Path | None = Field(None, description="Mask, a picture: dream where it is white, stay where it is black.")
    strength: float = Field(
        1.0, ge=0, le=1, description="Share of the dream in what comes out; the rest is the picture."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every random choice.")


class TileSection(Section):
    """How large pictures are cut, so that memory does not grow with them."""

    tile: int = Field(640, ge=64, le=16_384, description="Most rows and columns that the network reads at once.")
    overlap: int | None = Field(
        None, ge=0, le=8192, description="Rows and columns that tiles share, at most half a tile (0.15 when not named)."
    )
    max_pixels: int = Field(64_000_000, ge=1024, description="Pixels above which a picture is refused.")


class NoiseSection(Section):
    """Dreams without a picture: what filters look for."""

    from_noise: bool = Field(False, description="Begin with noise, no picture.")
    size: Text = Field("256", description="Pixels of such a dream: SIDE, or WIDTHxHEIGHT.")
    grid: int | None = Field(
        None, ge=1, le=400, description="A sheet of so many filters of --channel LAYER, or LAYER:FIRST, from noise."
    )


class FilmSection(Section):
    """Films."""

    film: Path | None = Field(
        None, description="Film to write, .mp4, .gif or .webp: of the dream as it comes, or with --zoom into it."
    )
    zoom: int | None = Field(
        None, ge=1, le=100_000, description="Frames of a film, each dreamt from the one before, slightly enlarged."
    )
    zoom_rate: float = Field(1.02, gt=1, le=2, description="By how much each frame is enlarged.")
    fps: float = Field(24.0, ge=1, le=120, description="Frames a second.")


class Configuration(TaskConfiguration):
    """Every option of ``foretell dream``."""

    reading: ClassVar[tuple[str, ...]] = ()
    objective: ObjectiveSection = ObjectiveSection()
    backbone: BackboneSection = BackboneSection()
    ascent: AscentSection = AscentSection()
    tiles: TileSection = TileSection()
    noise: NoiseSection = NoiseSection()
    film: FilmSection = FilmSection()


Preset = dict[str, dict[str, Any]]

USUAL_MOOD = "faces"
MOODS: Mapping[str, Preset] = {
    "lines": {"objective": {"layers": ("_blocks.5",)}},
    "eyes": {"objective": {"layers": ("_blocks.8",)}},
    "faces": {"objective": {"layers": ("_blocks.10:1", "_blocks.12:1")}},
    "flowers": {
        "objective": {"channel": tuple(f"_blocks.12:{number}" for number in (149, 27, 38, 6))},
        "ascent": {"octaves": 5},
    },
}
"""Options of the built-in network that make a mood."""

NOISE: Preset = {"ascent": {"steps": 32, "rate": 0.012, "decorrelate": True}}
"""Where a dream begins with noise."""

ZOOM: Preset = {"ascent": {"octaves": 2, "steps": 3, "rate": 0.006}}
"""Where each frame of a film goes on with the one before."""
