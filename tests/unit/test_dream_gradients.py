"""What becomes of a gradient: balanced bands, colours as in photos, noise held down."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foretell.dreaming.gradients import balance, decorrelate, hold_down


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 7), st.integers(0, 1000))
def test_a_balanced_gradient_has_a_mean_size_of_one_and_zero_stays_zero(
    height: int, width: int, bands: int, seed: int
) -> None:
    gradient = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 1e-7
    balance(gradient, bands)
    assert float(gradient.abs().mean()) == pytest.approx(1, rel=1e-4)
    nothing = torch.zeros(1, 3, height, width)
    balance(nothing, bands)
    assert not nothing.any()


def test_one_band_keeps_the_direction_exactly() -> None:
    gradient = torch.randn(1, 3, 30, 40)
    balanced = gradient.clone()
    balance(balanced, 1)
    torch.testing.assert_close(balanced, gradient / gradient.abs().mean())


def test_bands_bring_faint_coarse_waves_up_beside_loud_fine_ones() -> None:
    across = torch.arange(128) * 2 * torch.pi
    coarse, fine = (across / 64).sin(), (across / 3).sin()
    gradient = (0.01 * coarse + fine).expand(1, 3, 128, 128).clone()

    def size(wave: Tensor) -> float:
        return float((gradient * wave).mean() / (wave * wave).mean())

    before = size(coarse) / size(fine)
    balance(gradient, 5)
    assert size(coarse) / size(fine) > 8 * before
    assert size(fine) > 0  # what points up still does


def test_every_band_keeps_its_direction() -> None:
    """Whatever is balanced still climbs: its product with the gradient is above zero."""
    gradient = torch.randn(1, 3, 64, 64).cumsum(2).cumsum(3)
    balanced = gradient.clone()
    balance(balanced, 4)
    assert float((gradient * balanced).sum()) > 0


def test_decorrelated_steps_are_the_covariance_of_colours_times_the_gradient() -> None:
    variances = torch.tensor([0.2175, 0.0188, 0.0045])
    axes = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    covariance = sum((variances[i] * torch.outer(axes[:, i], axes[:, i]) for i in range(3)), torch.zeros(3, 3))
    gradient = torch.randn(1, 3, 300, 7)
    expected = (covariance / covariance.trace() * 3) @ gradient[0].flatten(1)
    changed = gradient.clone()
    decorrelate(changed)
    torch.testing.assert_close(changed[0].flatten(1), expected, rtol=1e-4, atol=1e-5)
    assert float((gradient * changed).sum()) > 0
    grey, red = torch.ones(1, 3, 1, 1), torch.tensor([1.0, -0.5, -0.5]).view(1, 3, 1, 1)
    sizes = []
    for colour in (grey, red):
        step = colour.clone()
        decorrelate(step)
        sizes.append(float(step.norm() / colour.norm()))
    assert sizes[0] > 5 * sizes[1]  # photos differ far more in brightness than in hue


@pytest.mark.parametrize("height", [2, 40, 255, 256, 257, 600])
def test_holding_down_takes_the_slope_of_the_total_variation_away(height: int) -> None:
    picture = torch.rand(1, 3, height, 9, requires_grad=True)
    down = torch.zeros_like(picture)
    across = torch.zeros_like(picture)
    down = torch.cat([picture[:, :, 1:] - picture[:, :, :-1], down[:, :, :1]], 2)
    across = torch.cat([picture[..., 1:] - picture[..., :-1], across[..., :1]], 3)
    (slope,) = torch.autograd.grad((down.square() + across.square() + 1e-6).sqrt().sum(), picture)
    gradient = torch.randn(1, 3, height, 9)
    held = gradient.clone()
    hold_down(held, picture.detach(), 0.3)
    torch.testing.assert_close(held, gradient - 0.3 * slope, rtol=1e-4, atol=1e-4)
