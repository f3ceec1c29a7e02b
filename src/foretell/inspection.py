"""Inspect: how far back in time the gradients of a run's recurrent models reach, their matrices, their parameters."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import runs
from .artefact import DOCUMENT
from .errors import InputError, nearest
from .evaluation.gradients import StateGradients, state_gradients
from .evaluation.neighbours import nearest_tokens
from .evaluation.panels import Figure, Grid, Line, Number, Panel
from .evaluation.weights import RecurrentMatrix, Weights, recurrent_matrices, weights_of
from .predictor import Predictor
from .tasks import get_task
from .tasks.interface import Embeds
from .training.seeds import steady


@dataclass(frozen=True)
class Inspected:
    """What was seen inside one model.

    Attributes:
        name: The rung, and where it lies in the run.
        task: The name of its task.
        folder: The model folder.
        span: Where the windows came from: ``validation``, or ``all`` of other data.
        windows: How many.
        loss: Their mean loss.
        gradients: Of each recurrent layer, by its state.
        matrices: Of each recurrent layer, gate by gate.
        weights: Of the whole network.
    """

    name: str
    task: str
    folder: Path
    span: str
    windows: int
    loss: float
    gradients: list[StateGradients]
    matrices: list[RecurrentMatrix]
    weights: list[Weights]

    def place(self, module: str) -> str:
        """What tells a recurrent layer from the others of the network; nothing where there is one."""
        own = next((gradients for gradients in self.gradients if gradients.module == module), None)
        if own is None:
            return module
        told = [f"layer {own.layer}"] if any(other.layer > 1 for other in self.gradients) else []
        if any(other.backwards for other in self.gradients):
            told.append("backwards" if own.backwards else "forwards")
        return " ".join(told)

    def line(self, gradients: StateGradients) -> str:
        """The name of a line in the figure."""
        pair = any(other.module == gradients.module and other.part != gradients.part for other in self.gradients)
        return " ".join(filter(None, (self.name, self.place(gradients.module), gradients.part if pair else "")))

    def document(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {
            "rung": self.name,
            "model": str(self.folder),
            "windows": self.windows,
            "loss": self.loss,
            "layers": [
                {
                    "name": self.line(gradients),
                    "module": gradients.module,
                    "layer": gradients.layer,
                    "backwards": gradients.backwards,
                    "part": gradients.part,
                    "gradient": gradients.norms.tolist(),
                    "ratio": gradients.ratio,
                    "fades_after": gradients.fades_after,
                    "grows_after": gradients.grows_after,
                    "words": gradients.words,
                }
                for gradients in self.gradients
            ],
            "matrices": [vars(matrix) for matrix in self.matrices],
            "parameters": [
                {"name": own.name, "shape": list(own.shape), "count": own.count, "norm": own.norm}
                for own in self.weights
            ],
        }


def models_of(folder: Path, reference: str) -> list[tuple[str, Predictor]]:
    """The models of a run by name, in ladder order; the copy of the best one, beside the rungs, is left out.

    Args:
        folder: A run, a rung of one, or a model folder.
        reference: What the user calls it.

    Raises:
        InputError: There is none yet.
    """
    paths = [path.parent for path in folder.rglob(DOCUMENT)]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    paths = [path for path in paths if not any(path.parent in other.parents and other != path for other in paths)]
    if not paths:
        raise InputError(f"{folder} holds no model yet; {runs.remedy(runs.job_of(folder), reference)}", run=reference)
    job = runs.job_of(folder) if (folder / "run.json").exists() else {}
    values = job.get("vary", {}).get("folders", [])
    models = [(path.relative_to(folder).parent, Predictor(path)) for path in paths]
    models.sort(key=lambda model: _place(model[0], values, model[1]))
    return [(place.as_posix() if place.parts else model.fitted.rung, model) for place, model in models]


def inspect(models: list[tuple[str, Predictor]], source: object, count: int, folder: Path) -> list[Inspected]:
    """Looks inside every recurrent model of a run.

    Args:
        models: As :func:`models_of` gives them.
        source: The data whose windows the networks read; None for those of a task that makes its own.
        count: Most windows, spread evenly.
        folder: The run's folder.

    Returns:
        One entry for each recurrent model.

    Raises:
        InputError: None of them has a recurrent layer.
    """
    found = [seen for name, model in models if (seen := _looked_into(name, model, source, count)) is not None]
    if not found:
        names = [name for name, _ in models]
        raise InputError(
            f"{folder} holds no model with a recurrent layer, through which gradients go back in time; it holds "
            f"{', '.join(names)}; train a recurrent rung, such as rnn, gru or lstm, and inspect that run",
            run=str(folder),
            rungs=names,
        )
    return found


def neighbours(models: list[tuple[str, Predictor]], words: Iterable[str], count: int, folder: Path) -> list[Grid]:
    """The words whose learned vectors lie nearest to some words, in every model of a run that has vectors.

    Args:
        models: As :func:`models_of` gives them.
        words: The words.
        count: How many neighbours of each.
        folder: The run's folder.

    Returns:
        A table for each word, with the neighbours of each model and the cosine of the angle between both vectors.

    Raises:
        InputError: No model has vectors, or none for a word.
    """
    known = {
        name: found
        for name, model in models
        if isinstance(model.fitted, Embeds) and (found := model.fitted.vectors()) is not None
    }
    if not known:
        held = ", ".join(name for name, _ in models)
        raise InputError(
            f"{folder} holds no model that has learned a vector for each word; it holds {held}", run=str(folder)
        )
    grids = []
    for word in words:
        rows: list[list[str | Number]] = []
        for name, (tokens, values) in known.items():
            own = next((spelled for spelled in (word, word.lower()) if spelled in set(tokens)), None)
            if own is not None:
                rows += [[name, token, cosine] for token, cosine in nearest_tokens(tokens, values, own, count)]
        if not rows:
            tokens = next(iter(known.values()))[0]
            raise InputError(
                f'"{word}" is none of the {len(tokens)} words that {next(iter(known))} knows; {nearest(word, tokens)}',
                word=word,
            )
        grids.append(Grid(word, ["rung", "word", "cosine"], rows))
    return grids


def panels(found: list[Inspected]) -> list[Panel]:
    """What was seen, and what to look for in it.

    Args:
        found: As :func:`inspect` gives it.
    """
    every = [(own, gradients) for own in found for gradients in own.gradients]
    lines = [
        Line(own.line(gradients), list(range(len(gradients.norms))), _above_zero(gradients.norms.tolist()))
        for own, gradients in every
    ]
    figure = Figure(
        "lines",
        "Gradient of the loss by the state",
        "steps back",
        "norm of the gradient",
        lines,
        "The norm over the units, mean over the windows, from the last step that is read (0) to the first. A straight "
        "line shrinks (or grows) by the same factor at each step; where it ends early, the gradient is zero.",
        log=True,
    )
    reach: list[list[str | Number]] = [
        [
            own.line(gradients),
            float(gradients.norms[0]),
            float(gradients.norms[-1]),
            len(gradients.norms) - 1,
            gradients.ratio,
            gradients.words,
        ]
        for own, gradients in every
    ]
    matrices: list[list[str | Number]] = [
        [
            " ".join(filter(None, (own.name, own.place(matrix.module)))),
            matrix.gate,
            matrix.units,
            matrix.eigenvalue,
            matrix.singular_value,
        ]
        for own in found
        for matrix in own.matrices
    ]
    parameters: list[list[str | Number]] = [
        [own.name, tensor.name, " × ".join(map(str, tensor.shape)), tensor.count, tensor.norm]
        for own in found
        for tensor in own.weights
    ]
    return [
        Panel(
            "Gradients through time",
            _BACK,
            [
                figure,
                Grid(
                    "How far back",
                    ["state", "at the end", "furthest back", "steps", "ratio", "what becomes of it"],
                    reach,
                ),
            ],
        ),
        Panel(
            "Recurrent matrices",
            _MATRICES,
            [Grid("Gates", ["layer", "gate", "units", "largest eigenvalue", "largest singular value"], matrices)],
        ),
        Panel("Parameters", "", [Grid("Weights", ["rung", "name", "shape", "numbers", "norm"], parameters)]),
    ]


def lead(found: list[Inspected]) -> str:
    """What becomes of each gradient, in a sentence."""
    told = [f"{own.line(gradients)} {gradients.words}" for own in found for gradients in own.gradients]
    return f"The gradient of the loss on its way back through time: {'; '.join(told)}."


def document(found: list[Inspected], folder: Path, source: object) -> dict[str, Any]:
    """All that was seen as a JSON object.

    Args:
        found: As :func:`inspect` gives it.
        folder: The run's folder.
        source: The data that were read; None for those of a task that makes its own.
    """
    return {
        "task": found[0].task,
        "run": str(folder),
        "data": source,
        "span": found[0].span,
        "models": [own.document() for own in found],
    }


_BACK = """\
Each step back in time multiplies the gradient by the slope of that step. In a simple recurrent layer this is the \
recurrent matrix times the slope of the activation, one at most: where the matrix's largest eigenvalue is above one \
the gradient can explode, where it is below one it vanishes, and what lies that far back is hardly learned from. \
Gates change this: an LSTM carries its cell past the matrices, times the forget gate alone, and a GRU its state, \
times the update gate; where these gates stay open the line stays level. Look for the step at which each line has \
fallen to 1 % of its beginning, and whether what matters for the answer lies within that reach. \
In a task that is solved the loss is near zero and so is each gradient: its line may rise far back without harm."""

