"""Whatever a user may bring: one sentence, the right exit code, and nothing half-written."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.cli.main import main

COMPARE = ["compare", "forecast", "data.csv", "--rungs", "persistence,ridge"]
TARGET = ["--target", "T (degC)"]


def rows(csv: Path) -> list[list[str]]:
    return [line.split(",") for line in csv.read_text().splitlines()[:400]]


def table(lines: list[list[str]]) -> bytes:
    return ("\n".join(",".join(line) for line in lines) + "\n").encode()


def changed(change: Callable[[list[list[str]]], object]) -> Callable[[list[list[str]]], bytes]:
    def make(lines: list[list[str]]) -> bytes:
        change(lines)
        return table(lines)

    return make


def set_cell(row: int, column: int, value: str) -> Callable[[list[list[str]]], bytes]:
    return changed(lambda lines: lines[row].__setitem__(column, value))


def set_column(column: int, value: str) -> Callable[[list[list[str]]], bytes]:
    return changed(lambda lines: [line.__setitem__(column, value) for line in lines[1:]])


CASES = {
    "no such file": (None, TARGET, 3, "there is no file data.csv"),
    "empty file": (lambda lines: b"", TARGET, 3, "is empty"),
    "blank file": (lambda lines: b"\n\n \n", TARGET, 3, "is empty"),
    "header only": (lambda lines: table(lines[:1]), TARGET, 3, "a header and no rows"),
    "target not a column": (table, ["--target", "T (degK)"], 3, 'did you mean "T (degC)"'),
    "no target": (table, [], 3, "name one with --target"),
    "text in a number column": (set_cell(100, 1, "cold"), TARGET, 3, 'row 100 (line 101), column "T (degC)"'),
    "no time column": (changed(lambda lines: [line.pop(0) for line in lines]), TARGET, 3, "has no time column"),
    "two formats of dates": (set_cell(50, 0, "03/01/2021 01:00"), TARGET, 3, 'row 50 (line 51), column "time"'),
    "a time that is missing": (set_cell(50, 0, ""), TARGET, 3, "every row has a time"),
    "rows of one time that disagree": (
        changed(lambda lines: lines.insert(60, [lines[59][0], "99", "1"])),
        TARGET,
        3,
        "rows of one time must agree; found 99 here and",
    ),
    "too few rows": (lambda lines: table(lines[:60]), TARGET, 3, "has 59 rows; one window needs 72"),
    "one row": (lambda lines: table(lines[:2]), TARGET, 3, "fewer than two times"),
    "no window in a span": (lambda lines: table(lines[:90]), TARGET, 3, "the train span has no window"),
    "all of the target missing": (set_column(1, ""), TARGET, 3, "all of its 399 values are missing"),
    "a constant target": (set_column(1, "5"), TARGET, 3, "the target must vary"),
    "a target constant in training": (
        changed(lambda lines: [line.__setitem__(1, "5") for line in lines[1:300]]),
        TARGET,
        3,
        "must vary within the training span",
    ),
    "lookback not a multiple of every": (
        table,
        [*TARGET, "--lookback", "10", "--every", "4"],
        3,
        "the nearest lookback is 8 rows",
    ),
    "ahead of zero": (table, [*TARGET, "--ahead", "0"], 3, "ahead must be at least one row"),
    "a lookback that is no duration": (table, [*TARGET, "--lookback", "long"], 3, "neither a duration"),
    "a duration between two rows": (table, [*TARGET, "--ahead", "90min"], 3, "no multiple of the rows' frequency, 1h"),
    "spans beyond the table": (
        table,
        [*TARGET, "--spans", "300,100,100"],
        3,
        "need 500 rows of time; the table has 399",
    ),
    "spans that are no spans": (table, [*TARGET, "--spans", "most"], 3, "three sizes"),
    "an unknown zone": (table, [*TARGET, "--timezone", "Mars/Base"], 3, "no time zone"),
    "an unknown rung": (table, [*TARGET, "--rungs", "persistance"], 2, 'did you mean "persistence"'),
    "an unknown option": (table, [*TARGET, "--lokback", "3"], 2, "--lookback"),
    "a value that is no number": (table, [*TARGET, "--epochs", "many"], 2, "not a valid integer"),
    "an unknown choice": (table, [*TARGET, "--loss", "hinge"], 2, "mae"),
    "a number out of its range": (table, [*TARGET, "--epochs", "0"], 3, "greater than or equal to 1; found 0"),
    "a zero byte": (lambda lines: table(lines) + b"\0", TARGET, 3, "neither text nor Parquet"),
    "a damaged archive": (lambda lines: b"PK\x03\x04" + table(lines), TARGET, 5, "damaged"),
    "a damaged Parquet file": (lambda lines: b"PAR1" + table(lines), TARGET, 5, "damaged"),
    "a name that is a path": (table, [*TARGET, "--name", "../out"], 3, "letters, digits"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_and_the_right_exit_code(
    case: str, hourly_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, options, code, message = CASES[case]
    monkeypatch.chdir(tmp_path)
    if make is not None:
        Path("data.csv").write_bytes(make(rows(hourly_csv)))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        main([*COMPARE, *options])
    printed = capsys.readouterr()
    assert stopped.value.code == code, printed.err
    assert message in printed.err
    assert printed.err.splitlines()[-1 if code != 2 else 0].startswith("Error: ") or "See:" in printed.err
    assert "Traceback" not in printed.err
    assert set(tmp_path.rglob("*")) == before, "something was left behind"
    with pytest.raises(SystemExit) as stopped:
        main([*COMPARE, *options, "--json"])
    assert stopped.value.code == code
    document = json.loads(capsys.readouterr().out)
    assert set(document["error"]) == {"code", "message", "details"}
    assert message in document["error"]["message"]


def test_unknown_verbs_and_tasks_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["compar"], 'did you mean "compare"'),
        (["compare", "forcast", "x.csv"], 'did you mean "forecast"'),
        (["train", "forecast", "x.csv", "--rung", "gro"], 'did you mean "gru"'),
        (["train"], "--resume RUN"),
        (["train", "forecast"], "Missing argument"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err


def test_a_run_folder_that_exists_is_kept(
    hourly_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/taken").mkdir(parents=True)
    Path("runs/taken/mine.txt").write_text("keep")
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "forecast", str(hourly_csv), *TARGET, "--name", "taken"])
    assert stopped.value.code == 3
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in Path("runs/taken").iterdir()] == ["mine.txt"]


def test_a_loss_that_is_no_number_ends_with_1(
    hourly_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--rung", "mlp", "--learning-rate", "1e38", "--clip", "0", "--checkpoint-seconds", "0", "--name", "bad"]
    with pytest.raises(SystemExit) as stopped:
        main(["train", "forecast", str(hourly_csv), *TARGET, *options])
    assert stopped.value.code == 1
    err = capsys.readouterr().err
    assert "must be finite; at step" in err
    assert not Path("runs/bad/model").exists()


@pytest.mark.parametrize("limit", [1, 60_000])
def test_a_full_disk_ends_with_1(hourly_csv: Path, tmp_path: Path, limit: int) -> None:
    # A limit on the size of any file stands for a full disk: the system refuses the write.
    script = (
        "import resource, signal, sys; from foretell.cli.main import main;"
        f"signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "main(sys.argv[1:])"
    )
    arguments = ["compare", "forecast", str(hourly_csv), *TARGET, "--rungs", "persistence,ridge", "--name", "full"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")], "something half-written was left"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux stands for the full disk")
@pytest.mark.parametrize("further", [["--json"], []])
def test_output_that_goes_to_a_full_disk_ends_with_1(further: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foretell", "runs", "list", *further]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=120, check=False
        )
    told = "Error: the output could not be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_folder_that_may_not_be_written_ends_with_1(
    hourly_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "forecast", str(hourly_csv), *TARGET, "--runs-dir", str(tmp_path / "file")])
    assert stopped.value.code == 1
    assert "cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e35])
def test_numbers_beyond_single_precision_end_in_a_sentence(
    hourly_csv: Path, tmp_path: Path, scale: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = rows(hourly_csv)
    for line in lines[1:]:
        line[1] = repr(float(line[1]) * scale)
    Path("data.csv").write_bytes(table(lines))
    with pytest.raises(SystemExit) as stopped:
        main([*COMPARE, *TARGET, "--json"])
    assert stopped.value.code == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "data"
