"""Which data a verb reads when it names a model and no data: those of the run that the model is of."""

from pathlib import Path


def data_of(task: str, folder: Path, reference: str, verb: str) -> str | None:
    """The data that a model learned from; None for a task that makes its own.

    Args:
        task: The model's task.
        folder: The run's, the rung's or the model's folder.
        reference: What the user calls it.
        verb: What is to be done, for the remedy.

    Raises:
        InputError: The model is of no run, or its data are gone.
    """
    from .. import runs
    from ..errors import InputError
    from ..tasks import task_configuration

    if not task_configuration(task).reads_data:
        return None
    home = next((parent for parent in (folder, *folder.parents[:3]) if (parent / "run.json").exists()), None)
    remedy = f"name the DATA: foretell {verb} {reference} DATA"
    if home is None:
        raise InputError(f"{folder} is a model folder without its run; {remedy}", run=reference)
    data = str(runs.job_of(home)["data"])
    if data == "-":
        raise InputError(f"{home} read its data from standard input, which is gone; {remedy}", run=reference)
    return data
