"""Pictures at other sizes."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Size = tuple[int, int]
"""Rows and columns."""


def resized(picture: Float[Tensor, "1 colour height width"], size: Size) -> Float[Tensor, "1 colour rows columns"]:
    """A picture at another size, by cubic interpolation, each pixel of a smaller one a mean of those it stands for.

    Args:
        picture: Any; itself comes back where it has the size already.
        size: Rows and columns.
    """
    height, width = picture.shape[-2:]
    if (height, width) == size:
        return picture
    shrinks = size[0] < height or size[1] < width
    return functional.interpolate(picture, size=size, mode="bicubic", align_corners=False, antialias=shrinks)
