"""A rung that has learned to recall: what it needs to do it again, from a folder alone."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float64
from torch import nn

from ...artefact import Artefact
from ...data.sources import read_source
from ...errors import DataError, UnsafeFileError, UsageError, counted, nearest
from ...nn import RecurrentNetwork
from ...numbers import require_numbers, usable
from ...training.curves import RangeTest
from ..cards import Card, card, document_of
from ..layers import recurrent_layers, sizes
from ..weights import load_network, of_a_model_folder
from .config import MEASURE, RUNGS, Configuration
from .sequences import Sequences, one_hot

CHUNK = 1024
Shares = Float64[np.ndarray, " symbol"]


def build_network(rung: str, configuration: Configuration) -> RecurrentNetwork:
    """Recurrent layers and dense ones, whose outputs are a score for each symbol."""
    section, symbols = configuration.network, configuration.recall.symbols
    return RecurrentNetwork(recurrent_layers(rung, symbols, section, sizes(section)), 1, symbols, section.head)


@dataclass(frozen=True)
class LearnedRecall:
    """One rung, learned.

    Attributes:
        rung: Its name on the ladder.
        configuration: All options of its training.
        model: The network; or, for chance, how often each symbol was the answer in training.
        about: The data it learned from.
        note: What it chose or found, in a sentence.
        history: One record for each epoch of its training.
        rates: What the search for a learning rate found, where one was asked for.
    """

    rung: str
    configuration: Configuration
    model: nn.Module | Shares
    about: dict[str, Any]
    note: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    rates: RangeTest | None = None

    def with_history(self, history: list[dict[str, Any]], rates: RangeTest | None) -> "LearnedRecall":
        """The same with what a model folder does not hold: its curve, and the rates that were tried."""
        return replace(self, history=history, rates=rates)

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return sum(array.size for array in self._arrays().values())

    def probabilities(self, sequences: Sequences) -> Float64[np.ndarray, "sequence symbol"]:
        """How likely each symbol is the answer to each sequence."""
        if not isinstance(self.model, nn.Module):
            return np.repeat(self.model[None], len(sequences), axis=0)
        found = []
        with torch.inference_mode():
            for start in range(0, len(sequences), CHUNK):
                inputs = torch.from_numpy(one_hot(sequences[start : start + CHUNK], self.configuration.recall.symbols))
                likely = self.model(inputs)[:, 0].double().softmax(dim=1).numpy()
                require_numbers(likely)
                found.append(likely)
        return np.concatenate(found)

    def read(self, source: object) -> Sequences:
        """The sequences of a table: its column ``symbol`` up to each row that has enough rows before it.

        Raises:
            DataError: There is no such column, or it holds something else than symbols.
        """
        section = self.configuration.recall
        found = read_source(source)
        if "symbol" not in found.frame.columns:
            raise DataError(
                f'{found.name} has no column "symbol"; {nearest("symbol", found.frame.columns)}', file=found.name
            )
        column = found.frame["symbol"]
        values = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        wrong = ~((values >= 0) & (values < section.symbols) & (values == np.floor(values)))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise found.fault(
                row,
                "symbol",
                f"symbols are whole numbers from 0 to {section.symbols - 1}; found {column[row]!r}",
                value=column[row],
            )
        if len(values) <= section.gap:
            raise DataError(
                f"{found.name} has {counted(len(values), 'row')}; a gap of {section.gap} needs {section.gap + 1}",
                file=found.name,
                rows=len(values),
                needed=section.gap + 1,
            )
        return np.lib.stride_tricks.sliding_window_view(values.astype(np.uint8), section.gap + 1)

    def predict(self, source: object, *, anchors: str = "all") -> pl.DataFrame:
        """What was seen ``gap`` rows before each row of a table.

        Args:
            source: A path or data frame with a column ``symbol``.
            anchors: ``all`` rows that have enough rows before them, or the ``latest`` one.

        Returns:
            For each of them its number, counted from 1, its symbol, the one recalled, and how likely that is.

        Raises:
            UsageError: ``anchors`` is neither.
            DataError: The table lacks the column or rows, or holds something else.
        """
        if anchors not in ("latest", "all"):
            raise UsageError(f'which rows to recall from is "latest" or "all"; found "{anchors}"')
        sequences = self.read(source)
        rows = np.arange(len(sequences)) + self.configuration.recall.gap + 1
        if anchors == "latest":
            sequences, rows = sequences[-1:], rows[-1:]
        likely = self.probabilities(sequences)
        columns = {"row": rows, "symbol": sequences[:, -1].astype(np.int64), "recalled": likely.argmax(axis=1)}
        return pl.DataFrame({**columns, "probability": likely.max(axis=1)})

    def artefact(self, metrics: dict[str, Any]) -> Artefact:
        """All it knows, and how good it is."""
        document = document_of(self, metrics)
        return Artefact("recall", document, self._arrays(), card=_card(self, metrics))

    @classmethod
    def restore(cls, artefact: Artefact) -> "LearnedRecall":
        """The rung that a model folder holds.

        Raises:
            UnsafeFileError: The folder's documents contradict each other.
        """
        document, arrays = artefact.document, artefact.arrays
        with of_a_model_folder():
            rung, configuration = str(document["rung"]), Configuration.model_validate(document["config"])
            if rung not in RUNGS:
                raise UnsafeFileError(f'the model folder names a rung "{rung}" that this version does not know')
            for name, array in arrays.items():
                if not (np.issubdtype(array.dtype, np.floating) and usable(array)):
                    raise ValueError(f"{name} must hold finite numbers")
            model: nn.Module | Shares
            if RUNGS[rung].kind == "model":
                model = load_network(lambda: build_network(rung, configuration), arrays)
            else:
                model = arrays["shares"].astype(np.float64)
                if model.shape != (configuration.recall.symbols,):
                    raise ValueError("it must hold a share for each symbol")
            return cls(rung, configuration, model, dict(document["data"]), str(document["note"]))

    def _arrays(self) -> dict[str, np.ndarray]:
        if isinstance(self.model, nn.Module):
            return {name: tensor.numpy() for name, tensor in self.model.state_dict().items()}
        return {"shares": self.model}


def _card(learned: LearnedRecall, metrics: dict[str, Any]) -> str:
    """The model card."""
    section, seed = learned.configuration.recall, learned.configuration.training.seed
    own = Card(
        heading=f"Recall over a gap of {section.gap}",
        facts={"Reads": f"{section.gap + 1} symbols out of {section.symbols}, and names the first of them"},
        data={"Source": f"random sequences made from seed {seed}"},
        spans={"train": section.training_sequences},
        dropped={},
        limits=["It is an experiment on memory, and good for nothing else."],
        command="foretell predict FOLDER rows.csv     # rows have a column `symbol`",
        answer='"rows.csv"',
    )
    return card(learned, RUNGS[learned.rung], own, MEASURE, metrics)
