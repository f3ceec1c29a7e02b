"""What is said of a classifier: every metric is scikit-learn's, its intervals cover; temperatures; what moved a score."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn
from torch import Tensor

from foretell.evaluation.calibration import COLDEST, HOTTEST, find_temperature, probabilities
from foretell.evaluation.classification import BINS, Judged
from foretell.evaluation.saliency import contributions
from foretell.nn import MeanReader, NgramEmbedding, TextNetwork
from foretell.nn.embedding import hashed
from foretell.tasks.classify.config import RUNGS, Configuration
from foretell.tasks.classify.rungs import NETWORKS, TextShape, build_network

from .made_layers import one_thread_of_torchs, with_biases  # noqa: F401 (for every test here)

INTERVALS = ("accuracy", "error", "macro_f1", "log_loss", "roc_auc")


def judged(texts: int, labels: int, seed: int, *, exclusive: bool = True, digits: int | None = None) -> Judged:
    """Random answers that are right more often than not; with ``digits`` rounded, so that they tie."""
    generator = np.random.default_rng(seed)
    truth = generator.random((texts, labels)) < 0.4
    if exclusive:
        truth = np.arange(labels) == generator.integers(0, labels, texts)[:, None]
    scores = generator.normal(0, 1, (texts, labels)) + 1.5 * truth
    if digits is not None:
        scores = scores.round(digits)
    likely = probabilities(scores if exclusive else scores - 0.7, exclusive=exclusive)
    return Judged([str(label) for label in range(labels)], likely, truth, exclusive)


sizes = st.integers(2, 120)
seeds = st.integers(0, 2**31)


# Metrics


@given(texts=sizes, labels=st.integers(2, 6), seed=seeds)
def test_what_is_said_of_one_label_a_text_is_scikit_learns(texts: int, labels: int, seed: int) -> None:
    found = judged(texts, labels, seed)
    truth, said = found.truth.argmax(axis=1), found.probabilities.argmax(axis=1)
    document = found.metrics(intervals=False)
    every = list(range(labels))
    assert document["accuracy"] == pytest.approx(sklearn.accuracy_score(truth, said))
    assert document["error"] == pytest.approx(1 - document["accuracy"])
    expected = sklearn.f1_score(truth, said, labels=every, average="macro", zero_division=0)
    assert document["macro_f1"] == pytest.approx(expected)
    expected = sklearn.log_loss(truth, found.probabilities, labels=every)
    assert document["log_loss"] == pytest.approx(expected, rel=1e-5)
    assert (found.confusion() == sklearn.confusion_matrix(truth, said, labels=every)).all()
    assert document["count"] == texts
    assert "exact_match" not in document
    assert "intervals" not in document
    assert found.losses.tolist() == (truth != said).tolist()


@given(texts=sizes, labels=st.integers(1, 5), seed=seeds)
def test_what_is_said_of_several_labels_a_text_is_scikit_learns(texts: int, labels: int, seed: int) -> None:
    found = judged(texts, labels, seed, exclusive=False)
    said = found.probabilities > 0.5
    truth, answered = found.truth.astype(int), said.astype(int)
    document = found.metrics(intervals=False)
    assert document["error"] == pytest.approx((found.truth != said).mean(), abs=1e-6)
    assert document["accuracy"] == pytest.approx(1 - document["error"])
    assert document["exact_match"] == pytest.approx(sklearn.accuracy_score(truth, answered))
    losses = [sklearn.log_loss(truth[:, own], found.probabilities[:, own], labels=[0, 1]) for own in range(labels)]
    assert document["log_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    if labels > 1:  # scikit-learn takes one column for numbers of labels
        assert document["error"] == pytest.approx(sklearn.hamming_loss(truth, answered), abs=1e-6)
        expected = sklearn.f1_score(truth, answered, average="macro", zero_division=0)
        assert document["macro_f1"] == pytest.approx(expected)


@given(texts=sizes, labels=st.integers(2, 5), seed=seeds, exclusive=st.booleans())
def test_what_is_said_of_each_label_is_scikit_learns(texts: int, labels: int, seed: int, exclusive: bool) -> None:
    found = judged(texts, labels, seed, exclusive=exclusive)
    expected = np.array(
        sklearn.precision_recall_fscore_support(
            found.truth.astype(int), found.said.astype(int), average=None, zero_division=0
        )
    ).T
    rows = found.metrics(intervals=False)["labels"]
    assert [row["label"] for row in rows] == found.labels
    shown = [[row["precision"], row["recall"], row["f1"], row["count"]] for row in rows]
    np.testing.assert_allclose(shown, expected, atol=1e-12)


@given(texts=sizes, labels=st.integers(2, 5), seed=seeds, digits=st.sampled_from([None, 0, 1]), exclusive=st.booleans())
def test_the_area_under_the_curve_is_scikit_learns(
    texts: int, labels: int, seed: int, digits: int | None, exclusive: bool
) -> None:
    """Of each label against the others, their mean; also where many probabilities tie."""
    found = judged(texts, labels, seed, exclusive=exclusive, digits=digits)
    there = found.truth.any(axis=0) & ~found.truth.all(axis=0)
    assume(there.all())
    if exclusive and labels == 2:
        expected = sklearn.roc_auc_score(found.truth[:, 1], found.probabilities[:, 1])
    elif exclusive:
        expected = sklearn.roc_auc_score(
            found.truth.argmax(axis=1), found.probabilities, multi_class="ovr", average="macro"
        )
    else:
        expected = sklearn.roc_auc_score(found.truth, found.probabilities, average="macro")
    assert found.metrics(intervals=False)["roc_auc"] == pytest.approx(expected)


def test_a_label_that_no_text_has_or_all_have_is_left_out_of_the_area() -> None:
    found = judged(60, 4, 0, exclusive=False)
    found.truth[:, 2], found.truth[:, 3] = False, True
    expected = sklearn.roc_auc_score(found.truth[:, :2], found.probabilities[:, :2], average="macro")
    document = found.metrics()
    assert document["roc_auc"] == pytest.approx(expected)
    assert document["intervals"]["roc_auc"]["low"] < expected < document["intervals"]["roc_auc"]["high"]
    only = judged(20, 2, 0)
    only.truth[:] = [True, False]
    document = only.metrics()
    assert document["roc_auc"] is None
    assert "roc_auc" not in document["intervals"]


@given(texts=sizes, labels=st.integers(2, 5), seed=seeds, exclusive=st.booleans())
def test_calibration_error_is_a_plain_loop(texts: int, labels: int, seed: int, exclusive: bool) -> None:
    found = judged(texts, labels, seed, exclusive=exclusive)
    answers = []
    for likely, truth in zip(found.probabilities, found.truth, strict=True):
        if exclusive:
            best = int(np.argmax(likely))
            answers.append((float(likely[best]), float(truth[best])))
        else:
            answers += [(float(own), float(right)) for own, right in zip(likely, truth, strict=True)]
    error, shown = 0.0, []
    for number in range(BINS):
        inside = [
            own for own in answers if number <= own[0] * BINS and (own[0] * BINS < number + 1 or number == BINS - 1)
        ]
        if inside:
            sure, right = (float(np.mean([own[place] for own in inside])) for place in (0, 1))
            error += abs(sure - right) * len(inside) / len(answers)
            shown.append((sure, right, len(inside)))
    assert found.metrics(intervals=False)["calibration_error"] == pytest.approx(error, abs=1e-6)
    for own, expected in zip(found.reliability(), shown, strict=True):
        assert own == pytest.approx(expected)


def test_probabilities_at_the_ends_are_finite_and_in_a_bin() -> None:
    truth = np.array([[True, False], [False, True], [True, False]])
    sure = Judged(["a", "b"], np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]]), truth, True)
    document = sure.metrics()
    assert document["accuracy"] == pytest.approx(2 / 3)
    assert document["log_loss"] == pytest.approx((math.log(1e12) + math.log(2)) / 3, rel=1e-5)
    assert sure.reliability() == [(0.5, 1.0, 1), (1.0, 0.5, 2)]
    assert all(math.isfinite(end) for ends in document["intervals"].values() for end in ends.values())


def test_answers_that_are_all_right_and_all_wrong() -> None:
    right = judged(50, 3, 0)
    perfect = Judged(right.labels, right.truth * 0.98 + 0.02 / 3, right.truth, True).metrics()
    assert (perfect["accuracy"], perfect["macro_f1"], perfect["roc_auc"]) == (1.0, 1.0, 1.0)
    assert perfect["calibration_error"] == pytest.approx(0.02 * 2 / 3, abs=1e-6)
    turned = np.roll(right.truth, 1, axis=1) * 0.98 + 0.02 / 3
    wrong = Judged(right.labels, turned, right.truth, True).metrics()
    assert (wrong["accuracy"], wrong["macro_f1"]) == (0.0, 0.0)
    assert wrong["intervals"]["accuracy"] == {"low": 0.0, "high": 0.0}


def test_one_text_has_metrics_and_no_intervals() -> None:
    document = judged(1, 3, 0).metrics()
    assert document["count"] == 1
    assert document["accuracy"] in (0.0, 1.0)
    assert "intervals" not in document


# Intervals


@settings(max_examples=25)
@given(texts=st.integers(60, 150), labels=st.integers(2, 4), seed=seeds, exclusive=st.booleans())
def test_an_interval_contains_its_value(texts: int, labels: int, seed: int, exclusive: bool) -> None:
    document = judged(texts, labels, seed, exclusive=exclusive).metrics()
    assert document["intervals"].keys() >= set(INTERVALS)
    for name in INTERVALS:
        ends = document["intervals"][name]
        assert ends["low"] <= document[name] <= ends["high"], name


def test_the_interval_of_macro_f1_contains_its_value_where_labels_are_rare() -> None:
    """Most draws lack some labels: a label that no text of a draw has must not count as one that was missed."""
    labels = 40
    truth = np.repeat(np.eye(labels, dtype=bool), 2, axis=0)
    likely = truth * 0.9 + 0.1 / labels
    likely[0] = np.roll(likely[0], 1)
    document = Judged([str(own) for own in range(labels)], likely, truth, True).metrics()
    ends = document["intervals"]["macro_f1"]
    assert ends["low"] <= document["macro_f1"] <= ends["high"]


def test_the_interval_of_calibration_error_contains_its_value_where_that_is_small() -> None:
    """Probabilities that are exactly as often right as they say: any draw is less well calibrated than the texts."""
    likely = np.repeat([0.6, 0.7, 0.8, 0.9], 100)
    right = np.concatenate([np.arange(100) < 100 * share for share in (0.6, 0.7, 0.8, 0.9)])
    document = Judged(["a", "b"], np.stack([likely, 1 - likely], 1), np.stack([right, ~right], 1), True).metrics()
    ends = document["intervals"].get("calibration_error")
    assert ends is None or ends["low"] <= document["calibration_error"] + 1e-9 <= ends["high"]


@pytest.mark.parametrize("exclusive", [True, False])
def test_an_interval_is_that_of_a_plain_bootstrap(exclusive: bool) -> None:
    found = judged(150, 3, 4, exclusive=exclusive)
    generator = np.random.default_rng(9)
    draws: dict[str, list[float]] = {name: [] for name in INTERVALS}
    for _ in range(400):
        rows = generator.integers(0, 150, 150)
        document = Judged(found.labels, found.probabilities[rows], found.truth[rows], exclusive).metrics(
            intervals=False
        )
        for name, values in draws.items():
            values.append(document[name])
    intervals = found.metrics()["intervals"]
    for name, values in draws.items():
        ends, (low, high) = intervals[name], np.quantile(values, [0.025, 0.975])
        width = high - low
        assert ends["low"] == pytest.approx(low, abs=0.2 * width), name
        assert ends["high"] == pytest.approx(high, abs=0.2 * width), name


def test_more_texts_narrow_the_intervals() -> None:
    widths = []
    for texts in (100, 600, 3600):
        ends = judged(texts, 3, 2).metrics()["intervals"]
        widths.append({name: own["high"] - own["low"] for name, own in ends.items()})
    for small, large in pairwise(widths):
        for name, width in small.items():
            assert 1.6 < width / large[name] < 3.8, f"{name} shrinks with the root of the texts"


def test_the_same_texts_give_the_same_intervals() -> None:
    assert judged(80, 3, 1).metrics() == judged(80, 3, 1).metrics()


def test_the_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Texts of two labels whose probabilities are true: what is expected of each metric is known."""
    generator = np.random.default_rng(0)

    def drawn(texts: int) -> Judged:
        likely = generator.beta(1.5, 1.5, texts)
        second = generator.random(texts) < likely
        return Judged(["a", "b"], np.stack([1 - likely, likely], 1), np.stack([~second, second], 1), True)

    names = ("accuracy", "macro_f1", "log_loss", "roc_auc")
    truth = drawn(1_000_000).metrics(intervals=False)
    covered = dict.fromkeys(names, 0)
    for _ in range(100):
        ends = drawn(150).metrics()["intervals"]
        for name in names:
            covered[name] += ends[name]["low"] <= truth[name] <= ends[name]["high"]
    for name, count in covered.items():
        assert 0.89 <= count / 100 <= 0.99, f"{name}: {count / 100}"


