"""The kernels on a real processor: their arithmetic at the limits of numbers, threads, forks, and memory that is used again."""

import copy
import gc
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numba import njit
from torch import Tensor

from foretell import nn
from foretell.errors import ConfigurationError
from foretell.nn.kernels import attending, functions, fused, likeliest, memory, stepping, vectors
from foretell.nn.kernels.compiling import DIGEST
from foretell.nn.kernels.layout import LSTM
from foretell.nn.kernels.memory import SHELF, Shelf
from foretell.nn.kernels.plans import plan
from foretell.nn.threads import kernel_threads, share

from .made_layers import (
    KINDS,
    TANH,
    as_state,
    assert_close,
    assert_same_bytes,
    leaf,
    loss_of,
    made_states,
    make,
    results,
)

lanes: Any = vectors.lanes  # numba gives them other arguments than their definitions have
load: Any = vectors.load
store: Any = vectors.store


@njit
def sigmoids(values: Any, found: Any) -> None:
    for start in range(0, values.size, lanes(values)):
        store(found, start, functions.sigmoid(load(values, start)))


@njit
def tanhs(values: Any, found: Any) -> None:
    for start in range(0, values.size, lanes(values)):
        store(found, start, functions.tanh(load(values, start)))


def computed(function: Callable[[Any, Any], None], values: np.ndarray) -> np.ndarray:
    """A vector function of an array of any size."""
    whole = np.zeros(-(-len(values) // 64) * 64, values.dtype)
    whole[: len(values)] = values
    found = np.empty_like(whole)
    function(whole, found)
    return found[: len(values)]


@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 1e-6), (np.float64, 2e-15)])
def test_sigmoid_and_tanh_are_numpys(dtype: type, limit: float) -> None:
    generator = np.random.default_rng(0)
    near_zero = np.exp(generator.uniform(np.log(1e-30), 0, 20_000)) * generator.choice([-1, 1], 20_000)
    values: Any = np.concatenate(
        [generator.uniform(-90, 90, 50_000), generator.uniform(-1, 1, 50_000), near_zero]
    ).astype(dtype)
    exact: Any = values.astype(np.longdouble)
    found = computed(tanhs, values)
    assert np.max(np.abs(found - np.tanh(exact)) / np.abs(np.tanh(exact))) < limit
    assert np.max(np.abs(found)) <= 1, "a slope would be negative"
    exact = 1 / (1 + np.exp(-exact))
    found = computed(sigmoids, values)
    assert np.max(np.abs(found - exact) / np.maximum(exact, 1e-36)) < (limit if dtype is np.float64 else 2e-2)
    assert np.max((np.abs(found - exact) / exact)[values > -80]) < limit
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_and_tanh_at_the_ends_of_numbers(dtype: type) -> None:
    largest = np.finfo(dtype).max
    values: Any = np.array([0, -0.0, np.inf, -np.inf, largest, -largest, 700, -700, np.nan, 1, 20, -20], dtype)
    found, exact = computed(tanhs, values), np.tanh(values.astype(np.longdouble))
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=0)
    assert np.signbit(found[3])
    found = computed(sigmoids, values)
    expected = [0.5, 0.5, 1, 0, 1, 0, 1, 0, np.nan, 0.7310585786300049, 1, 2.0611536e-09]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-38)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["inputs", "state", "weights"])
def test_what_is_no_number_is_seen(kind: str, where: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 3, 17, return_sequences=True), torch.randn(9, 6, 3)
    state = made_states(layer, 9)
    if where == "inputs":
        inputs[4, 2, 1] = torch.nan
    elif where == "state":
        state[0][0, 4, 11] = torch.nan
    else:
        with torch.no_grad():
            layer.cells[0].state_weights[7, 3] = torch.nan
    both = []
    for way in ("fused", "loop"):
        with nn.recurrence(way), torch.no_grad():
            both.append(layer(inputs, as_state(layer, state)))
    assert torch.equal(both[0].isnan(), both[1].isnan())
    assert both[0][4, -1].isnan().any()
    if where != "weights":
        others = torch.arange(9) != 4
        assert both[0][others].isfinite().all(), "a sequence spoilt another one"
    if where == "inputs":
        assert both[0][4, :2].isfinite().all(), "the past was spoilt"
        assert both[0][4, 2:].isnan().all()


