"""The optimisers by name. RMSprop is Keras's: its ε stands under the root, which torch's does not do.

Tieleman and Hinton, "Lecture 6.5: RMSprop" (2012).
"""

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor, nn

from ..config import TrainingSection


class RMSprop(torch.optim.Optimizer):
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
        return loss


def make_optimiser(section: TrainingSection, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """The optimiser that the options name.

    Args:
        section: Which, and its weight decay.
        parameters: What is learned.
        rate: The learning rate.
    """
    if section.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=section.weight_decay)
    return RMSprop(parameters, lr=rate)
