"""Dropout whose random bits are drawn four at a time: drawing them one by one took a sixth of a training step."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

_STEPS = 1 << 16  # of a share


class Dropout(nn.Module):
    """Sets a share of numbers to zero in training, anew each time; the others grow to make up for them.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014). The share is kept to
    1/65536.

    Args:
        share: At least 0, below 1.

    >>> dropout = Dropout(0.25)
    >>> round(dropout(torch.ones(1000, 100)).mean().item(), 1), dropout.eval()(torch.ones(2)).tolist()
    (1.0, [1.0, 1.0])
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, numbers: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The numbers that are left, in training."""
        if not self.training or not self.share:
            return numbers
        if numbers.device.type != "cpu":
            return nn.functional.dropout(numbers, self.share)
        dropped = round(self.share * _STEPS)
        # 64 random bits at once are four numbers of 16.
        words = torch.empty(-(-numbers.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        drawn = words.view(torch.int16)[: numbers.numel()].view(numbers.shape)
        kept = (drawn >= dropped - _STEPS // 2).to(numbers.dtype)
        return numbers * kept.mul_(_STEPS / (_STEPS - dropped))

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"{self.share:g}"
