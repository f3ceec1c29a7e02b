"""What becomes of a gradient before it is a step: its scales balanced, colours as in photos, noise held down.

Everything works in place, a few rows at a time where it can, as a picture may be large.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Pixels = Float[Tensor, "1 colour height width"]

# The principal axes of ImageNet's colours and the variances along them (Krizhevsky et al., "ImageNet
# Classification with Deep Convolutional Neural Networks", 2012, section 4.1: the constants of their augmentation).
_VARIANCES = (0.2175, 0.0188, 0.0045)
_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
_ROWS = 256  # at once


def balance(gradient: Pixels, bands: int) -> None:
    """Divides a gradient by its mean size; with several bands first each octave of its frequencies by that octave's.

    Bands are those of a pyramid (Burt and Adelson, "The Laplacian Pyramid", 1983): what halving and doubling a
    picture loses is the finest one. Fine detail, of which gradients mostly consist, then counts no more than coarse.

    Args:
        gradient: Changed in place; zero stays zero.
        bands: How many; the last one holds all that is coarser.

    >>> gradient = torch.randn(1, 3, 64, 64); balance(gradient, 3)
    >>> round(float(gradient.abs().mean()), 4)
    1.0
    """
    if bands > 1 and min(gradient.shape[-2:]) > 1:
        coarse = functional.avg_pool2d(gradient, 2, ceil_mode=True, count_include_pad=False)
        gradient -= _doubled(coarse, gradient)
        balance(coarse, bands - 1)
        _divide(gradient)
        gradient += _doubled(coarse, gradient)
    _divide(gradient)


def _doubled(coarse: Float[Tensor, "1 colour row column"], like: Pixels) -> Pixels:
    return functional.interpolate(coarse, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _divide(gradient: Pixels) -> None:
    size = float(torch.linalg.vector_norm(gradient, 1)) / gradient.numel()
    if size > 0:
        gradient /= size


def decorrelate(gradient: Pixels) -> None:
    """Turns a gradient by pixels into a step that changes colours as far, and in such company, as photos do.

    A step in coordinates in which colours are independent (Olah et al., "Feature Visualization", 2017, on
    preconditioning) is, seen from the pixels, a step along the covariance of colours times the gradient.

    Args:
        gradient: Of three colours; changed in place.
    """
    axes = torch.tensor(_AXES, device=gradient.device)
    covariance = axes @ torch.diag(torch.tensor(_VARIANCES, device=gradient.device)) @ axes.T
    covariance /= covariance.trace() / 3
    for top in range(0, gradient.shape[2], _ROWS):
        rows = gradient[:, :, top : top + _ROWS]
        rows.copy_(torch.einsum("ij,bjhw->bihw", covariance, rows))


def hold_down(gradient: Pixels, picture: Pixels, weight: float) -> None:
    """Takes the slope of a picture's total variation away from a gradient: noise shrinks, edges stay.

    Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms" (1992).

    Args:
        gradient: Changed in place.
        picture: Of which it is.
        weight: How much; the slope is of the size of one where there is noise.
    """
    height = picture.shape[2]
    for top in range(0, height, _ROWS):
        above, below = max(0, top - 1), min(height, top + _ROWS + 1)
        slope = _variation_slope(picture[:, :, above:below])
        count = min(_ROWS, height - top)
        gradient[:, :, top : top + count] -= weight * slope[:, :, top - above : top - above + count]


def _variation_slope(rows: Pixels) -> Pixels:
    """The gradient of the sum of lengths of differences; rows at the edge of a band belong to the next one."""
    down, across = torch.zeros_like(rows), torch.zeros_like(rows)
    down[:, :, :-1] = rows[:, :, 1:] - rows[:, :, :-1]
    across[..., :-1] = rows[..., 1:] - rows[..., :-1]
    length = (down * down + across * across + 1e-6).sqrt_()
    down /= length
    across /= length
    slope = -(down + across)
    slope[:, :, 1:] += down[:, :, :-1]
    slope[..., 1:] += across[..., :-1]
    return slope
