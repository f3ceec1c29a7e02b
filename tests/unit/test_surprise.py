"""The fused surprise: against torch's cross entropy, whatever is cut where; smoothing against its formula; dropout."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from foretell.nn import surprise
from foretell.nn.dropout import Dropout
from foretell.nn.surprise import sum_of_surprise
from foretell.training.losses import MeanSurprise, counted, mean_absolute_error


@given(st.integers(1, 40), st.integers(2, 30), st.sampled_from([0.0, 0.1, 0.5]), st.integers(1, 50))
def test_it_is_torchs_cross_entropy(places: int, tokens: int, smoothing: float, at_once: int) -> None:
    torch.manual_seed(places)
    outputs, weight = torch.randn(places, 5), torch.randn(tokens, 5)
    bias, asked = torch.randn(tokens), torch.randint(0, tokens, (places,))
    own = [part.clone().requires_grad_() for part in (outputs, weight, bias)]
    their = [part.clone().requires_grad_() for part in (outputs, weight, bias)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surprise, "PLACES", at_once)
        found = sum_of_surprise(own[0], own[1], own[2], asked, 0, smoothing)
    scores = functional.linear(their[0], their[1], their[2])
    expected = functional.cross_entropy(scores, asked, ignore_index=0, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)
    torch.autograd.backward(3 * found)
    torch.autograd.backward(3 * expected)
    for one, two in zip(own, their, strict=True):
        torch.testing.assert_close(one.grad, two.grad, atol=1e-4, rtol=1e-4)


def test_its_gradients_are_those_of_differences() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((6, 4), (9, 4), (9,))]
    asked = torch.tensor([3, 0, 8, 1, 0, 5])
    assert torch.autograd.gradcheck(lambda one, two, three: sum_of_surprise(one, two, three, asked, 0, 0.1), parts)


def test_label_smoothing_is_the_papers_formula() -> None:
    scores = torch.tensor([[2.0, 0.0, -1.0, 0.5]])
    likely = scores.softmax(1)[0]
    share, asked = 0.1, 2
    truth = [share / 4 + (1 - share) * (token == asked) for token in range(4)]
    formula = -sum(q * math.log(float(p)) for q, p in zip(truth, likely, strict=True))
    found = sum_of_surprise(scores, torch.eye(4), torch.zeros(4), torch.tensor([asked]), -1, share)
    assert found.item() == pytest.approx(formula, abs=1e-6)
    assert found.item() == pytest.approx(3.204849, abs=1e-5)  # as it was when it was written


def test_nothing_is_learned_of_padding() -> None:
    outputs = torch.randn(3, 4, requires_grad=True)
    found = sum_of_surprise(outputs, torch.randn(5, 4), torch.zeros(5), torch.tensor([1, 0, 2]), 0, 0.1)
    torch.autograd.backward(found)
    assert outputs.grad is not None
    assert outputs.grad[1].abs().max() == 0
    assert outputs.grad[0].abs().max() > 0


def test_half_numbers_are_summed_in_whole_ones() -> None:
    outputs, weight = torch.randn(7, 4), torch.randn(9, 4)
    asked = torch.randint(1, 9, (7,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = sum_of_surprise(outputs.bfloat16(), weight, torch.zeros(9), asked, 0)
    expected = sum_of_surprise(outputs.bfloat16().float(), weight, torch.zeros(9), asked, 0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_a_mean_counts_tokens() -> None:
    loss, targets = MeanSurprise(0), torch.tensor([[4, 3, 0], [5, 3, 3]])
    assert counted(loss, targets) == 5
    assert counted(mean_absolute_error, targets) == 2
    assert loss(torch.tensor(10.0), targets).item() == 2.0
    assert loss(torch.tensor(0.0), torch.zeros(1, 2, dtype=torch.int64)).item() == 0.0


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(3)
    dropout = Dropout(share)
    numbers = torch.ones(400, 501)
    left = dropout(numbers)
    assert (left == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    assert left.unique().tolist() == [0.0, pytest.approx(1 / (1 - share), rel=1e-4)]
    torch.manual_seed(3)
    torch.testing.assert_close(dropout(numbers), left)  # the seed says which
    assert not torch.equal(dropout(numbers), left)
    # Neighbours have nothing to do with each other: both are dropped as often as chance has it.
    gone = (left == 0).float()
    assert (gone[:, 1:] * gone[:, :-1]).mean().item() == pytest.approx(share**2, abs=0.006)


def test_dropout_has_the_gradient_of_what_it_keeps() -> None:
    numbers = torch.randn(50, 20, requires_grad=True)
    left = Dropout(0.4)(numbers)
    left.sum().backward()
    assert numbers.grad is not None
    torch.testing.assert_close(numbers.grad * numbers, left)


def test_dropout_leaves_all_alone_where_nothing_is_learned() -> None:
    numbers = torch.randn(5, 3)
    assert Dropout(0.4).eval()(numbers) is numbers
    assert Dropout(0.0)(numbers) is numbers
