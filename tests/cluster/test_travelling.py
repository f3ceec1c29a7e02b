"""What travels arrives as it was: data of every task, models, evaluations, errors."""

import mmap
import pickle
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from foretell.cluster.travelling import packed, unpacked
from foretell.cluster.work import Here, Shared, Work, done_or_raise
from foretell.data.storage import TextFile, TokenFile
from foretell.errors import ConfigurationError, DivergedError, ForetellError, InputError, RefusedError
from foretell.tasks import NAMES, get_task

from .made import TRAINED, prepared_of, require_same, results, trained


def through_a_pipe(content: Any) -> Any:
    """As processes of one machine send it."""
    return pickle.loads(ForkingPickler.dumps(content))


def through_shared_memory(content: Any) -> Any:
    """As Ray's store holds it: arrays lie in memory that is not ours, and cannot be written to."""
    parts: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(content, protocol=5, buffer_callback=parts.append)
    shared = []
    for part in parts:
        raw = part.raw()
        memory = mmap.mmap(-1, max(1, raw.nbytes))
        memory[: raw.nbytes] = raw.tobytes()
        shared.append(memoryview(memory).toreadonly()[: raw.nbytes])
    return pickle.loads(stream, buffers=shared)


WAYS = [through_a_pipe, through_shared_memory]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_data_of_every_task_arrive_as_they_were(name: str, way: Any, hourly: pl.DataFrame, tmp_path: Path) -> None:
    prepared = prepared_of(name, hourly)
    here = trained(Here(), name, prepared, tmp_path / "here")  # what is made when it is asked for has been made now
    arrived = way(prepared)
    assert (arrived.counts, arrived.dropped, arrived.fingerprint) == (
        prepared.counts,
        prepared.dropped,
        prepared.fingerprint,
    )
    assert arrived.messages == prepared.messages
    elsewhere = trained(Here(), name, arrived, tmp_path / "elsewhere")
    for rung in TRAINED[name]:
        require_same(here[rung], elsewhere[rung])


@pytest.mark.parametrize("name", NAMES)
def test_what_training_came_to_arrives_as_it_was(name: str, hourly: pl.DataFrame, tmp_path: Path) -> None:
    shared, task = Shared([prepared_of(name, hourly)]), get_task(name)
    rung = TRAINED[name][-1]
    there = Work(rung, rung, shared, tmp_path / "there")
    done = done_or_raise(results(Here(), name, [there])[rung])
    home = Work(rung, rung, shared, tmp_path / "home")
    arrived = unpacked(task, home, through_shared_memory(packed(there, done, files=True)))
    require_same(done, arrived)
    assert arrived.evaluations["test"].losses.flags.writeable, "it would hold on to memory that is Ray's"
    if done.fitted.history:
        assert (home.folder / "metrics.jsonl").read_bytes() == (there.folder / "metrics.jsonl").read_bytes()
        assert not (home.folder / "checkpoint").exists()
    assert sorted(task.evaluate(shared.parts[0], arrived.fitted, "test").metrics) == sorted(
        done.evaluations["test"].metrics
    )


def test_views_of_rows_do_not_travel_beside_the_rows(hourly: pl.DataFrame) -> None:
    prepared = prepared_of("forecast", hourly)
    before = len(ForkingPickler.dumps(prepared))
    assert prepared.view.windows.width
    assert prepared.view.history.filled(np.arange(5)).size
    assert prepared.view.table.codes.size
    assert len(ForkingPickler.dumps(prepared)) <= before + 1000


@pytest.mark.parametrize("way", WAYS)
def test_files_without_a_name_travel_by_their_content(way: Any) -> None:
    texts = ["good", "schön", "", "\ud800 alone"]
    arrived = way(TextFile.of(texts))
    assert [arrived[number] for number in range(len(arrived))] == texts
    tokens = TokenFile.of([np.arange(3, dtype=np.int32), np.zeros(0, np.int32), np.array([7], np.int32)])
    there = way(tokens)
    assert [there[number].tolist() for number in range(3)] == [[0, 1, 2], [], [7]]
    assert there.lengths.tolist() == [3, 0, 1]
    assert len(way(TextFile.of([]))) == 0
    assert len(way(way(TokenFile.of([])))) == 0


def test_what_arrives_in_memory_of_its_own_is_mapped_from_a_file_again() -> None:
    def holder(array: Any) -> Any:
        while isinstance(array, np.ndarray):
            array = array.base
        return array.obj if isinstance(array, memoryview) else array

    tokens = TokenFile.of([np.arange(1000, dtype=np.int32)])
    mapped = through_a_pipe(tokens)
    assert isinstance(holder(mapped.tokens), mmap.mmap)
    before = pickle.dumps(tokens, protocol=5)  # as Python 3.14 sends arrays that cannot be written to: as bytes
    assert isinstance(holder(pickle.loads(before).tokens), mmap.mmap)


@pytest.mark.parametrize(
    "error",
    [
        DivergedError("the loss must be finite", step=7, epoch=2),
        ConfigurationError("units must be positive", option="units", value="-1"),
        RefusedError(429, "too many wait", waiting=5),
        InputError("nothing"),
    ],
)
def test_errors_travel_with_their_details(error: ForetellError) -> None:
    arrived = through_a_pipe(error)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert (arrived.message, arrived.details, arrived.code) == (error.message, error.details, error.code)
    assert arrived.document() == error.document()
