"""The loss of classifiers: torch's own cross entropies, with weights of labels and smoothing."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from foretell.training.losses import LOSSES, class_loss

from .made_layers import one_thread_of_torchs  # noqa: F401 (for every test here)

seeds = st.integers(0, 2**31)
sizes = st.integers(1, 12)
shares = st.sampled_from([0.0, 0.1, 0.5])


def made(texts: int, labels: int, seed: int) -> tuple[Tensor, Tensor, list[float]]:
    """Scores, the number of each text's label, and a weight of each label."""
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(texts, labels, generator=generator, dtype=torch.float64)
    targets = torch.randint(labels, (texts,), generator=generator)
    return scores, targets, (0.2 + 3 * torch.rand(labels, generator=generator)).tolist()


def several(texts: int, labels: int, seed: int) -> Tensor:
    """A one for each label that a text has."""
    return torch.randint(2, (texts, labels), generator=torch.Generator().manual_seed(seed + 1)).to(torch.uint8)


def with_gradient(loss: Any, scores: Tensor, targets: Tensor) -> tuple[float, Tensor]:
    own = scores.clone().requires_grad_()
    value = loss(own, targets)
    assert value.shape == ()
    return value.item(), torch.autograd.grad(value, own)[0]


def assert_same(loss: Any, expected: Any, scores: Tensor, targets: Tensor) -> None:
    """The same value and the same gradient."""
    found, wanted = with_gradient(loss, scores, targets), with_gradient(expected, scores, targets)
    assert found[0] == pytest.approx(wanted[0], rel=1e-6, abs=1e-12)
    torch.testing.assert_close(found[1], wanted[1], rtol=1e-6, atol=1e-9)


@settings(max_examples=30)
@given(texts=sizes, labels=st.integers(3, 7), smoothing=shares, seed=seeds)
def test_of_more_than_two_labels_it_is_torchs_cross_entropy(
    texts: int, labels: int, smoothing: float, seed: int
) -> None:
    scores, targets, _ = made(texts, labels, seed)

    def expected(outputs: Tensor, answers: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, answers, label_smoothing=smoothing)

    assert_same(class_loss(labels, exclusive=True, smoothing=smoothing), expected, scores, targets)
    if not smoothing:
        assert_same(class_loss(labels, exclusive=True), LOSSES["cross-entropy"], scores, targets)


@settings(max_examples=30)
@given(texts=sizes, labels=st.integers(3, 7), smoothing=shares, seed=seeds)
def test_a_weight_multiplies_the_surprise_at_each_example_of_a_label(
    texts: int, labels: int, smoothing: float, seed: int
) -> None:
    """Divided by the examples, as without weights, rather than by their weights: so a batch of rare ones counts more."""
    scores, targets, weights = made(texts, labels, seed)
    found = class_loss(labels, exclusive=True, weights=weights, smoothing=smoothing)

    def expected(outputs: Tensor, answers: Tensor) -> Tensor:
        each = [
            weights[int(answer)] * functional.cross_entropy(row[None], answer[None], label_smoothing=smoothing)
            for row, answer in zip(outputs, answers, strict=True)
        ]
        return torch.stack(each).sum() / texts

    assert_same(found, expected, scores, targets)
    if not smoothing:
        summed = functional.cross_entropy(scores, targets, torch.tensor(weights, dtype=torch.float64), reduction="sum")
        assert found(scores, targets).item() == pytest.approx(summed.item() / texts, rel=1e-6)


@settings(max_examples=30)
@given(texts=sizes, smoothing=shares, weighted=st.booleans(), seed=seeds)
def test_one_score_of_two_labels_is_softmax_over_zero_and_it(
    texts: int, smoothing: float, weighted: bool, seed: int
) -> None:
    scores, targets, weights = made(texts, 2, seed)
    loss = class_loss(2, exclusive=True, weights=weights if weighted else None, smoothing=smoothing)
    counts = torch.tensor(weights if weighted else [1.0, 1.0], dtype=torch.float64)

    def expected(outputs: Tensor, answers: Tensor) -> Tensor:
        both = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
        each = functional.cross_entropy(both, answers, reduction="none", label_smoothing=smoothing)
        return (each * counts[answers]).mean()

    assert_same(loss, expected, scores[:, :1], targets)