@pytest.mark.parametrize("kind", TANH)
@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_very_large_inputs_stay_finite(kind: str, size: float, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    layer, inputs = make(kind, 3, 17, dtype, return_sequences=True), size * torch.randn(9, 6, 3, dtype=dtype)
    found = results(layer, "fused", inputs)
    assert all(bool(value.isfinite().all()) for value in found.values())
    assert found["outputs"].abs().max() <= 1
    # A sum of large numbers may be anything near zero; with enough digits it is not.
    if dtype == torch.float64 and size == 1e4:
        assert_close({"outputs": found["outputs"]}, {"outputs": results(layer, "loop", inputs)["outputs"]})


def test_infinite_inputs_spoil_no_more_than_with_the_loop() -> None:
    """An infinite input saturates: what lies before it has no gradient from it, rather than one that is no number."""
    torch.manual_seed(1)
    layer, inputs = make("rnn", 1, 5), torch.randn(2, 6, 1)
    inputs[1, 3] = torch.inf
    found, expected = (results(layer, way, inputs, [torch.zeros(1, 2, 5)]) for way in ("fused", "loop"))
    names = ("outputs", "gradient of state 0", "gradient of inputs")
    assert_close({name: found[name] for name in names}, {name: expected[name] for name in names})


@pytest.mark.parametrize("way", ["fused", "loop"])
def test_what_lies_beyond_an_end_has_no_effect_even_if_it_is_no_number(way: str) -> None:
    torch.manual_seed(1)
    layer, inputs = make("gru", 3, 5, return_sequences=True), torch.randn(2, 6, 3)
    expected = results(layer, way, inputs, lengths=[6, 2])
    inputs[1, 2:] = torch.nan
    assert_close(results(layer, way, inputs, lengths=[6, 2]), expected)


@pytest.mark.parametrize("kind", TANH)
def test_fading_gradients_are_right(kind: str) -> None:
    """Through numbers too small for full precision, and beyond: right, or less than the smallest such number from it."""
    torch.manual_seed(1)
    layer, inputs = make(kind, 3, 17), torch.randn(9, 60, 3)
    with torch.no_grad():
        layer.cells[0].state_weights.mul_(0.05)
        layer.cells[0].bias[17:34] -= 4  # little is remembered: the LSTM's forget gate, the GRU's update gate
    found = results(layer, "fused", inputs)["gradient of inputs"].double()
    exact = results(copy.deepcopy(layer).double(), "loop", inputs.double())["gradient of inputs"]
    by_step, off = exact.abs().amax((0, 2)), (found - exact).abs().amax((0, 2))
    assert by_step[0] < 1e-50 < 1e-2 < by_step[-1], "the gradient does not fade"
    assert ((by_step > 1e-45) & (by_step < 1e-38)).any(), "no step lies among the denormal numbers"
    assert (off <= 1e-4 * by_step + 1e-36).all()


@pytest.mark.parametrize("kind", TANH)
def test_denormal_inputs_are_as_good_as_zero(kind: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 3, 17)
    tiny, nothing = (results(layer, "fused", torch.full((9, 4, 3), size)) for size in (1e-40, 0.0))
    assert_close(tiny, nothing)


@pytest.mark.parametrize("flushing", [False, True])
def test_how_torch_treats_the_smallest_numbers_is_left_alone(flushing: bool) -> None:
    if not torch.set_flush_denormal(flushing):
        pytest.skip("this processor cannot flush denormal numbers")
    try:
        smallest = torch.tensor(1e-40)
        layer, inputs = make("lstm", 7, 33), leaf(torch.randn(67, 30, 7))
        for threads in (1, 2):
            with kernel_threads(threads):
                outputs = layer(inputs)
                assert bool(smallest * 1 == 0) is flushing, "the way there"
                outputs.sum().backward()
                assert bool(smallest * 1 == 0) is flushing, "the way back"
    finally:
        torch.set_flush_denormal(False)


def test_work_is_shared_without_gaps() -> None:
    for pieces, threads in [(1, 2), (5, 2), (17, 1), (17, 3), (8, 30), (0, 2)]:
        done: list[tuple[int, int]] = []
        with kernel_threads(threads):
            share(lambda first, last: done.append((first, last)), pieces, alone=False)  # noqa: B023
        assert len(done) == max(1, min(pieces, threads))
        assert [piece for first, last in sorted(done) for piece in range(first, last)] == list(range(pieces))


def test_work_is_shared_among_threads_only_where_that_is_wanted() -> None:
    def names(threads: int, alone: bool) -> set[str]:
        found = set()
        together = threading.Barrier(2, timeout=20) if threads > 1 and not alone else None

        def work(first: int, last: int) -> None:
            if together is not None:
                together.wait()  # passes only if two threads are here at once
            found.add(threading.current_thread().name)

        with kernel_threads(threads):
            share(work, 2, alone=alone)
        return found

    here = threading.current_thread().name
    assert names(1, alone=False) == names(2, alone=True) == {here}
    assert len(names(2, alone=False)) == 2


def test_a_call_does_not_wait_for_helpers_that_are_busy_elsewhere() -> None:
    busy, leave = threading.Semaphore(0), threading.Event()

    def hold(first: int, last: int) -> None:
        busy.release()
        assert leave.wait(20)

    holders = [threading.Thread(target=share_on_two, args=(hold, 2)) for _ in range(2)]
    for holder in holders:
        holder.start()
    try:
        for _ in range(3):  # both callers, and a helper
            assert busy.acquire(timeout=20)
        done: list[int] = []
        share_on_two(lambda first, last: done.append(first), 2)
        assert sorted(done) == [0, 1]
        assert not leave.is_set()
    finally:
        leave.set()
        for holder in holders:
            holder.join()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system sends no signals to threads")
def test_an_interrupt_waits_for_those_who_still_work() -> None:
    begun, done = threading.Event(), []

    def work(first: int, last: int) -> None:
        if threading.current_thread() is threading.main_thread():
            assert begun.wait(20)
            return
        begun.set()
        time.sleep(0.05)  # the caller waits by now
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.05)
        done.append(first)

    # A shell that starts tests in the background has them ignore it; a command that ran here before may remember it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            share_on_two(work, 2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done


