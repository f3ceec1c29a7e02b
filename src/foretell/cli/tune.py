"""``foretell tune TASK DATA --rung NAME --trials N`` and ``foretell tune --resume RUN``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .compare import job_of, stem_of
from .options import Asked, parsed_sets
from .origin import from_kept
from .output import print_json, tell
from .progress import Teller, told
from .resuming import begun_run
from .taking_part import require_same, take_part
from .tasks import TaskGroup
from .train import show_rung

TRIALS = 30


class TuningTeller(Teller):
    """Tells of trials as well."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._values_of: dict[int, str] = {}

    def trial(self, number: int, values: Mapping[str, Any]) -> None:
        """A trial begins."""
        shown = ", ".join(
            f"{path.rpartition('.')[2]} {value:.3g}"
            if isinstance(value, float)
            else f"{path.rpartition('.')[2]} {value}"
            for path, value in values.items()
        )
        self.current, self._values_of[number] = f"trial {number}", shown

    def tried(self, number: int, outcome: str, best: bool) -> None:
        """A trial is over."""
        self.close()
        tell(
            f"trial {number}: {outcome}{', the best so far' if best else ''} ({self._values_of.pop(number)})",
            quiet=self.quiet,
        )

    def rung(self, name: str) -> None:
        """A trial's training begins, or a rung beside the best of them."""
        self.current = name

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done; trials are told one by one."""


def tune_rung(task_name: str, asked: Asked, given: dict[str, Any]) -> None:
    """Searches a rung's options into a new run folder."""
    from .. import runs, tuning
    from ..cluster.places import check_place
    from ..nn.devices import check_device
    from ..tasks import get_task, require_alone

    configuration = asked.build()
    rung = require_alone(task_name, configuration.run.rung)
    trials, named = given.pop("trials"), parsed_sets(given.pop("search"), "--search")
    task = get_task(task_name)
    spans = tuning.search_space(task, rung, named, configuration.named)
    if given.get("data") == "-" and (shaping := [path for path in spans if tuning.shapes(task, path)]):
        raise UsageError(
            f"a search over {', '.join(shaping)} reads its data again and again: from a file, not from standard input"
        )
    configuration = take_part(configuration, given)
    runs.check_name(configuration.run.runs_dir, configuration.run.name)
    if not configuration.run.on.startswith("ray"):  # elsewhere there may be other devices
        check_device(configuration.training.device)
    check_place(configuration.run)
    data = given.get("data")
    prepared = task.prepare(data, configuration)
    require_same(prepared.fingerprint, configuration)
    search = tuning.Search(rung, spans, trials, configuration.changed)
    tuning.check_spans(task, data, search, prepared)
    job = job_of("tune", task_name, prepared, given) | {
        "rung": rung,
        "trials": trials,
        "search": named,
        "fixed": sorted(configuration.named),
    }
    stem = stem_of(data, given) or task_name
    name = configuration.run.name or runs.numbered(f"{stem}-{rung}-tune")
    folder = runs.create(configuration.run.runs_dir, name, job, configuration)
    _carry_out(task, from_kept(job["data"]), search, prepared, folder, given, configuration.run)


def resume(reference: str, runs_dir: Path, given: dict[str, Any]) -> None:
    """Goes on with a search that was stopped."""
    from .. import tuning

    begun = begun_run(reference, runs_dir, "tune", given)
    rung, trials = begun.job["rung"], int(begun.job["trials"])
    spans = tuning.search_space(begun.task, rung, begun.job["search"], begun.job.get("fixed", ()))
    search = tuning.Search(rung, spans, trials, begun.configuration.changed)
    _carry_out(
        begun.task, from_kept(begun.job["data"]), search, begun.prepared, begun.folder, given, begun.configuration.run
    )


def _carry_out(task: Any, data: Any, search: Any, prepared: Any, folder: Path, given: dict[str, Any], run: Any) -> None:
    from .. import runs, tuning

    quiet = given["quiet"] or given["as_json"]
    tell(f"run: {folder}", quiet=quiet)
    remedy = f"foretell tune --resume {folder}"
    with told(TuningTeller.of(task.measure, given), prepared.messages, remedy) as teller:
        title = f"{folder.name}: {search.rung}"
        document = tuning.tune(task, data, search, prepared, folder, title, teller, run)
    runs.finish(folder)
    if given["as_json"]:
        print_json({**document, "run": str(folder)})
        return
    found = document["tuning"]
    click.echo(f"\nbest of {found['trials']} trials ({found['given_up']} given up early):")
    for path, value in found["best"].items():
        share = found["importance"].get(path)
        mattered = "" if share is None else f"  (importance {share:.0%})"
        click.echo(f"  {path} = {value:.4g}{mattered}" if isinstance(value, float) else f"  {path} = {value}{mattered}")
    show_rung(document, search.rung, task.measure)


command = TaskGroup(
    "tune",
    body=tune_rung,
    resume=resume,
    without=("rungs", "seeds", "budget", "folds", "origin"),
    further=(
        click.Option(["--trials"], type=click.IntRange(1, 100_000), default=TRIALS, help="Trials.  [default: 30]"),
        click.Option(
            ["--search"],
            multiple=True,
            metavar="A.B=SPAN",
            help="What an option may be: 8..128:log, 0..0.5 or 24,48,96 (the rung's own when none is named).",
        ),
    ),
    summary="Search the options of a rung of {task}{data}: the best on validation is judged on test.",
    help="Search the options of a rung: many trials, bad ones given up early, the best judged on test.",
)
