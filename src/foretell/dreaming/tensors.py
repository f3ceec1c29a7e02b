"""Pictures as tensors, and back."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..axes import PixelArray
from ..data.pictures import Picture

Pixels = Float[Tensor, "1 colour height width"]
"""A picture as a batch of one, from black (0) to white (1)."""


def tensor_of(picture: Picture, device: str = "cpu") -> Pixels:
    """A picture as a batch of one, colour by colour in memory, which is what interpolating is fastest with.

    Args:
        picture: The picture.
        device: Where it goes.
    """
    return torch.from_numpy(picture.pixels).permute(2, 0, 1)[None].to(device).contiguous()


def pixels_of(tensor: Pixels) -> PixelArray:
    """The pixels of a batch of one.

    Args:
        tensor: Between 0 and 1.
    """
    found: np.ndarray = tensor[0].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(found)
