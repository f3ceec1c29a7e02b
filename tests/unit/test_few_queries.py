"""Attention of a few queries of many texts, by the kernel: against the plain formula, whatever the shape and the mask."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foretell.nn import MultiHeadAttention, recurrence
from foretell.nn.attention import FEW, MANY, attention_weights
from foretell.nn.kernels.attending import attend

from .made_layers import with_biases

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.fixture(name="no_gradients", scope="module")
def without_gradients() -> object:
    with torch.no_grad():
        yield


def plain(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
    return attention_weights(queries, keys, allowed) @ values


@settings(deadline=None)
@given(
    sources=st.integers(1, 4),
    heads=st.integers(1, 3),
    queries=st.integers(1, 5),
    places=st.integers(1, 40),
    own=st.integers(1, 40),
    room=st.integers(0, 3),
    masked=st.booleans(),
    double=st.booleans(),
    seed=st.integers(0, 100),
)
def test_the_kernel_is_the_formula(
    sources: int, heads: int, queries: int, places: int, own: int, room: int, masked: bool, double: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    dtype = torch.float64 if double else torch.float32

    def drawn(count: int) -> Tensor:
        return 3 * torch.randn(sources, count, heads, own, generator=generator, dtype=dtype).transpose(1, 2)

    asking, keys, values = drawn(queries), drawn(places + room)[:, :, :places], drawn(places)
    allowed = torch.rand(sources, 1, 1, places, generator=generator) < 0.6 if masked else None
    found = attend(asking, keys, values, allowed)
    assert found is not None
    # Scores are as large as fifty here, so that 32 bits know their powers to some hundred thousandths.
    close = 1e-10 if double else 1e-4
    torch.testing.assert_close(found, plain(asking, keys, values, allowed), atol=close, rtol=close)
    if allowed is not None:  # what may not be seen has no part in it, however large it is
        unseen = values.masked_fill(~allowed.transpose(2, 3), 1e30)
        again = attend(asking, keys, unseen, allowed)
        torch.testing.assert_close(again, found, atol=0, rtol=0)


def test_a_text_finds_the_same_bits_alone_and_beside_others() -> None:
    torch.manual_seed(0)
    asking, keys, values = (torch.randn(300, 4, count, 32) for count in (2, 61, 61))
    found = attend(asking, keys, values, None)
    assert found is not None
    for own in (0, 7, 299):
        one = slice(own, own + 1)
        alone = attend(asking[one], keys[one], values[one], None)
        assert alone is not None
        assert torch.equal(alone[0], found[own])


def test_what_the_kernel_cannot_tell_is_left_to_torch() -> None:
    asking, keys = torch.randn(2, 1, 3, 4), torch.randn(2, 1, 5, 4)
    assert attend(asking.half(), keys.half(), keys.half(), None) is None
    assert attend(asking, keys, keys.transpose(2, 3).contiguous().transpose(2, 3), None) is None
    assert attend(asking, keys, keys, torch.ones(2, 1, 3, 5, dtype=torch.bool)) is None
    assert attend(asking, keys[:, :, :0], keys[:, :, :0], None) is None


@pytest.mark.parametrize("queries", [1, FEW, FEW + 1])
@pytest.mark.parametrize("sources", [1, MANY])
def test_a_layer_gives_the_same_in_every_way(queries: int, sources: int) -> None:
    torch.manual_seed(1)
    attention = with_biases(MultiHeadAttention(12, 3))
    asking, asked = torch.randn(sources, queries, 12), torch.randn(sources, 9, 12)
    allowed = torch.rand(sources, 1, 9) < 0.7
    allowed[:, :, 0] = True
    found = attention(asking, asked, allowed)
    watched, _ = attention(asking, asked, allowed, return_attention=True)
    torch.testing.assert_close(found, watched, atol=1e-5, rtol=0)
    with recurrence("loop"):  # no kernels at all
        torch.testing.assert_close(attention(asking, asked, allowed), found, atol=1e-5, rtol=0)
    with torch.enable_grad():
        torch.testing.assert_close(attention(asking, asked, allowed), found, atol=1e-5, rtol=0)