# Probabilities and temperature


def scores_of(data: st.DataObject, texts: int, scores: int) -> np.ndarray:
    """Scores no two of which are so close that rounding makes them one, none of them so close to zero."""
    values = st.lists(st.integers(-400, 400).filter(bool), min_size=scores, max_size=scores, unique=True)
    return np.array([data.draw(values) for _ in range(texts)]) / 20


@given(data=st.data(), texts=st.integers(1, 8), labels=st.integers(2, 5), heat=st.floats(0.1, 20))
def test_probabilities_are_softmax_and_sigmoid(data: st.DataObject, texts: int, labels: int, heat: float) -> None:
    scores = scores_of(data, texts, labels)
    expected = torch.from_numpy(scores / heat)
    likely = probabilities(scores, heat)
    np.testing.assert_allclose(likely, expected.softmax(1).numpy(), atol=1e-12)
    np.testing.assert_allclose(likely.sum(axis=1), 1, atol=1e-12)
    several = probabilities(scores, heat, exclusive=False)
    np.testing.assert_allclose(several, expected.sigmoid().numpy(), atol=1e-12)
    alone = probabilities(scores[:, :1], heat)
    zeros = torch.zeros(texts, 1, dtype=torch.float64)
    np.testing.assert_allclose(alone, torch.cat([zeros, expected[:, :1]], 1).softmax(1).numpy(), atol=1e-12)


