"""Pictures and small networks for the tests of dreams."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn


def made_picture(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """Waves of all lengths and a grain of single pixels: every frequency is there."""
    generator = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width] / 64
    pixels = np.full((height, width, 3), 0.5)
    for frequency in (0.5, 1, 2, 4, 8, 16):
        angle, phase = generator.uniform(0, np.pi, (2, 3))
        turned = down[..., None] * np.sin(angle) + across[..., None] * np.cos(angle)
        pixels += 0.12 * np.sin(2 * np.pi * frequency * turned + phase)
    pixels += generator.normal(0, 0.03, pixels.shape)
    return pixels.clip(0, 1).astype(np.float32)


def tensor(pixels: np.ndarray) -> Tensor:
    """A picture as a batch of one."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def small_network(seed: int = 0, padding: Literal["zeros", "circular"] = "zeros") -> nn.Sequential:
    """Two convolutions: a place of the last layer sees nine pixels each way."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 5, padding=2, padding_mode=padding),
            nn.ReLU(),
            nn.Conv2d(8, 6, 5, padding=2, padding_mode=padding),
        )


def deep_network(seed: int = 0) -> nn.Sequential:
    """Four strided convolutions: an upper layer sees far and coarsely."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts: list[nn.Module] = []
        for given, made in ((3, 8), (8, 12), (12, 16)):
            parts += [nn.Conv2d(given, made, 3, stride=2, padding=1), nn.ReLU()]
        return nn.Sequential(*parts)
