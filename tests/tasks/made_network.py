"""A small network as a user's own, for ``--model tests.tasks.made_network:network``."""

import torch
from torch import Tensor, nn


def network() -> nn.Module:
    """Three strided convolutions, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.ReLU()
        )


class Choosing(nn.Module):
    """A layer from which no gradient comes."""

    def __init__(self) -> None:
        super().__init__()
        self.seeing = nn.Conv2d(3, 4, 3)
        self.choice = nn.Identity()

    def forward(self, pixels: Tensor) -> Tensor:
        """What is seen."""
        value: Tensor = self.seeing(pixels)
        self.choice(value.argmax(dim=1).float())
        return value


def failing() -> nn.Module:
    """Something that cannot be made."""
    raise RuntimeError("there is no such device")


number = 3


def of_numbers() -> int:
    """No network."""
    return 3
