"""Carrying out a study: a task's rungs for each value of an option."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from ..recipes.reading import Vary
from .compare import job_of, stem_of
from .output import print_json, tell
from .progress import Teller, told
from .taking_part import require_same, take_part


def study_option(
    task_name: str, vary: Vary, build: Callable[[Mapping[str, object]], Any], given: dict[str, Any]
) -> None:
    """Compares a task's rungs for each value of an option.

    Args:
        task_name: The task.
        vary: The option and its values.
        build: Makes the configuration for an option's value.
        given: ``data`` where the task reads some, ``recipe``, and the output options.
    """
    from .. import runs, study
    from ..nn.devices import check_device
    from ..tasks import baselines_and, choose_rungs, get_task

    planned = study.plan(vary.option, vary.values, build)
    options = take_part(build({}), given)
    run = options.run
    rungs = baselines_and(task_name, run.rung) if run.rung and not run.rungs else choose_rungs(task_name, run.rungs)
    runs.check_name(run.runs_dir, run.name)
    task = get_task(task_name)
    check_device(options.training.device)
    data = given.get("data")
    prepared = task.prepare(data, planned.variants[0].configuration)
    require_same(prepared.fingerprint, options)
    job = job_of(runs.STUDY, task_name, prepared, given) | {"rungs": rungs, "vary": planned.document()}
    folder = runs.create(run.runs_dir, run.name or runs.numbered(stem_of(data, given)), job, options)
    tell(f"run: {folder}", quiet=given["quiet"] or given["as_json"])
    with told(Teller.of(task.measure, given, planned.short), []) as teller:
        document = study.carry_out(task, data, planned, rungs, run, folder, prepared, teller)
    runs.finish(folder)
    if given["as_json"]:
        print_json({**document, "run": str(folder)})
        return
    click.echo(f"\n{study.told(document)}\nreport: {document['report']}")