def share_on_two(work: Callable[[int, int], object], pieces: int) -> None:
    with kernel_threads(2):
        share(work, pieces, alone=False)


def test_a_share_that_fails_last_is_told_too() -> None:
    def work(first: int, last: int) -> None:
        time.sleep(0.05 * first)
        if first:
            raise ValueError("the last one")

    with pytest.raises(ValueError, match="the last one"):
        share_on_two(work, 2)


def test_helpers_stay_for_the_next_call() -> None:
    share_on_two(lambda first, last: None, 2)
    before = threading.active_count()
    for _ in range(20):
        share_on_two(lambda first, last: None, 2)
    assert threading.active_count() == before


def test_large_work_is_shared_and_small_work_is_not() -> None:
    def alone(batch: int) -> bool:
        return plan(LSTM, np.dtype(np.float32), (batch, 240, 14), 32, backwards=False, relu=False, threads=2).alone

    assert (alone(1), alone(128)) == (True, False)


def test_a_number_of_threads_that_is_none_is_told() -> None:
    message = "the number of kernel threads must be 0 (torch's) or more; it is -1"
    with pytest.raises(ConfigurationError, match=re.escape(message)), kernel_threads(-1):
        pass


def test_every_kernel_changes_with_the_source() -> None:
    """numba's cache on disk looks at closures, not at other files: without the digest stale code would run."""
    layers = [*fused._FORWARD.values(), *fused._BACKWARD.values(), *stepping._SINGLE.values(), fused._COLLECT]
    kernels = [*layers, attending._attend, likeliest.likeliest]
    for kernel in kernels:
        assert DIGEST in [cell.cell_contents for cell in kernel.py_func.__closure__], kernel
    folder = Path(fused.__file__).parent
    # The walk down trees calls no other function, so that numba sees whatever changes in it.
    made = sum(path.read_text().count("@kernel\n") for path in folder.glob("*.py") if path.stem != "forest")
    assert made == len({kernel.py_func.__code__ for kernel in kernels}), "a kernel that is not looked at here"


