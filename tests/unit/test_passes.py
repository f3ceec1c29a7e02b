"""How far a pass is: told from its beginning to its end, to whoever listens, and given up where nobody waits."""

import threading
from pathlib import Path

import polars as pl
import pytest

from foretell.cli import bar, passing
from foretell.config import CorpusSection, DataSection, TokenizerSection
from foretell.data import cache, parquet, scattering, stored, stored_corpus
from foretell.data.reading import open_table
from foretell.data.stored import StoredTable
from foretell.data.stored_corpus import open_corpus
from foretell.data.token_spans import cut_into_tokens
from foretell.errors import StoppedError
from foretell.passes import Passed, followed, listened_to
from foretell.stopping import while_wanted

from ..tasks.commands import Run
from .test_store import panel, written


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces in little data."""
    for module in (parquet, scattering, stored):
        monkeypatch.setattr(module, "CELLS", 185)
    monkeypatch.setattr(stored_corpus, "PIECE", 200)
    monkeypatch.setattr(cache, "_PIECE", 1000)


def must_be_whole(told: list[Passed]) -> dict[str, Passed]:
    """Each pass goes from nothing to its end, step by step, and is over once; the last place of each."""
    last: dict[str, Passed] = {}
    for passed in told:
        before = last.get(passed.what)
        assert before is None or before.over or before.done <= passed.done
        if before is None or before.over:
            assert passed.done == 0 and not passed.over
        last[passed.what] = passed
    assert all(passed.over and passed.total in (passed.done, None) for passed in last.values())
    return last


def section(home: Path) -> DataSection:
    return DataSection.model_validate({"series": "id", "target": "a", "store": "yes", "cache_dir": home / "cache"})


def test_every_pass_over_a_table_is_told(tmp_path: Path) -> None:
    folder = written(panel(1, (300, 200), 0.1, 0.1), tmp_path / "panel")
    rows = sum(pl.read_parquet(part).height for part in folder.iterdir())
    told: list[Passed] = []
    with listened_to(told.append):
        table = open_table(folder, section(tmp_path))
        assert isinstance(table, StoredTable)
        assert sum(1 for _ in table.stretches()) > 3
    last = must_be_whole(told)
    assert {what: (own.done, own.unit) for what, own in last.items()} == {
        "hashing panel": (sum(part.stat().st_size for part in folder.iterdir()), "bytes"),
        "waiting for another process, which makes the same": (0, "seconds"),
        "reading the times of panel": (rows, "rows"),
        "storing panel": (rows, "rows"),
        "filling what is missing in panel": (table.rows, "rows"),
        "going through panel": (table.rows, "rows"),
    }
    assert len(told) > 4 * len(last), "not only at their ends"


def test_every_pass_over_a_corpus_is_told(tmp_path: Path) -> None:
    path, text = tmp_path / "words.txt", "one word after another\n" * 300
    path.write_text(text)
    told: list[Passed] = []
    with listened_to(told.append):
        corpus = open_corpus(path, CorpusSection.model_validate({"store": "yes", "cache_dir": tmp_path / "cache"}))
        cut_into_tokens(corpus, (), TokenizerSection())
    last = must_be_whole(told)
    assert last["hashing words.txt"].done == last["reading words.txt"].done == len(text)
    assert last["going through words.txt"].unit == "characters"
    assert sum(own.what == "going through words.txt" and own.over for own in told) >= 4, "letters, and three spans"


def test_who_waits_for_another_process_says_so(tmp_path: Path) -> None:
    begun, go, told = threading.Event(), threading.Event(), list[Passed]()

    def slowly(folder: Path) -> dict[str, object]:
        begun.set()
        assert go.wait(60)
        return {}

    def waits(passed: Passed) -> None:
        told.append(passed)
        if passed.done >= 1:
            go.set()

    maker = threading.Thread(target=cache.keep, args=("key", tmp_path, {}, slowly))
    maker.start()
    assert begun.wait(60)
    with listened_to(waits):
        assert cache.keep("key", tmp_path, {}, slowly).whole
    maker.join(60)
    assert told[-1].over and told[-1].done >= 1 and told[-1].unit == "seconds"


def test_a_pass_that_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    folder, told = written(panel(2, (300, 200)), tmp_path / "panel"), list[Passed]()

    def wanted() -> bool:
        return told[-1].what != "storing panel" or told[-1].done < 100

    with listened_to(told.append), while_wanted(wanted), pytest.raises(StoppedError):
        open_table(folder, section(tmp_path))
    assert 100 <= told[-1].done < 400 and told[-1].over
    assert not list((tmp_path / "cache" / "stores").iterdir()), "nothing half-written"


def test_a_pass_that_is_left_midway_is_over() -> None:
    told: list[Passed] = []
    with listened_to(told.append):
        pieces = followed("abc", len, "reading", 3, "letters")
        assert next(pieces) == "a" and next(pieces) == "b"
        pieces.close()
    assert [(own.done, own.over) for own in told] == [(0, False), (1, False), (1, True)]


@pytest.mark.parametrize("silent", ["", "--quiet", "--json"])
def test_the_command_line_tells_of_passes_unless_it_is_to_be_quiet(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setattr(passing, "_UNTOLD", -1.0)
    monkeypatch.setattr(bar, "_SECONDS_BETWEEN_LINES", -1.0)
    folder = written(panel(3, (200, 150)), tmp_path / "panel")
    options = ("--series", "id", "--target", "a", "--store", "yes", "--cache-dir", tmp_path / "cache")
    ran = run("data", "check", folder, *options, *filter(None, [silent]))
    assert ran.code == 0
    assert ("storing panel: 350 of 350 rows" in ran.err) is not bool(silent)
    assert ("hashing panel: 0 of " in ran.err) is not bool(silent)
