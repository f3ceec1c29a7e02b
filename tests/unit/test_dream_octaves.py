"""Dreams over several scales: what they give back, what they leave alone, and that they climb."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from foretell.dreaming import Ascent, Backbone, Objective, Watcher, channel, dream_up, layer, octave_sizes, resized
from foretell.dreaming.ascent import ascend
from foretell.errors import DivergedError, RunError

from .made_pictures import deep_network, made_picture, small_network, tensor

PLAIN = ((0.5,) * 3, (0.5,) * 3)
PICTURE = tensor(made_picture())
SIZES = octave_sizes((96, 128), 3, 1.4, 32)


def backbone() -> Backbone:
    return Backbone(deep_network(), *PLAIN)


def fine_detail(picture: Tensor) -> float:
    """How much of a picture is finer than two pixels."""
    return float((picture - resized(resized(picture, (48, 64)), (96, 128))).square().mean())


@settings(max_examples=25)
@given(st.integers(32, 150), st.integers(32, 150), st.integers(1, 6), st.floats(1.1, 2.5), st.integers(0, 100))
def test_without_steps_what_is_lost_is_given_back_exactly(
    height: int, width: int, octaves: int, scale: float, seed: int
) -> None:
    """The slides' trick: scaled up, plus what scaling up lost, is the picture itself at every scale."""
    picture = tensor(made_picture(height, width, seed))
    sizes = octave_sizes((height, width), octaves, scale, 16)
    seen: list[Tensor] = []
    watcher = Watcher(octave=lambda number, count, own: seen.append(own.clone()))
    found, _ = dream_up(picture, sizes, backbone(), layer("0"), Ascent(steps=0), watcher=watcher)
    torch.testing.assert_close(found, picture, atol=1e-5, rtol=0)
    for size, own in zip(sizes, seen, strict=True):
        torch.testing.assert_close(own, resized(picture, size), atol=1e-5, rtol=0)


def test_without_giving_back_fine_detail_is_lost() -> None:
    how = Ascent(steps=2, rate=0.002)
    kept, lost = (
        dream_up(PICTURE, SIZES, backbone(), layer("4"), how, reinject=reinject)[0] for reinject in (True, False)
    )
    assert fine_detail(lost) < 0.6 * fine_detail(PICTURE)
    assert fine_detail(kept) > 0.9 * fine_detail(PICTURE)
    plain, blurred = (
        dream_up(PICTURE, SIZES, backbone(), layer("4"), Ascent(steps=0), reinject=reinject)[0]
        for reinject in (True, False)
    )
    assert float((blurred - PICTURE).abs().mean()) > 100 * float((plain - PICTURE).abs().mean())


@pytest.mark.parametrize(
    "objective", [layer("0"), layer("4"), layer("2") + 0.5 * layer("4"), channel("4", 3), layer("4") - 0.2 * layer("0")]
)
def test_the_objective_rises_in_every_octave(objective: Objective) -> None:
    for bands in (1, 4):
        _, octaves = dream_up(
            PICTURE, SIZES, backbone(), objective, Ascent(steps=12, rate=0.005, bands=bands, roll=False)
        )
        assert [len(octave.losses) for octave in octaves] == [12, 12, 12]
        for octave in octaves:
            assert np.mean(octave.losses[-3:]) > np.mean(octave.losses[:3])
            assert octave.losses[-1] > octave.losses[0]


def test_steps_in_the_direction_of_the_slope_alone_rise_each_time() -> None:
    picture = PICTURE.clone()
    how = Ascent(steps=15, rate=5e-4, bands=1, roll=False)
    losses = ascend(picture, backbone(), layer("4"), how, torch.Generator())
    assert all(after > before for before, after in pairwise(losses))


