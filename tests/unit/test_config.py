"""Options: one declaration, three sources, one sentence for each mistake."""

import tomllib
from pathlib import Path

import pytest

from foretell.config import render
from foretell.errors import ConfigurationError, UsageError
from foretell.tasks import NAMES, choose_rungs, task_configuration, task_rungs
from foretell.tasks.forecast.config import Configuration


def build(
    flags: dict[str, object] | None = None,
    *,
    file: Path | None = None,
    sets: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Configuration:
    return Configuration.build(flags, file=file, sets=sets, environment=environment or {})


def test_file_then_environment_then_flag(tmp_path: Path) -> None:
    file = tmp_path / "options.toml"
    file.write_text("[training]\nepochs = 1\nbatch_size = 11\nseed = 21\n")
    environment = {"FORETELL_BATCH_SIZE": "12", "FORETELL_SEED": "22"}
    training = build({"seed": 23}, file=file, environment=environment).training
    assert (training.epochs, training.batch_size, training.seed) == (1, 12, 23)
    assert build(sets={"training.epochs": "7", "lookback": "3d"}).windows.lookback == "3d"


def test_option_names_are_unique_so_that_flags_are_not_ambiguous() -> None:
    for task in NAMES:
        names = [name for _, name, _ in task_configuration(task).options()]
        assert len(names) == len(set(names))


def test_every_option_has_a_line_of_help() -> None:
    for task in NAMES:
        for section, name, field in task_configuration(task).options():
            assert field.description, f"{section}.{name} has no help"
            assert field.description.endswith((".", ")")), f"{section}.{name}"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"epochs": 0}, r"epochs from the option --epochs breaks its rule: .*greater than or equal to 1; found 0"),
        ({"learning_rate": -1.0}, "learning_rate from the option --learning-rate"),
        ({"max_missing": 2.0}, "less than or equal to 1"),
        ({"align": "sideways"}, "'standard' or 'lecture'"),
    ],
)
def test_a_broken_rule_is_told_with_its_origin(flags: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build(flags)


def test_mistakes_in_files_and_environment_are_told(tmp_path: Path) -> None:
    file = tmp_path / "options.toml"
    with pytest.raises(ConfigurationError, match="environment variable FORETELL_EPOCHS"):
        build(environment={"FORETELL_EPOCHS": "many"})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        build(file=file)
    for text, message in (
        ("[training\n", "is not TOML"),
        ("epochs = 1\n", "outside a section"),
        ("[training]\nepoch = 1\n", 'did you mean "epochs"'),
        ("[trainin]\nepochs = 1\n", 'did you mean "training"'),
    ):
        file.write_text(text)
        with pytest.raises(ConfigurationError, match=message):
            build(file=file)
    with pytest.raises(UsageError, match="no option"):
        build(sets={"training.epoch": "1"})


def test_the_rendered_configuration_is_the_default_one(tmp_path: Path) -> None:
    for task in NAMES:
        configuration = task_configuration(task)
        text = render(configuration)
        file = tmp_path / f"{task}.toml"
        file.write_text(text)
        assert configuration.build(file=file, environment={}) == configuration()
        for _, name, _ in configuration.options():
            assert f"{name} =" in text


def test_a_resolved_configuration_reads_back() -> None:
    configuration = build({"target": ("a", "b"), "lookback": 3, "steps_per_epoch": 5})
    assert Configuration.model_validate(tomllib.loads(configuration.toml())) == configuration


def test_rungs_come_in_ladder_order_with_a_baseline() -> None:
    assert choose_rungs("forecast", ("gru,mlp",)) == ["persistence", "seasonal", "climatology", "ridge", "mlp", "gru"]
    assert choose_rungs("forecast", ("gru", "ridge")) == ["ridge", "gru"]
    assert choose_rungs("forecast") == list(task_rungs("forecast"))
    with pytest.raises(UsageError, match='did you mean "gru"'):
        choose_rungs("forecast", ("grü",))
