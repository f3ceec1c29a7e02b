"""Typed sections of options, and the one validator that reads them: file < environment < flag.

A task's configuration is a model whose fields are sections; every option's name is unique within it, so
that ``--lookback``, ``FORETELL_LOOKBACK`` and ``[windows] lookback`` are the same option everywhere.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from .errors import ConfigurationError, UsageError, nearest


def _as_tuple(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_as_text(entry) for entry in value)
    return (_as_text(value),)


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""A list of names: in a flag either repeated or separated by commas."""

Duration = Annotated[str, BeforeValidator(_as_text)]
"""A stretch of time (``10d``, ``1h``, ``90min``) or a number of rows; resolved once the frequency is known."""


def entries(texts: Iterable[str]) -> list[str]:
    """The entries of a list option, given one by one or separated by commas.

    >>> entries(("mlp, gru", "ridge", ""))
    ['mlp', 'gru', 'ridge']
    """
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


class Section(BaseModel):
    """A group of options; unknown names are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DataSection(Section):
    """How the user's table is read."""

    target: Names = Field((), description="Column to forecast; several, or 'all'.")
    time: str | None = Field(None, description="Column with the time of each row (found when not named).")
    time_format: str | None = Field(None, description="Format of the times, as in strftime: '%d.%m.%Y %H:%M:%S'.")
    timezone: str | None = Field(
        None, description="Zone of local times ('Europe/Berlin'); its repeated hour is read in order."
    )
    series: str | None = Field(None, description="Column that tells several series apart.")
    features: Names = Field((), description="Input columns (all columns of numbers when not named).")
    missing: Names = Field((), description="Values that stand for missing ones, such as -9999.")
    duplicates: Literal["error", "first", "last", "mean"] = Field(
        "error", description="What to do with rows of one time that disagree."
    )
    frequency: str | None = Field(
        None, description="Step of the time grid; times are rounded down to it (inferred when not named)."
    )
    max_missing: float = Field(0.5, ge=0, le=1, description="Share of missing inputs above which a window is dropped.")
    unit: str | None = Field(
        None, description="Unit of the target (read from a header such as 'T (degC)' when not named)."
    )


class WindowSection(Section):
    """What a window holds: how far back it reads, how densely, and what lies ahead."""

    lookback: Duration = Field("48", description="How far back a window reads: a duration (10d) or rows.")
    every: Duration = Field("1", description="Stride at which a window samples: a duration (1h) or rows.")
    ahead: Duration = Field("24", description="How far ahead the target lies: a duration, rows, or a range (1:96).")
    align: Literal["standard", "lecture"] = Field(
        "standard", description="'lecture' places windows as the lectures' generator does."
    )


class SpanSection(Section):
    """How time is cut into training, validation and test."""

    spans: str = Field(
        "0.7,0.15,0.15",
        description="Train, validation, test: shares, rows or durations (the last may be 'rest'), or two dates.",
    )
    scale: Literal["all", "per-series"] = Field("all", description="One scaling for all series, or one for each.")


class NetworkSection(Section):
    """The size of a network, and what it drops while it learns."""

    units: int = Field(32, ge=1, le=4096, description="Units of the hidden layer.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of a layer's inputs dropped in training.")
    recurrent_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of a recurrent layer's state that its matrices do not see in training."
    )
    mask: Literal["sequence", "step"] = Field(
        "sequence", description="Recurrent layers drop the same all along a sequence, or anew at each 'step'."
    )