@pytest.mark.parametrize("function", [sigmoids, tanhs])
def test_no_exponential_of_one_number_after_the_other(function: Any) -> None:
    function(np.zeros(64, np.float32), np.zeros(64, np.float32))
    code = "\n".join(function.inspect_asm().values())
    assert not re.search(r"\bexpf?\b|\btanhf?\b", code)
    if vectors.WIDTH == 64:
        assert len(re.findall(r"vfn?m(?:add|sub)\w+ps.*zmm", code)) >= 7


def test_work_may_share_work() -> None:
    done: list[int] = []
    share_on_two(lambda first, last: share_on_two(lambda one, other: done.append(one), 2), 2)
    assert sorted(done) == [0, 0, 1, 1]


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failing_share_is_told_after_the_others_are_done(failing: int) -> None:
    done = []

    def work(first: int, last: int) -> None:
        if first == failing:
            raise ValueError(f"share {first}")
        time.sleep(0.05)
        done.append(first)

    with kernel_threads(2), pytest.raises(ValueError, match=f"share {failing}"):
        share(work, 2, alone=False)
    assert done == [1 - failing]


def test_several_threads_of_python_may_call_at_once() -> None:
    torch.manual_seed(1)
    calls = [(make(kind, 7, units), torch.randn(batch, 20, 7)) for kind in TANH for units, batch in ((33, 67), (5, 3))]
    expected = [results_without_seed(*call) for call in calls]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda call: results_without_seed(*call), calls * 6))
    for place, one in enumerate(found):
        assert_same_bytes(one, expected[place % len(calls)])


def results_without_seed(layer: Any, inputs: Tensor) -> dict[str, Tensor]:
    """As results, without touching the random state that all threads share."""
    inputs = leaf(inputs)
    outputs = layer(inputs)
    gradients = torch.autograd.grad(loss_of([outputs]), [inputs, *layer.parameters()])
    return {str(place): tensor.detach() for place, tensor in enumerate([outputs, *gradients])}