@settings(max_examples=30)
@given(texts=sizes, seed=seeds)
def test_one_score_of_two_labels_is_torchs_binary_cross_entropy(texts: int, seed: int) -> None:
    scores, targets, _ = made(texts, 2, seed)

    def expected(outputs: Tensor, answers: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], answers.double())

    assert_same(class_loss(2, exclusive=True), expected, scores[:, :1], targets)


@settings(max_examples=30)
@given(texts=sizes, labels=st.integers(1, 6), smoothing=shares, seed=seeds)
def test_of_several_labels_a_text_it_is_torchs_binary_cross_entropy(
    texts: int, labels: int, smoothing: float, seed: int
) -> None:
    scores, targets = made(texts, labels, seed)[0], several(texts, labels, seed)

    def expected(outputs: Tensor, answers: Tensor) -> Tensor:
        smooth = answers.double() * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs, smooth)

    assert_same(class_loss(labels, exclusive=False, smoothing=smoothing), expected, scores, targets)


@settings(max_examples=30)
@given(texts=sizes, labels=st.integers(1, 6), seed=seeds)
def test_a_weight_of_several_labels_is_torchs_weight_of_what_is_there(texts: int, labels: int, seed: int) -> None:
    (scores, _, weights), targets = made(texts, labels, seed), several(texts, labels, seed)
    own = torch.tensor(weights, dtype=torch.float64)

    def expected(outputs: Tensor, answers: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs, answers.double(), pos_weight=own)

    assert_same(class_loss(labels, exclusive=False, weights=weights), expected, scores, targets)


@pytest.mark.parametrize(("labels", "exclusive"), [(2, True), (4, True), (1, False), (3, False)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weights_of_one_are_none(labels: int, exclusive: bool, smoothing: float) -> None:
    scores, targets, _ = made(9, labels, 0)
    if labels == 2:
        scores = scores[:, :1]
    targets = targets if exclusive else several(9, labels, 0)
    plain, weighted = (
        class_loss(labels, exclusive=exclusive, weights=weights, smoothing=smoothing)
        for weights in (None, [1.0] * labels)
    )
    assert weighted(scores, targets).item() == plain(scores, targets).item()


def test_weights_that_balance_make_rare_labels_count_as_much() -> None:
    """As --class-weight balanced has them: 1 / (labels · share), so that a batch of all texts keeps its scale."""
    targets = torch.tensor([0] * 90 + [1] * 9 + [2])
    weights = [100 / (3 * count) for count in (90, 9, 1)]
    loss = class_loss(3, exclusive=True, weights=weights)
    scores = torch.zeros(100, 3, requires_grad=True)
    value = loss(scores, targets)
    assert value.item() == pytest.approx(math.log(3))
    (gradient,) = torch.autograd.grad(value, scores)
    torch.testing.assert_close(gradient.sum(0), torch.zeros(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("smoothing", [0.1, 0.4])
def test_smoothing_is_least_where_probabilities_are_as_sure_as_it_leaves_them(smoothing: float) -> None:
    share = 1 - smoothing / 2
    best = torch.tensor([[math.log(share / (1 - share))]], requires_grad=True)
    value = class_loss(2, exclusive=True, smoothing=smoothing)(best, torch.tensor([1]))
    assert torch.autograd.grad(value, best)[0].item() == pytest.approx(0, abs=1e-6)


def test_scores_that_are_far_too_sure_have_a_finite_loss() -> None:
    for loss, scores, targets in (
        (class_loss(2, exclusive=True), torch.tensor([[500.0], [-500.0]]), torch.tensor([0, 1])),
        (class_loss(3, exclusive=True), torch.tensor([[500.0, 0.0, -500.0]]), torch.tensor([2])),
        (class_loss(2, exclusive=False), torch.tensor([[500.0, -500.0]]), torch.tensor([[0, 1]], dtype=torch.uint8)),
    ):
        value = loss(scores, targets).item()
        assert value in (500.0, 1000.0)


def test_weights_follow_the_precision_of_the_scores() -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        scores = torch.randn(5, 3).to(dtype)
        value = class_loss(3, exclusive=True, weights=[1.0, 2.0, 3.0])(scores, torch.tensor([0, 1, 2, 0, 1]))
        assert value.dtype == dtype
        assert value.isfinite()