def test_probabilities_of_large_scores_are_finite() -> None:
    scores = np.array([[1e4, -1e4], [0.0, 1e5]])
    for likely in (probabilities(scores), probabilities(scores[:, :1]), probabilities(scores, exclusive=False)):
        assert np.isfinite(likely).all()
    assert probabilities(scores).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def simulated(kind: str, temperature: float, texts: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are too sure by a temperature, and the truth drawn from what they should have said."""
    generator = np.random.default_rng(seed)
    exclusive, columns = kind != "several", 1 if kind == "two" else 4
    honest = generator.normal(0, 2, (texts, columns))
    likely = probabilities(honest, exclusive=exclusive)
    drawn = generator.random((texts, 1 if exclusive else columns))
    if exclusive:
        truth = np.arange(likely.shape[1]) == (drawn > likely.cumsum(axis=1)).sum(axis=1)[:, None]
    else:
        truth = drawn < likely
    return honest * temperature, truth


def surprise(scores: np.ndarray, truth: np.ndarray, temperature: float, exclusive: bool) -> float:
    """The mean negative log-likelihood, computed from scores by torch."""
    heated = torch.from_numpy(scores / temperature)
    answers = torch.from_numpy(truth)
    if not exclusive:
        return torch.nn.functional.binary_cross_entropy_with_logits(heated, answers.double()).item()
    whole = torch.cat([torch.zeros_like(heated), heated], 1) if heated.shape[1] == 1 else heated
    return torch.nn.functional.cross_entropy(whole, answers.double().argmax(1)).item()


@pytest.mark.parametrize("temperature", [0.2, 1.0, 1.7, 8.0])
@pytest.mark.parametrize("kind", ["two", "one of four", "several"])
def test_a_temperature_is_recovered(kind: str, temperature: float) -> None:
    scores, truth = simulated(kind, temperature, 20_000)
    found = find_temperature(scores, truth, exclusive=kind != "several")
    assert found == pytest.approx(temperature, rel=0.05)
    # What is honest already stays as it is.
    assert find_temperature(scores / found, truth, exclusive=kind != "several") == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("kind", ["two", "one of four", "several"])
@given(temperature=st.floats(0.1, 15), texts=st.integers(5, 80), seed=seeds)
def test_no_temperature_of_a_grid_is_better(kind: str, temperature: float, texts: int, seed: int) -> None:
    scores, truth = simulated(kind, temperature, texts, seed)
    exclusive = kind != "several"
    found = find_temperature(scores, truth, exclusive=exclusive)
    assert COLDEST <= found <= HOTTEST
    grid = np.geomspace(COLDEST, HOTTEST, 60)
    best = min(surprise(scores, truth, own, exclusive) for own in grid)
    assert surprise(scores, truth, found, exclusive) <= best + 1e-7


@pytest.mark.parametrize("size", [20.0, 80.0, 200.0, 1000.0])
def test_scores_that_are_far_too_sure_get_the_hottest_temperature(size: float) -> None:
    """Right in seven of ten texts, however sure: the best temperature is above the hottest one."""
    truth = np.eye(2, dtype=bool)[(np.arange(100) < 70).astype(int)]
    scores = np.full((100, 1), size)
    assert find_temperature(scores, truth) == pytest.approx(HOTTEST, rel=1e-3)
    several = np.concatenate([-scores, scores], axis=1)
    assert find_temperature(several, truth, exclusive=False) == pytest.approx(HOTTEST, rel=1e-3)


@given(data=st.data(), texts=st.integers(2, 10), labels=st.integers(1, 4), exclusive=st.booleans())
def test_a_temperature_changes_no_answer(data: st.DataObject, texts: int, labels: int, exclusive: bool) -> None:
    scores = scores_of(data, texts, labels)
    names = [str(label) for label in range(2 if exclusive and labels == 1 else labels)]
    drawn = np.array(data.draw(st.lists(st.integers(0, len(names) - 1), min_size=texts, max_size=texts)))
    truth = np.arange(len(names)) == drawn[:, None]
    found = find_temperature(scores, truth, exclusive=exclusive)
    cold, heated = (
        Judged(names, probabilities(scores, own, exclusive=exclusive), truth, exclusive) for own in (1.0, found)
    )
    assert (heated.said == cold.said).all()


def test_calibration_makes_scores_that_are_too_sure_honest() -> None:
    scores, truth = simulated("one of four", 5.0, 4000)
    errors = [
        Judged(list("abcd"), probabilities(scores, own), truth, True).metrics(intervals=False)["calibration_error"]
        for own in (1.0, find_temperature(scores, truth))
    ]
    assert errors[0] > 0.2
    assert errors[1] < 0.03


# What moved a score


def mean_network(seed: int, ngrams: int = 1) -> TextNetwork:
    """The mean of the vectors of words, and of every second pair of them, weighted."""
    torch.manual_seed(seed)
    pairs = torch.cartesian_prod(torch.arange(2, 30), torch.arange(2, 30))[::2]
    embedding = NgramEmbedding(30, 5, ngrams, len(pairs))
    embedding.table.copy_(hashed(pairs, 2)[1][:, 1].sort().values)
    embedding.factors.uniform_(0.5, 2)
    return with_biases(TextNetwork(embedding, MeanReader(5), 3)).eval()


def filled(texts: list[list[int]], more: int = 0) -> tuple[Tensor, Tensor]:
    longest = max(map(len, texts)) + more
    tokens = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    return tokens, torch.tensor([len(text) for text in texts])


some_texts = st.lists(st.lists(st.integers(1, 29), min_size=1, max_size=12), min_size=1, max_size=5)


@given(texts=some_texts, score=st.integers(0, 2), seed=seeds)
def test_of_a_mean_a_contribution_is_what_the_score_loses_without_the_token(
    texts: list[list[int]], score: int, seed: int
) -> None:
    """Its vector is taken out of the sum: of as many tokens as before."""
    network = mean_network(seed)
    tokens, lengths = filled(texts)
    weights = torch.eye(3)[score].expand(len(texts), 3)
    found = contributions(network.embedding, network.read, tokens, lengths, weights)
    assert found.shape == tokens.shape
    whole = network(tokens, lengths)[:, score]
    for place in range(tokens.shape[1]):
        without = tokens.clone()
        without[:, place] = 0
        torch.testing.assert_close(found[:, place], whole - network(without, lengths)[:, score], atol=1e-5, rtol=0)


@given(texts=some_texts, seed=seeds, ngrams=st.integers(1, 3), data=st.data())
def test_of_a_mean_contributions_sum_to_the_score_less_the_bias(
    texts: list[list[int]], seed: int, ngrams: int, data: st.DataObject
) -> None:
    network: Any = mean_network(seed, ngrams=ngrams)
    tokens, lengths = filled(texts, more=2)
    weights = torch.tensor([[data.draw(st.floats(-2, 2)) for _ in range(3)] for _ in texts], dtype=torch.float32)
    found = contributions(network.embedding, network.read, tokens, lengths, weights)
    expected = ((network(tokens, lengths) - network.head.bias) * weights).sum(1)
    torch.testing.assert_close(found.sum(1), expected, atol=1e-5, rtol=1e-5)


def made(rung: str) -> TextNetwork:
    torch.manual_seed(0)
    section = Configuration().of_rung(RUNGS[rung].options).network
    section = section.model_copy(update={"units": (6,), "heads": 2, "feed_forward": 12})
    return with_biases(build_network(rung, TextShape(30, 3, 20, 8), section)).eval()


@pytest.mark.parametrize("rung", NETWORKS)
def test_a_contribution_is_how_fast_the_score_changes_as_the_tokens_vector_grows(rung: str) -> None:
    """For every network, against differences in double precision."""
    network = made(rung).double()
    texts = [[3, 9, 4, 17, 22, 5, 8, 28, 3], [11, 2, 7], [6]]
    tokens, lengths = filled(texts)
    weights = torch.tensor([[1.0, -0.5, 0.2]], dtype=torch.float64).expand(3, 3)
    found = contributions(network.embedding, network.read, tokens, lengths, weights)
    embedded = network.embedding(tokens).detach()
    for place in range(tokens.shape[1]):
        change = torch.zeros_like(embedded)
        change[:, place] = 1e-6 * embedded[:, place]
        with torch.no_grad():
            above, below = (network.read(embedded + sign * change, lengths) for sign in (1, -1))
        torch.testing.assert_close(found[:, place], ((above - below) * weights).sum(1) / 2e-6, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("rung", NETWORKS)
def test_padding_moves_nothing_and_a_batch_gives_what_its_texts_give(rung: str) -> None:
    network = made(rung)
    texts = [[3, 9, 4, 17, 22, 5, 8, 28, 3], [11, 2, 7], [6]]
    weights = torch.tensor([1.0, 0.0, -1.0])
    before = [weight.requires_grad for weight in network.parameters()]
    with torch.no_grad():  # as it is called where answers are given
        found = contributions(network.embedding, network.read, *filled(texts), weights.expand(3, 3))
    assert not found.requires_grad
    for row, text in enumerate(texts):
        assert not found[row, len(text) :].any()
        assert found[row, : len(text)].any()
        alone = contributions(network.embedding, network.read, *filled([text]), weights[None])
        torch.testing.assert_close(found[row, : len(text)], alone[0], atol=1e-6, rtol=0)
    assert [weight.requires_grad for weight in network.parameters()] == before
    assert all(weight.grad is None for weight in network.parameters()), "looking leaves gradients behind"