def in_child(pipe: Connection, layer: Any, inputs: Tensor) -> None:
    """What a child made by fork does."""
    together = threading.Barrier(2, timeout=20)
    share_on_two(lambda first, last: together.wait(), 2)  # passes only if two threads are here at once
    with kernel_threads(2):
        outputs = layer(inputs)
        outputs.square().sum().backward()
    pipe.send((outputs.detach().numpy().tobytes(), layer.cells[0].bias.grad.numpy().tobytes()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 says that forking with threads may fail
def test_a_child_made_while_memory_was_being_lent_does_not_wait_for_its_parent() -> None:
    with SHELF._lock:
        child = os.fork()
        if not child:
            SHELF.until_unused(10, np.float32)
            os._exit(0)
    until = time.monotonic() + 20
    while (done := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)
    if done == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert done == (child, 0), "the child hangs"


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_a_child_made_by_fork_computes_the_same() -> None:
    torch.manual_seed(1)
    layer, inputs = make("gru", 7, 33), torch.randn(67, 30, 7)
    with kernel_threads(2):  # the pool of threads exists before the fork, and is dead in the child
        outputs = layer(inputs)
        outputs.square().sum().backward()
    expected = outputs.detach().numpy().tobytes(), layer.cells[0].bias.grad.numpy().tobytes()
    layer.zero_grad()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=in_child, args=(theirs, layer, inputs), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12 says that forking with threads may fail: hence the test
        child.start()
    try:
        assert ours.poll(60), "the child hangs"
        assert ours.recv() == expected
        child.join(60)
        assert child.exitcode == 0
    finally:
        child.kill()


def buffers() -> dict[int, int]:
    """The unused buffers: their places in memory, and their sizes."""
    gc.collect()
    SHELF.unused()  # puts away what came back
    return {buffer.ctypes.data: buffer.nbytes for kept in SHELF._unused.values() for buffer in kept}


@pytest.mark.parametrize("kind", TANH)
def test_a_step_uses_the_memory_of_the_one_before(kind: str) -> None:
    SHELF.clear()
    layer, inputs = make(kind, 7, 33, layers=2, recurrent_dropout=0.2), torch.randn(67, 30, 7)
    layer(inputs).sum().backward()
    first = buffers()
    assert first, "nothing came back"
    for _ in range(3):
        layer(inputs).sum().backward()
        assert buffers() == first


def test_memory_comes_back_without_a_way_back() -> None:
    layer, inputs = make("lstm", 7, 33), torch.randn(67, 30, 7)
    calls: list[Callable[[], Any]] = [
        lambda: layer(inputs),
        lambda: layer(inputs).detach(),
        lambda: layer(inputs).sum().item(),
    ]
    for call in calls:
        SHELF.clear()
        kept = call()
        del kept
        first = buffers()
        assert first
        kept = call()
        del kept
        assert buffers() == first


def test_two_graphs_at_once_do_not_share_memory() -> None:
    torch.manual_seed(1)
    layer, inputs = make("gru", 7, 33), [torch.randn(19, 30, 7) for _ in range(6)]
    expected = [results_without_seed(layer, made) for made in inputs]
    graphs = [(made, layer(made)) for made in map(leaf, inputs)]
    for (made, outputs), known in reversed(list(zip(graphs, expected, strict=True))):
        gradients = torch.autograd.grad(loss_of([outputs]), [made, *layer.parameters()])
        found = {str(place): tensor.detach() for place, tensor in enumerate([outputs, *gradients])}
        assert_same_bytes(found, known)


def test_unused_memory_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MOST", 150_000)
    shelf = Shelf()
    with shelf.lending() as borrow:
        for count in (10_000, 10_001, 10_002):
            borrow(count, np.float32)
    assert 0 < shelf.unused() <= 150_000


def test_lent_memory_is_aligned_and_nobody_elses() -> None:
    shelf = Shelf()
    lent = [shelf.until_unused(count, dtype) for count in (0, 1, 33, 33, 1000) for dtype in (np.float32, np.float64)]
    for number, one in enumerate(lent):
        assert one.ctypes.data % 64 == 0 or not one.size
        assert not any(np.shares_memory(one, other) for other in lent[:number])
        one.fill(number)
    assert all((one == number).all() for number, one in enumerate(lent))


def test_memory_is_not_lent_again_while_a_part_of_it_is_in_use() -> None:
    shelf = Shelf()
    part = shelf.until_unused(100, np.float32)[10:50]
    part.fill(1)
    other = shelf.until_unused(100, np.float32)
    other.fill(2)
    assert (part == 1).all(), "somebody else wrote into it"


def test_a_shelf_may_be_given_something_back_at_any_moment() -> None:
    """Python may collect garbage between any two instructions, with buffers in it, even inside the shelf's own methods."""
    script = """
import faulthandler, gc, os, sys
import numpy as np
from foretell.nn.kernels.memory import Shelf

faulthandler.dump_traceback_later(50, exit=True)
gc.freeze()  # what the imports made need not be looked through each time
shelf = Shelf()
made = [shelf.until_unused(10 + number, np.float32) for number in range(100)]

def trace(frame, event, _):
    if frame.f_code.co_filename.endswith("memory.py") and made:
        sys.settrace(None)
        garbage = [made.pop()]
        garbage.append(garbage)
        del garbage
        gc.collect()
        sys.settrace(trace)
        return trace

sys.settrace(trace)
for _ in range(3):
    shelf.until_unused(1000, np.float64)
sys.settrace(None)
assert len(made) < 90, "nothing was collected"
print("done", flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done\n", f"the shelf waits for itself: {done.stderr[-600:]}"


def test_memory_does_not_grow_with_the_number_of_shapes() -> None:
    SHELF.clear()
    layer = make("gru", 7, 33)
    layer(torch.randn(67, 60, 7)).sum().backward()
    largest = sum(buffers().values())
    for steps in range(1, 60):
        layer(torch.randn(67, steps, 7)).sum().backward()
    kept = sum(buffers().values())
    SHELF.clear()
    assert kept <= 4 * largest, f"{kept / largest:.0f} times what the largest step needs is kept"
