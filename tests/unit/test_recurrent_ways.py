"""The way a recurrent layer is computed: which one is chosen, what is said about it, and looking inside."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad

from foretell import nn
from foretell.errors import ConfigurationError
from foretell.nn.ways import WAYS, Sequences, _say_once, choose, describe, watching

from .made_layers import KINDS, make, results

ZEROS = torch.zeros(2, 4, 3)


def test_the_kernels_are_chosen_where_they_can() -> None:
    for kind in KINDS:
        for dtype in (torch.float32, torch.float64):
            layer = make(kind, 3, 5, dtype)
            lengths = torch.tensor([1, 2])
            everything = Sequences(ZEROS.to(dtype), torch.ones(2, 1, 3), torch.ones(2, 4, 5), lengths, True, True)
            assert choose(layer.cells[0], everything) == ("fused", "")


class OwnCell(nn.GRUCell):
    """Somebody's own."""


class OwnLayer(nn.GRU):
    """A layer of it."""

    cell = OwnCell


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (OwnCell(3, 5), "there is no kernel for OwnCell"),
        (nn.GRUCell(3, 5).bfloat16(), "the kernels compute in float32 and float64, not in torch.bfloat16"),
        (nn.RNNCell(5000, 1), "the kernels go up to 4096 units and features; this layer has 1 and 5000"),
    ],
)
def test_where_they_cannot_the_loop_is_and_it_says_why(cell: nn.GRUCell, reason: str) -> None:
    inputs = torch.zeros(2, 4, cell.features, dtype=cell.bias.dtype)
    way, line = choose(cell, Sequences(inputs))
    assert way == "loop"
    assert line == f"the plain loop computes a recurrent layer, many times slower: {reason}"


@pytest.mark.parametrize(
    "made",
    [
        lambda: (nn.GRU(3, 5).half(), ZEROS),
        lambda: (nn.GRU(3, 5).bfloat16(), ZEROS),
        lambda: (OwnLayer(3, 5), ZEROS),
        lambda: (nn.GRU(3, 5).to("meta"), ZEROS.to("meta")),
    ],
    ids=["float16", "bfloat16", "own cell", "another device"],
)
def test_the_kernels_say_what_they_lack(made: Callable[[], tuple[Any, Tensor]]) -> None:
    layer, inputs = made()
    assert layer(inputs).shape == (2, 5), "the loop takes what the kernels lack"
    with pytest.raises(ConfigurationError), nn.recurrence("fused"):
        layer(inputs)


def test_a_forced_way_is_taken_and_ends_with_its_block() -> None:
    cell = nn.GRUCell(3, 5)
    for way in WAYS:
        with nn.recurrence(way):
            assert choose(cell, Sequences(ZEROS)) == (way, "")
            with nn.recurrence("auto"):
                assert choose(cell, Sequences(ZEROS)) == ("fused", "")
            assert describe("cpu") == f"{way}, as was asked"
    with pytest.raises(KeyError), nn.recurrence("loop"):
        raise KeyError
    assert choose(cell, Sequences(ZEROS)) == ("fused", "")


@pytest.mark.parametrize(
    ("kind", "options", "way"),
    [
        ("gru", {}, "torch"),
        ("lstm", {"input_mask": torch.ones(2, 1, 3)}, "torch"),
        ("rnn relu", {"backwards": True}, "torch"),
        ("gru", {"state_mask": torch.ones(2, 1, 5)}, "compiled"),
        ("gru", {"lengths": torch.tensor([1, 2])}, "compiled"),
        ("gru before", {}, "compiled"),
        ("lstm relu", {}, "compiled"),
        ("gru relu", {}, "compiled"),
    ],
)
def test_cudnn_is_chosen_on_cuda_where_it_can(kind: str, options: dict[str, Any], way: str) -> None:
    with FakeTensorMode():
        inputs = torch.empty(2, 4, 3, device="cuda")  # a tensor without numbers needs no device
    assert choose(make(kind, 3, 5).cells[0], Sequences(inputs, **options)) == (way, "")


def test_elsewhere_the_loop_is_and_nothing_is_said() -> None:
    assert choose(nn.GRUCell(3, 5), Sequences(ZEROS.to("meta"))) == ("loop", "")


def test_without_numba_the_loop_is_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(1)
    layer, inputs = make("gru", 3, 5, layers=2), torch.randn(2, 4, 3)
    expected = layer(inputs)
    monkeypatch.setattr(
        sys.modules["foretell.nn.ways"], "numba_problem", lambda: "numba is not installed (pip install numba)"
    )
    _say_once.cache_clear()
    caplog.clear()  # the first call may have compiled, and said so
    with caplog.at_level(logging.WARNING):
        found = layer(inputs)
        layer(inputs)
        make("lstm", 3, 5)(inputs)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert [record.message for record in caplog.records] == [
        "the plain loop computes a recurrent layer, many times slower: numba is not installed (pip install numba)"
    ]
    with pytest.raises(
        ConfigurationError, match=r"the fused kernels need numba: numba is not installed \(pip install numba\)"
    ):
        nn.recurrence("fused").__enter__()
    assert describe("cpu") == "plain loop: numba is not installed (pip install numba)"


