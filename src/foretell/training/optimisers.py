"""The optimisers by name. RMSprop is Keras's: its ε stands under the root, which torch's does not do. Adam is lazy.

Tieleman and Hinton, "Lecture 6.5: RMSprop" (2012).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

from ..config import TrainingSection


class Mover(torch.optim.Optimizer):
    """An optimiser that says how it moves a group of parameters."""

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Moves every parameter against its gradient; returns what the closure, if there is one, computes before."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self.move(group)
        return loss

    def move(self, group: dict[str, Any]) -> None:
        """Moves a group of parameters against their gradients."""
        raise NotImplementedError


class RMSprop(Mover):
    """w ← w - rate · g / √(v + ε) with v ← ρ v + (1-ρ) g², as in Keras.

    Args:
        parameters: What is learned.
        lr: Learning rate.
        rho: Decay ρ of the running mean of squares.
        epsilon: ε, under the root.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float = 1e-3, rho: float = 0.9, epsilon: float = 1e-7
    ) -> None:
        super().__init__(parameters, {"lr": lr, "rho": rho, "epsilon": epsilon})

    def move(self, group: dict[str, Any]) -> None:
        """Moves a group of parameters."""
        weights = [weight for weight in group["params"] if weight.grad is not None]
        gradients: list[Tensor] = [weight.grad for weight in weights]
        squares: list[Tensor] = []
        for weight in weights:
            state = self.state[weight]
            if not state:
                state["square"] = torch.zeros_like(weight)
            squares.append(state["square"])
        torch._foreach_mul_(squares, group["rho"])
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - group["rho"])
        roots = torch._foreach_add(squares, group["epsilon"])
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(weights, gradients, roots, value=-group["lr"])


class LazyAdam(Mover):
    """Adam that leaves alone what has no gradient: of a sparse gradient only the rows that it names.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015); of a vocabulary few words are in a batch, and
    the others' running means stay as they are.

    Args:
        parameters: What is learned.
        lr: Learning rate.
        betas: Decay of the running means of gradients and of their squares.
        epsilon: Added to the root.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "epsilon": epsilon})

    def move(self, group: dict[str, Any]) -> None:
        """Moves a group of parameters."""
        for weight in group["params"]:
            if weight.grad is not None:
                self._move(weight, weight.grad, group)

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[weight], group["betas"]
        if not state:
            state["steps"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
        state["steps"] += 1
        steps = float(state["steps"])
        rate = group["lr"] * math.sqrt(1 - second**steps) / (1 - first**steps)
        if not gradient.is_sparse:
            state["mean"].lerp_(gradient, 1 - first)
            state["square"].lerp_(gradient.square(), 1 - second)
            weight.addcdiv_(state["mean"], state["square"].sqrt().add_(group["epsilon"]), value=-rate)
            return
        gradient = gradient.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
        mean = state["mean"][rows].lerp_(values, 1 - first)
        square = state["square"][rows].lerp_(values.square(), 1 - second)
        state["mean"][rows], state["square"][rows] = mean, square
        weight.index_add_(0, rows, mean / square.sqrt().add_(group["epsilon"]), alpha=-rate)


def kept_by(optimiser: torch.optim.Optimizer) -> set[str]:
    """What an optimiser keeps of each weight, by name."""
    if isinstance(optimiser, RMSprop):
        return {"square"}
    return {"steps", "mean", "square"} if isinstance(optimiser, LazyAdam) else {"step", "exp_avg", "exp_avg_sq"}


def make_optimiser(section: TrainingSection, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """The optimiser that the options name.

    Args:
        section: Which, and its weight decay.
        parameters: What is learned.
        rate: The learning rate.
    """
    if section.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=section.weight_decay)
    if section.optimiser == "adam":  # Vaswani et al. 2017, section 5.3
        return torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.98), eps=1e-9, fused=True)
    if section.optimiser == "lazy-adam":
        return LazyAdam(parameters, lr=rate)
    return RMSprop(parameters, lr=rate)