class TrainingSection(Section):
    """How a network learns."""

    loss: Literal["mae", "mse", "cross-entropy"] = Field("mae", description="Loss to minimise.")
    optimiser: Literal["rmsprop", "adamw"] = Field("rmsprop", description="Optimiser; rmsprop is Keras's.")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate.")
    schedule: Literal["constant", "cosine"] = Field("constant", description="Course of the learning rate.")
    warmup_steps: int = Field(0, ge=0, description="Steps over which the learning rate rises from zero.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay (adamw).")
    clip: float = Field(1.0, ge=0, description="Largest norm of the gradient; 0 leaves it alone.")
    epochs: int = Field(20, ge=1, description="Most epochs to train.")
    steps_per_epoch: int | None = Field(None, ge=1, description="Steps of an epoch (when not named, each window once).")
    batch_size: int = Field(128, ge=1, description="Windows of a step.")
    patience: int = Field(
        5, ge=0, description="Epochs without a better validation loss before stopping; 0 never stops."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every random choice.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where to train.")
    precision: Literal["32", "64", "bf16"] = Field("32", description="Arithmetic of the training.")
    threads: int = Field(
        0, ge=0, description="Processor threads; 0 means torch's choice, and one for what is small outside the kernels."
    )
    kernel: Literal["auto", "fused", "torch", "compiled", "loop"] = Field(
        "auto", description="How recurrent layers are computed; 'foretell doctor' says what auto means here."
    )
    checkpoint_seconds: float = Field(
        15.0, ge=0, description="Seconds between checkpoints inside an epoch; 0 is every step."
    )


class RunSection(Section):
    """Which rungs, and where runs are kept."""

    rungs: Names = Field((), description="Rungs to climb, separated by commas (all when not named).")
    rung: str | None = Field(None, description="The rung to train.")
    runs_dir: Path = Field(Path("runs"), description="Folder of runs.")
    name: str | None = Field(
        None, description="Name of the run (made from the data's name and a number when not given)."
    )


Configuration = TypeVar("Configuration", bound="TaskConfiguration")


class TaskConfiguration(BaseModel):
    """The base of every task's configuration: its fields are sections.

    Attributes:
        reads_data: Whether the task reads data that its user names; else it makes its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    reads_data: ClassVar[bool] = True

    @classmethod
    def options(cls) -> Iterator[tuple[str, str, FieldInfo]]:
        """Every option of the task as (section, name, field), in the order of declaration."""
        for section_name, section in cls.model_fields.items():
            section_class = section.annotation
            if isinstance(section_class, type) and issubclass(section_class, Section):
                for name, field in section_class.model_fields.items():
                    yield section_name, name, field

    @classmethod
    def build(
        cls: type[Configuration],
        flags: Mapping[str, object] | None = None,
        *,
        recipe: Mapping[str, Mapping[str, object]] | None = None,
        file: str | Path | None = None,
        sets: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Configuration:
        """The configuration from a recipe, a TOML file, then the environment, then flags; the last one wins.

        Args:
            flags: Values by option name; those that are None were not given.
            recipe: The sections of a recipe.
            file: A TOML file with a table for each section.
            sets: Values by dotted path, ``{"training.epochs": "5"}``, as from ``--set``.
            environment: The environment; ``os.environ`` where None.

        Raises:
            ConfigurationError: An option is unknown, or its value breaks its rule.
            UsageError: A path of ``--set`` names no option.
        """
        places = {name: section for section, name, _ in cls.options()}
        values: dict[str, dict[str, object]] = {}
        origins: dict[tuple[str, str], str] = {}

        def put(section: str, name: str, value: object, origin: str) -> None:
            values.setdefault(section, {})[name] = value
            origins[section, name] = origin

        for section, entries_of in (recipe or {}).items():
            for name, value in entries_of.items():
                put(section, name, value, "the recipe")
        for section, name, value in _from_file(file):
            put(section, name, value, f"the file {file}")
        surroundings = os.environ if environment is None else environment
        for name, section in places.items():
            variable = "FORETELL_" + name.upper()
            if variable in surroundings:
                put(section, name, surroundings[variable], f"the environment variable {variable}")
        for path, value in (sets or {}).items():
            section, _, name = path.rpartition(".")
            if name not in places or section not in ("", places[name]):
                known = [f"{section}.{name}" for section, name, _ in cls.options()]
                raise UsageError(f'--set names "{path}", which is no option; {nearest(path, known)}', option=path)
            put(places[name], name, value, "--set")
        for name, value in (flags or {}).items():
            if value is not None:
                put(places[name], name, value, f"the option --{name.replace('_', '-')}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explain(error, origins, cls) from None

    def toml(self) -> str:
        """The configuration as a TOML document; options without a value are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _from_file(file: str | Path | None) -> Iterator[tuple[str, str, object]]:
    if file is None:
        return
    try:
        document = tomllib.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the configuration file {file} cannot be read: {error.strerror}", file=str(file)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the configuration file {file} is not TOML: {error}", file=str(file)) from None
    for section, entries in document.items():
        if not isinstance(entries, dict):
            raise ConfigurationError(
                f'"{section}" in {file} stands outside a section; write it under its section, such as [training]',
                file=str(file),
            )
        for name, value in entries.items():
            yield section, name, value


def _explain(
    error: ValidationError, origins: Mapping[tuple[str, str], str], model: type[TaskConfiguration]
) -> ConfigurationError:
    """One sentence for the first broken rule: which option, from where, the rule, the value found."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    section, name = path[0], path[1] if len(path) > 1 else ""
    origin = origins.get((section, name), "the configuration")
    if first["type"] == "extra_forbidden":
        known = [option for _, option, _ in model.options()] if name else list(model.model_fields)
        return ConfigurationError(
            f'"{name or section}" in {origin} is no option; {nearest(name or section, known)}', option=name or section
        )
    rule = first["msg"][0].lower() + first["msg"][1:]
    return ConfigurationError(
        f"{name or section} from {origin} breaks its rule: {rule}; found {first['input']!r}",
        option=name,
        value=str(first["input"]),
    )


def render(model: type[TaskConfiguration]) -> str:
    """Every option of a task with its default and its help, as TOML that can be edited.

    Args:
        model: The task's configuration.
    """
    lines: list[str] = []
    current = ""
    for section, name, field in model.options():
        if section != current:
            section_class: Any = model.model_fields[section].annotation
            lines += [""] if lines else []
            lines += [f"# {section_class.__doc__.splitlines()[0]}", f"[{section}]"]
            current = section
        lines.append(f"# {field.description}")
        default = field.default
        if default is None:
            lines.append(f"# {name} =")
        else:
            plain = (
                list(default) if isinstance(default, tuple) else str(default) if isinstance(default, Path) else default
            )
            lines.append(tomli_w.dumps({name: plain}).strip())
    return "\n".join(lines) + "\n"