def test_the_way_is_told_in_a_line() -> None:
    assert describe("cpu").startswith("fused kernels (numba ")
    assert describe("cpu").endswith(f", {torch.get_num_threads()} threads)")
    assert describe("cuda") == "cuDNN; with dropout of the state or lengths a compiled loop"
    assert describe("mps") == "plain loop"


@pytest.mark.parametrize("kind", KINDS)
def test_looking_inside_shows_the_states_of_every_layer(kind: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 3, 5, layers=2, return_sequences=True), torch.randn(2, 4, 3)
    back = make(kind, 5, 5, reversed=True)
    expected = layer(inputs)
    with watching() as walks:
        outputs = back(layer(inputs))
    assert [walk.cell for walk in walks] == [*layer.cells, *back.cells]
    assert [walk.backwards for walk in walks] == [False, False, True]
    torch.testing.assert_close(torch.stack([state[0] for state in walks[1].states], 1), expected, atol=1e-6, rtol=0)
    assert torch.equal(walks[2].states[-1][0], outputs), "in the order in which they were read"
    gradient = torch.autograd.grad(outputs.sum(), walks[0].states[0][0])[0]
    assert gradient.abs().sum() > 0
    seen = len(walks)
    layer(inputs)
    assert len(walks) == seen, "the block has ended"


def test_a_way_is_the_calling_threads_own() -> None:
    with nn.recurrence("loop"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(choose, nn.GRUCell(3, 5), Sequences(ZEROS)).result() == ("fused", "")
        assert choose(nn.GRUCell(3, 5), Sequences(ZEROS)) == ("loop", "")


def test_a_way_back_needs_no_block() -> None:
    """What was computed in one way goes back in it, wherever that happens."""
    torch.manual_seed(1)
    layer, inputs = make("gru", 3, 5), torch.randn(2, 4, 3)
    expected = results(layer, "loop", inputs)
    for there in ("fused", "loop", "torch"):
        own = inputs.clone().requires_grad_()
        with nn.recurrence(there):
            outputs, final = layer(own, return_state=True)
        with nn.recurrence("loop" if there != "loop" else "fused"):
            (gradient,) = torch.autograd.grad((outputs * 2).sum() + final.sum(), [own])
        assert gradient.isfinite().all()
        torch.testing.assert_close(outputs.detach(), expected["outputs"], atol=1e-6, rtol=0)


def test_what_torch_compiles_or_traces_is_right() -> None:
    """A kernel would work on memory that is gone when the written-down operations are repeated."""
    script = """
import torch
from foretell import nn

torch.manual_seed(1)
layer, inputs = nn.GRU(5, 9).eval(), torch.randn(2, 4, 5)

def generated(first):
    output, state = layer.step(first)
    for _ in range(3):
        output, state = layer.step(output[:, :5] * 2, state)
    return output

with torch.no_grad():
    near = lambda found, expected: torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    near(torch.compile(generated, backend="aot_eager")(inputs[:, 0]), generated(inputs[:, 0]))
    near(torch.compile(layer, backend="aot_eager")(inputs), layer(inputs))
    near(torch.jit.trace(layer, inputs)(inputs * 2), layer(inputs * 2))
print("done")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "done\n", done.stderr[-1000:]


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own use of it
def test_forward_mode_derivatives_are_refused_by_the_kernels_and_given_by_the_loop() -> None:
    forward: Any = forward_ad
    layer = nn.GRU(5, 9).requires_grad_(requires_grad=False)
    with forward.dual_level():
        inputs = forward.make_dual(torch.randn(2, 4, 5), torch.randn(2, 4, 5))
        with pytest.raises(ConfigurationError, match="no forward-mode derivatives"):
            layer(inputs)
        with nn.recurrence("loop"):
            assert forward.unpack_dual(layer(inputs)).tangent is not None


@pytest.mark.parametrize(
    ("stub", "said"),
    [
        ("raise ImportError('Numba needs NumPy 2.3 or less')", "does not start (Numba needs NumPy 2.3 or less)"),
        ("raise OSError('libllvm is broken')", "does not start (libllvm is broken)"),
        ("class config: DISABLE_JIT = 1", "numba's compiler is switched off (NUMBA_DISABLE_JIT)"),
    ],
)
def test_a_numba_that_does_not_work_is_none(stub: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text(stub + "\n")
    script = "import torch, foretell.nn as nn; print(nn.GRU(3, 5)(torch.zeros(2, 4, 3)).shape, nn.ways.describe('cpu'))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.stdout.startswith("torch.Size([2, 5]) plain loop: numba"), done.stderr[-600:]
    assert said in done.stdout
    assert said in done.stderr
