"""What becomes of a gradient before it is a step: its scales balanced, colours as in photos, noise held down.

Everything works in place, a few rows at a time where it can, as a picture may be large.
"""

import math

import torch
from torch.nn import functional

from .tensors import Pixels

# The principal axes of ImageNet's colours and the variances along them (Krizhevsky et al., "ImageNet
# Classification with Deep Convolutional Neural Networks", 2012, section 4.1: the constants of their augmentation).
_VARIANCES = (0.2175, 0.0188, 0.0045)
_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
_ROWS = 256  # at once
_LEAST = 1e-8  # energy of a band that counts, where the whole has about one


def balance(gradient: Pixels, bands: int) -> float:
    """Makes the octaves of a gradient's frequencies alike in size, and the mean size of the whole one.

    Bands are those of a pyramid (Burt and Adelson, "The Laplacian Pyramid", 1983): what halving and doubling loses is
    the finest one. Fine detail, of which gradients mostly consist, then counts no more than coarse.

    Args:
        gradient: Changed in place; zero stays zero.
        bands: How many; the last one holds all that is coarser, and one alone leaves proportions as they are.

    Returns:
        The mean size that it had.

    >>> gradient = torch.randn(1, 3, 64, 64)
    >>> size = balance(gradient, 3)
    >>> round(float(gradient.abs().mean()), 4)
    1.0
    """
    before = _size(gradient)
    if before > 0:
        gradient /= before
        if bands > 1:
            _even_out(gradient, bands, _energy(gradient))
            gradient /= _size(gradient)
    return before


def _even_out(gradient: Pixels, bands: int, energy: float) -> None:
    """Divides each band of a gradient by its size.

    With fine = gradient - doubled(coarse), what is wanted is fine / a + doubled(coarse / b), which is
    gradient / a + doubled(coarse / b - coarse / a): doubling once is enough. And as means over squares are orthogonal
    to what differs from them, the energy of the fine band is what the gradient's has more than theirs.
    """
    if bands == 1 or min(gradient.shape[-2:]) == 1:
        gradient /= math.sqrt(max(energy, _LEAST))
        return
    coarse = functional.avg_pool2d(gradient, 2, ceil_mode=True, count_include_pad=False)
    beneath = _energy(coarse)
    fine = math.sqrt(max(energy - beneath, _LEAST))
    evened = coarse.clone()
    _even_out(evened, bands - 1, beneath)
    evened.sub_(coarse, alpha=1 / fine)
    gradient /= fine
    gradient += functional.interpolate(evened, size=gradient.shape[-2:], mode="bilinear", align_corners=False)


def _size(gradient: Pixels) -> float:
    """The mean size of its numbers."""
    return float(torch.linalg.vector_norm(gradient, 1)) / gradient.numel()


def _energy(gradient: Pixels) -> float:
    """The mean of their squares."""
    return float(torch.linalg.vector_norm(gradient)) ** 2 / gradient.numel()


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