_MATRICES = """\
The modulus of the largest eigenvalue is what each of many steps multiplies by, the largest singular value the most \
that a single step can. In an RNN the state's matrix is the gradient's only way back. In an LSTM and a GRU these \
matrices steer the gates, and the gradient can reach far back though every eigenvalue is below one."""


def _looked_into(name: str, predictor: Predictor, source: object, count: int) -> Inspected | None:
    probe = get_task(predictor.task).probe(predictor.fitted, source, count)
    if probe is None or not (matrices := recurrent_matrices(probe.network)):
        return None
    weights = weights_of(probe.network)
    # Small steps, one after the other: a second thread would be waited for longer than it helps.
    with steady(predictor.fitted.parameters):
        loss, gradients = state_gradients(probe.network, probe.inputs, probe.targets, probe.loss)
    return Inspected(
        name, predictor.task, predictor.folder, probe.span, len(probe.targets), loss, gradients, matrices, weights
    )


def _place(place: Path, values: list[str], predictor: Predictor) -> list[tuple[int, str]]:
    """Where a model stands among the others: by the values of a study, then as on the ladder."""
    order = [*values, *get_task(predictor.task).rungs]
    return [(order.index(part) if part in order else len(order), part) for part in place.parts]


def _above_zero(values: Iterable[float]) -> list[Number]:
    """Values for an axis that has no zero and no end."""
    return [value if 0 < value < math.inf else None for value in values]
