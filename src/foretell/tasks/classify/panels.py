"""What the report shows of a classifier: what it confuses, how honest its probabilities are, its worst mistakes."""

from typing import Any

import numpy as np

from ...evaluation.panels import Figure, Grid, Item, Line, Matrix, Number, Panel, Passages
from ..interface import Evaluation
from .explaining import explain, headings
from .judging import ClassifyDetails, said_text
from .learned import LearnedClassifier
from .prepare import PreparedTexts

MOST_LABELS = 30  # of a confusion matrix


def classify_panels(
    prepared: PreparedTexts, kept: LearnedClassifier, evaluations: dict[str, Evaluation], reference: str
) -> list[Panel]:
    """The panels of the test span.

    Args:
        prepared: The texts.
        kept: The rung to look at.
        evaluations: The test evaluation of each rung.
        reference: The baseline to show beside it.
    """
    details: ClassifyDetails = evaluations[kept.rung].details
    chosen = [name for name in dict.fromkeys((reference, kept.rung)) if name in evaluations]
    metrics = evaluations[kept.rung].metrics
    return [
        Panel(
            "Labels",
            f"How {kept.rung} fares on the test span.",
            [*_confusion(kept, details), _by_label(metrics), _ranges(chosen, evaluations)],
        ),
        Panel("Are its probabilities honest?", _HONEST, [_reliability(chosen, evaluations)]),
        _mistakes(prepared, kept, details),
        _texts(prepared),
    ]


_HONEST = (
    "Texts of the test span, put together by how sure the answer was. On the diagonal an answer that is 80 % sure is "
    "right in 80 % of all cases; below it the model is too sure of itself. Scores were divided by a temperature chosen "
    "on validation."
)


def _confusion(kept: LearnedClassifier, details: ClassifyDetails) -> list[Item]:
    if not kept.exclusive or len(kept.labels) > MOST_LABELS:
        return []
    counts = details.judged.confusion().tolist()
    caption = (
        "Each row holds the texts of a label, each column what was said of them; what is right stands on the diagonal."
    )
    return [Matrix("Confusion", "truth", "said", list(kept.labels), counts, caption)]


def _by_label(metrics: dict[str, Any]) -> Grid:
    rows: list[list[str | Number]] = [
        [own["label"], *(f"{own[name]:.3f}" for name in ("precision", "recall", "f1")), own["count"]]
        for own in metrics["labels"][:200]
    ]
    return Grid("By label", ["label", "precision", "recall", "F1", "texts"], rows)


def _ranges(chosen: list[str], evaluations: dict[str, Evaluation]) -> Grid:
    names = {
        "accuracy": "accuracy",
        "macro_f1": "macro F1",
        "log_loss": "log loss (nats)",
        "roc_auc": "ROC AUC",
        "calibration_error": "calibration error",
    }
    rows: list[list[str | Number]] = []
    for metric, heading in names.items():
        cells = []
        for name in chosen:
            metrics = evaluations[name].metrics
            ends = metrics.get("intervals", {}).get(metric)
            value = metrics[metric]
            shown = "" if value is None else f"{value:.4f}"
            cells.append(f"{shown} ({ends['low']:.4f} to {ends['high']:.4f})" if ends else shown)
        rows.append([heading, *cells])
    return Grid(
        "With 95 % intervals", ["on test", *chosen], rows, "Each interval comes from a bootstrap of the test texts."
    )


def _reliability(chosen: list[str], evaluations: dict[str, Evaluation]) -> Figure:
    lines = [Line("honest", [0.0, 1.0], [0.0, 1.0], paired=False, colour=0)]
    for number, name in enumerate(chosen):
        bins = evaluations[name].details.judged.reliability()
        lines.append(Line(name, [sure for sure, _, _ in bins], [right for _, right, _ in bins], colour=number + 1))
    return Figure("lines", "Reliability", "how sure it was", "share of right answers", lines)


def _mistakes(prepared: PreparedTexts, kept: LearnedClassifier, details: ClassifyDetails) -> Panel:
    chosen, judged, texts = details.mistakes(), details.judged, prepared.corpus.texts
    passages = []
    for place in chosen:
        number = int(details.texts[place])
        likely = judged.probabilities[place]
        said, truth = said_text(kept.labels, judged.said[place]), said_text(kept.labels, judged.truth[place])
        label: int | None = None
        sure = float(likely.max())
        if not kept.exclusive:  # the label about which it is surest and wrong
            label = int(np.argmax(np.where(judged.said[place] != judged.truth[place], np.abs(likely - 0.5), -1)))
            sure, name = float(np.abs(likely[label] - 0.5) + 0.5), kept.labels[label]
            said, truth = (name, f"not {name}") if judged.said[place][label] else (f"not {name}", name)
        (heading,) = headings([said], [sure], [truth], [texts.places[number]])
        text = texts.texts[number]
        found = explain(kept.model, kept.vocabulary, text, likely, exclusive=kept.exclusive, label=label)
        passages.append(found.passage(heading))
    if not passages:
        return Panel("Most confident mistakes", f"{kept.rung} made none on the test span.")
    caption = (
        "Green words moved the answer towards what was said, red ones towards something else (gradient times vector). "
        "Some of these texts are hard, some are labelled wrongly."
    )
    return Panel(
        "Most confident mistakes",
        f"Where {kept.rung} was surest and wrong, on the test span.",
        [Passages("Texts", passages, caption)],
    )


def _texts(prepared: PreparedTexts) -> Panel:
    counts: list[list[str | Number]] = [[span, count] for span, count in prepared.counts.items()]
    dropped: list[list[str | Number]] = [
        [reason.replace("_", " "), count] for reason, count in prepared.dropped.items()
    ]
    lengths = prepared.tokens.lengths
    shown = Line("texts", [], [float(length) for length in lengths[:: max(1, len(lengths) // 20_000)]])
    tokens = prepared.configuration.tokens
    return Panel(
        "Texts and vocabulary",
        f"The vocabulary ({len(prepared.vocabulary):,} {tokens.tokens}) was learned on training texts alone; test was "
        "read once.",
        [
            Grid("Texts", ["span", "texts"], counts),
            Grid("Dropped texts", ["reason", "texts"], dropped),
            Figure("histogram", "Length of texts", "tokens", "texts", [shown]),
            Grid("What was found in the data", ["finding"], [[sentence] for sentence in prepared.messages]),
        ],
    )
