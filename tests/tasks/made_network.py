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


class Asserting(nn.Module):
    """Reads pictures of 64 rows and columns only, and says so as timm's and torchvision's transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 8, stride=8)
        self.mixing = nn.Linear(6, 5)

    def forward(self, pixels: Tensor) -> Tensor:
        """Tokens."""
        if pixels.shape[-2:] != (64, 64):
            raise AssertionError(f"wrong image width: expected 64, got {pixels.shape[-1]}")
        value: Tensor = self.mixing(self.patches(pixels).flatten(2).transpose(1, 2))
        return value


class Sharing(nn.Module):
    """Two layers of the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
        self.colours = nn.Conv2d(3, 4, 1)
        self.second.weight, self.second.bias = self.first.weight, self.first.bias

    def forward(self, pixels: Tensor) -> Tensor:
        """What the second says."""
        value: Tensor = self.second(self.first(self.colours(pixels)))
        return value


class Breaking(nn.Module):
    """Something whose gradient is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.seeing = nn.Conv2d(3, 4, 1)
        self.breaking = nn.Identity()

    def forward(self, pixels: Tensor) -> Tensor:
        """A root at zero."""
        value: Tensor = self.breaking((self.seeing(pixels) * 0).sqrt())
        return value
