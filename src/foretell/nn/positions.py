"""Positions for attention: sinusoidal ones to add, rotations of queries and keys, learned ones."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

WAVELENGTH = 10_000.0  # the longest, in places, over 2π


def sinusoidal_positions(places: int, width: int) -> Float[Tensor, "place unit"]:
    """sin and cos of each place at wavelengths from 2π to 10000·2π (Vaswani et al. 2017, section 3.5).

    Args:
        places: How many.
        width: Numbers of each.

    >>> sinusoidal_positions(3, 4)[0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    angles = torch.arange(places)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(WAVELENGTH) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


def rotated(
    vectors: Float[Tensor, "batch head place own"], places: Int64[Tensor, "batch place"]
) -> Float[Tensor, "batch head place own"]:
    """Vectors turned by angles that grow with their place, so that products depend on distances alone.

    Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding" (2021): the numbers of a vector, in pairs
    (first half, second half), are points of planes, each of which turns at a speed of its own.

    Args:
        vectors: Queries or keys, of an even width.
        places: Where each stands.

    >>> query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    >>> def product(one, other):
    ...     return (rotated(query, torch.tensor([[one]])) * rotated(key, torch.tensor([[other]]))).sum()
    >>> torch.testing.assert_close(product(7, 3), product(1004, 1000), atol=1e-5, rtol=1e-4)
    """
    half = vectors.shape[-1] // 2
    speeds = WAVELENGTH ** (-torch.arange(half, dtype=torch.float64, device=vectors.device) / half)
    angles = places[:, None, :, None] * speeds  # in 64 bits: places may be large
    cos, sin = angles.cos().to(vectors), angles.sin().to(vectors)
    first, second = vectors[..., :half], vectors[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
