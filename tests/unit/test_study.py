"""Studies: every value is checked before anything is computed, folders tell values apart, one sentence tells what came of it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from foretell.config import TaskConfiguration
from foretell.errors import ConfigurationError, UsageError
from foretell.evaluation.panels import Figure, Line
from foretell.report.figures import draw
from foretell.study import plan, told
from foretell.tasks import task_configuration


def build(task: str) -> Callable[[Mapping[str, object]], TaskConfiguration]:
    return lambda value: task_configuration(task).build(sets=dict(value), environment={})


def test_values_are_read_as_the_option_reads_them() -> None:
    study = plan("gap", ("2", 20), build("recall"))
    assert study.option == "recall.gap"
    assert [(own.value, own.folder) for own in study.variants] == [(2, "gap-2"), (20, "gap-20")]
    assert study.numeric
    assert study.document() == {"option": "recall.gap", "values": [2, 20], "folders": ["gap-2", "gap-20"]}


def test_values_that_are_names_are_told_apart() -> None:
    study = plan("windows.ahead", ("1:4", "1-4"), build("forecast"))
    assert [own.folder for own in study.variants] == ["ahead-1-4", "ahead-1-4-1"]
    assert not study.numeric
    columns = plan("data.features", (["a", "b"], "a"), build("forecast"))
    assert [(own.value, own.name) for own in columns.variants] == [(("a", "b"), "a, b"), (("a",), "a")]


@pytest.mark.parametrize(
    ("option", "values", "error", "message"),
    [
        ("recall.gap", (), UsageError, "no value of recall.gap"),
        ("recall.gap", (5, "5"), UsageError, "the value 5 of recall.gap comes twice"),
        ("recall.gop", (5,), UsageError, 'did you mean "recall.gap"'),
        ("recall.gap", (5, 0), ConfigurationError, "greater than or equal to 1 and .*; found 0"),
        ("network.mask", ("step", "never"), ConfigurationError, "'sequence' or 'step'"),
    ],
)
def test_mistakes_are_told_at_once(
    option: str, values: tuple[object, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan(option, values, build("recall"))


def test_what_a_study_found_is_one_sentence() -> None:
    def document(**verdicts: list[str]) -> dict[str, Any]:
        rows = [{"value": value, "rung": "chance", "kind": "baseline", "verdict": "unclear"} for value in (2, 5)]
        for rung, said in verdicts.items():
            rows += [
                {"value": value, "rung": rung, "kind": "model", "verdict": verdict}
                for value, verdict in zip((2, 5), said, strict=True)
            ]
        return {"option": "recall.gap", "rows": rows, "variants": [{"value": 2}, {"value": 5}]}

    found = told(document(rnn=["better", "worse"], gru=["better", "better"], lstm=["unclear", "unclear"]))
    assert found.endswith("by recall.gap: rnn at 2; gru at every value; lstm at no value.")
    assert told(document()) == "Baselines alone, at 2 values of recall.gap."


def test_points_are_marked_and_far_ones_stand_on_a_logarithmic_axis() -> None:
    near = draw(Figure("points", "", "", "", [Line("a", [1, 2, 3], [0.1, 0.2, 0.3])]))
    far = draw(Figure("points", "", "", "", [Line("a", [2, 20, 160], [0.1, 0.2, 0.3])]))
    assert (near.layout.xaxis.type, far.layout.xaxis.type) == ("linear", "log")
    assert list(far.layout.xaxis.tickvals) == [2, 20, 160]
    assert far.data[0].mode == "lines+markers"
    assert draw(Figure("points", "", "", "", [Line("a", [0, 100], [1, 2])])).layout.xaxis.type == "linear"


def test_paired_lines_share_their_colour() -> None:
    lines = [Line("a", [1, 2], [1, 2]), Line("a, training", [1, 2], [1, 2], paired=True), Line("b", [1, 2], [1, 2])]
    first, second, third = draw(Figure("lines", "", "", "", lines)).data
    assert first.line.color == second.line.color != third.line.color
    assert (first.line.dash, second.line.dash) == ("solid", "dot")
    assert (first.showlegend, second.showlegend) == (True, False)
