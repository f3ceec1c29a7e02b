"""The likeliest tokens of rows of scores: the kernel against torch, with many that are alike and some that never count."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foretell.nn.kernels.likeliest import likeliest as kernel
from foretell.nn.likeliest import by_torch, likeliest


def by_kernel(scores: Tensor, count: int, never: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    rows, known = scores.shape
    found, tokens = np.empty((rows, count), np.float32), np.empty((rows, count), np.int64)
    whole = np.empty((rows, 1), np.float32)
    kernel(scores.numpy().reshape(-1), known, np.array(never, np.int64), 0, rows, found, tokens, whole)
    return torch.from_numpy(found - whole), torch.from_numpy(tokens)


@settings(deadline=None)
@given(
    known=st.integers(4, 300),
    count=st.integers(1, 12),
    kinds=st.sampled_from([2, 5, 1000]),
    never=st.sets(st.integers(0, 3), max_size=3),
    seed=st.integers(0, 100),
)
def test_the_kernel_finds_what_torch_finds(known: int, count: int, kinds: int, never: set[int], seed: int) -> None:
    count = min(count, known - len(never))
    scores = torch.randint(0, kinds, (3, known), generator=torch.Generator().manual_seed(seed)).float() / kinds * 9
    found, tokens = by_kernel(scores, count, tuple(never))
    wanted, theirs = by_torch(scores.clone(), count, tuple(never))
    assert torch.equal(tokens, theirs)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("count", [1, 10])
def test_few_scores_and_many_give_the_same(rows: int, count: int) -> None:
    scores = 3 * torch.randn(rows, 7790, generator=torch.Generator().manual_seed(rows))
    with torch.inference_mode():
        found, tokens = likeliest(scores.clone(), count, (0, 2))
    wanted, theirs = by_torch(scores.clone(), count, (0, 2))
    assert torch.equal(tokens, theirs)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    exact = scores.double().log_softmax(1).gather(1, tokens)
    torch.testing.assert_close(found.double(), exact, atol=1e-5, rtol=0)


def test_far_scores_lose_nothing() -> None:
    scores = torch.full((2, 70_000), -1e4)
    scores[:, 17], scores[:, 69_999] = 5.0, 4.0
    with torch.inference_mode():
        found, tokens = likeliest(scores, 2)
    assert tokens.tolist() == [[17, 69_999]] * 2
    torch.testing.assert_close(found, torch.tensor([[5.0, 4.0]] * 2).log_softmax(1), atol=1e-6, rtol=0)
