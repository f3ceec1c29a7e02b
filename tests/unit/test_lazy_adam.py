"""Adam that leaves alone what has no gradient: equal to torch's own where both are defined, exact when it is resumed."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from foretell.training.optimisers import LazyAdam


def dense_steps(optimiser: torch.optim.Optimizer, weight: nn.Parameter, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(20):
        optimiser.zero_grad()
        weight.grad = torch.randn(weight.shape, generator=generator)
        optimiser.step()


def sparse_steps(optimiser: torch.optim.Optimizer, weight: nn.Parameter, count: int = 20, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        rows = torch.randint(0, len(weight), (1, 3), generator=generator)  # a row may come twice
        values = torch.randn(3, weight.shape[1], generator=generator)
        weight.grad = torch.sparse_coo_tensor(rows, values, weight.shape, check_invariants=True)
        optimiser.step()


def test_dense_gradients_move_weights_as_torchs_adam_does() -> None:
    ours, theirs = (nn.Parameter(torch.ones(5, 3)) for _ in range(2))
    dense_steps(LazyAdam([ours], lr=0.01), ours)
    dense_steps(torch.optim.Adam([theirs], lr=0.01), theirs)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_sparse_gradients_move_weights_as_torchs_sparse_adam_does() -> None:
    ours, theirs = (nn.Parameter(torch.ones(50, 3)) for _ in range(2))
    sparse_steps(LazyAdam([ours], lr=0.01), ours)
    sparse_steps(torch.optim.SparseAdam([theirs], lr=0.01), theirs)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_rows_without_a_gradient_stay() -> None:
    weight = nn.Parameter(torch.ones(50, 3))
    sparse_steps(LazyAdam([weight], lr=0.01), weight, count=4)
    moved = (weight != 1).any(1)
    assert 4 <= int(moved.sum()) <= 12


@pytest.mark.parametrize("after", [1, 7])
def test_its_state_is_all_that_is_needed_to_go_on(after: int) -> None:
    whole, parts = (nn.Parameter(torch.ones(20, 3)) for _ in range(2))
    first, second = LazyAdam([whole], lr=0.01), LazyAdam([parts], lr=0.01)
    sparse_steps(first, whole, after)
    sparse_steps(second, parts, after)
    again = LazyAdam([parts], lr=0.01)
    again.load_state_dict(deepcopy(second.state_dict()))
    sparse_steps(first, whole, 5, seed=1)
    sparse_steps(again, parts, 5, seed=1)
    assert torch.equal(whole, parts)