def test_the_same_seed_gives_the_same_bytes_and_another_others() -> None:
    one, same, other = (
        dream_up(PICTURE, SIZES, backbone(), layer("4"), Ascent(steps=3), seed=seed)[0] for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    before = torch.get_rng_state()
    dream_up(PICTURE, SIZES[-1:], backbone(), layer("4"), Ascent(steps=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_original_stays_and_the_dream_stays_between_black_and_white() -> None:
    before = PICTURE.clone()
    for sizes in (SIZES, SIZES[-1:]):
        found, _ = dream_up(PICTURE, sizes, backbone(), layer("4"), Ascent(steps=4, rate=0.3))
        assert torch.equal(before, PICTURE)
        assert 0 <= float(found.min()) <= float(found.max()) <= 1


def test_a_mask_leaves_what_is_black_alone() -> None:
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., 64:] = 1
    found, _ = dream_up(PICTURE, SIZES, backbone(), layer("4"), Ascent(steps=6), mask=mask)
    change = (found - PICTURE).abs().mean(dim=1)[0]
    assert float(change[:, :60].max()) < 1e-5
    assert float(change[:, 72:].mean()) > 0.01


def test_an_octave_ends_where_the_loss_is_high_enough() -> None:
    _, free = dream_up(PICTURE, SIZES[-1:], backbone(), layer("4"), Ascent(steps=10, roll=False))
    middle = sorted(free[-1].losses)[5]
    _, held = dream_up(PICTURE, SIZES[-1:], backbone(), layer("4"), Ascent(steps=10, roll=False, max_loss=middle))
    assert len(held[0].losses) < 10
    assert held[0].losses[-1] > middle
    assert all(loss <= middle for loss in held[0].losses[:-1])


def test_total_variation_makes_a_dream_smoother() -> None:
    rough, smooth = (
        dream_up(PICTURE, SIZES, backbone(), layer("0"), Ascent(steps=6, total_variation=weight))[0]
        for weight in (0.0, 0.5)
    )
    assert fine_detail(smooth) < 0.8 * fine_detail(rough)


def test_decorrelated_dreams_are_less_garish() -> None:
    def garish(picture: Tensor) -> float:
        return float((picture - picture.mean(dim=1, keepdim=True)).abs().mean())

    grey = torch.full((1, 3, 64, 64), 0.5) + 0.02 * PICTURE[..., :64, :64]
    plain, calm = (
        dream_up(grey, [(64, 64)], backbone(), layer("4"), Ascent(steps=6, decorrelate=own))[0] for own in (False, True)
    )
    assert garish(calm) < 0.7 * garish(plain)


class Sleeping(nn.Module):
    """A unit that hears only what is brighter than grey by some."""

    def __init__(self, above: float) -> None:
        super().__init__()
        self.answer = nn.Identity()
        self.above = above

    def forward(self, pixels: Tensor) -> Tensor:
        heard: Tensor = self.answer((pixels - self.above).relu())
        return heard


def test_sleeping_units_are_woken_or_told() -> None:
    grey = torch.full((1, 3, 40, 40), 0.5)
    sleeping = Backbone(Sleeping(0.52), (0.0,) * 3, (1.0,) * 3)
    _, octaves = dream_up(grey, [(40, 40)], sleeping, layer("answer"), Ascent(steps=10))
    assert octaves[0].losses[-1] > octaves[0].losses[0] == 0
    with pytest.raises(RunError, match="no gradient anywhere"):
        dream_up(grey, [(40, 40)], Backbone(Sleeping(9.0), (0.0,) * 3, (1.0,) * 3), layer("answer"), Ascent(steps=3))


class Exploding(Sleeping):
    def forward(self, pixels: Tensor) -> Tensor:
        heard: Tensor = self.answer((pixels * math.inf).mean(dim=(2, 3)))
        return heard


def test_numbers_that_are_none_end_with_a_sentence() -> None:
    with pytest.raises(DivergedError, match="is nan after 0 steps"):
        dream_up(
            PICTURE, [(96, 128)], Backbone(Exploding(0), (0.0,) * 3, (1.0,) * 3), channel("answer", 0), Ascent(steps=2)
        )


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 10), st.floats(1.05, 4))
def test_octaves_grow_to_the_picture(height: int, width: int, octaves: int, scale: float) -> None:
    sizes = octave_sizes((height, width), octaves, scale, 32)
    assert sizes[-1] == (height, width)
    assert 1 <= len(sizes) <= octaves
    assert all(min(size) >= 32 for size in sizes[:-1])
    assert all(before[0] <= after[0] and before[1] <= after[1] for before, after in pairwise(sizes))


def test_scaling_down_takes_means_and_scaling_to_the_same_size_costs_nothing() -> None:
    assert resized(PICTURE, (96, 128)) is PICTURE
    stripes = (torch.arange(128) % 2).float().expand(1, 3, 96, 128)
    assert float((resized(stripes, (24, 32)) - 0.5).abs().max()) < 0.1
    assert resized(PICTURE, (50, 200)).shape[-2:] == (50, 200)


def test_a_watcher_is_told_of_every_step_and_octave() -> None:
    told: list[tuple[int, int, int]] = []
    ends: list[tuple[int, int]] = []
    watcher = Watcher(
        lambda number, octaves, step: told.append((number, octaves, step.number)),
        lambda number, octaves, picture: ends.append((number, picture.shape[-1])),
    )
    network = Backbone(small_network(), *PLAIN)
    dream_up(PICTURE, SIZES, network, layer("2"), Ascent(steps=2), watcher=watcher)
    assert told == [(octave, 3, step) for octave in (1, 2, 3) for step in (1, 2)]
    assert ends == [(1, SIZES[0][1]), (2, SIZES[1][1]), (3, 128)]
