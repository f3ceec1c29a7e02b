"""Positions for attention: sinusoidal ones to add, rotations of queries and keys, learned ones."""

import math
from functools import lru_cache

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


def positions_until(places: int, width: int, like: Tensor) -> Float[Tensor, "place unit"]:
    """The sinusoidal positions of so many places, as another tensor's kind; worked out once for many.

    Args:
        places: How many.
        width: Numbers of each.
        like: Says on which device, and in how many bits.
    """
    return _table(1 << max(6, (places - 1).bit_length()), width, like.device, like.dtype)[:places]


@lru_cache(maxsize=16)
def _table(places: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # so that training may read what was made while predicting
        return sinusoidal_positions(places, width).to(device, dtype)


Rotation = tuple[Tensor, Tensor]
"""The cosines and sines of angles, one for each place and pair of numbers."""


def rotation(places: Int64[Tensor, "batch place"], width: int, dtype: torch.dtype = torch.float32) -> Rotation:
    """By how much vectors at some places are turned, pair by pair of their numbers.

    Args:
        places: Where they stand.
        width: Numbers of a vector, an even number.
        dtype: Of the vectors.
    """
    half = width // 2
    speeds = WAVELENGTH ** (-torch.arange(half, dtype=torch.float64) / half)
    # In 64 bits, as places may be large; on the processor, as not every device has so many.
    angles = places.cpu()[:, None, :, None] * speeds
    return angles.cos().to(places.device, dtype), angles.sin().to(places.device, dtype)


def rotated(vectors: Float[Tensor, "batch head place own"], by: Rotation) -> Float[Tensor, "batch head place own"]:
    """Vectors turned by angles that grow with their place, so that products depend on distances alone.

    Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding" (2021): the numbers of a vector, in pairs
    (first half, second half), are points of planes, each of which turns at a speed of its own.

    Args:
        vectors: Queries or keys, of an even width.
        by: As :func:`rotation` gives it for their places.

    >>> query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    >>> def product(one, other):
    ...     turned = [rotated(own, rotation(torch.tensor([[at]]), 8)) for own, at in ((query, one), (key, other))]
    ...     return (turned[0] * turned[1]).sum()
    >>> torch.testing.assert_close(product(7, 3), product(1004, 1000), atol=1e-5, rtol=1e-4)
    """
    cos, sin = (part.to(vectors.dtype) for part in by)
    first, second = vectors.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
