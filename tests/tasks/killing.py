"""A tiny training for test_resume.py, in a module of its own so that a fresh process can import it."""

from pathlib import Path

import polars as pl
import torch
from safetensors.torch import save_file

from foretell.tasks.forecast.config import Configuration
from foretell.tasks.forecast.models import NetworkModel
from foretell.tasks.forecast.task import task
from foretell.tasks.interface import Attempt, Silent

OPTIONS = {
    "target": "T (degC)",
    "lookback": "12",
    "ahead": "3",
    "units": 5,
    "epochs": 4,
    "batch_size": 32,
    "threads": 1,
    "patience": 0,
    "checkpoint_seconds": 0.0,
}


def train_tiny(csv: str, folder: str, rung: str, optimiser: str) -> None:
    """Trains to the end from whatever checkpoint there is, and leaves the weights in ``final.safetensors``."""
    torch.set_num_threads(1)
    configuration = Configuration.build({**OPTIONS, "optimiser": optimiser}, environment={})
    prepared = task.prepare(pl.read_csv(csv, try_parse_dates=True).head(400), configuration)
    learned = task.fit(prepared, rung, Attempt(Path(folder), Silent()))
    assert isinstance(learned.model, NetworkModel)
    save_file(learned.model.network.state_dict(), Path(folder) / "final.safetensors")
