"""The arithmetic behind the benchmark of the recurrent layers."""

from benchmarks.recurrent.arithmetic import product_flops
from benchmarks.recurrent.cases import BATCH, CASES, FEATURES, STEPS, Case


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_products_of_one_layer() -> None:
    # Forward, and twice that backward, less the gradient of the inputs.
    per_number = 2 * BATCH * STEPS * 3 * 32
    assert product_flops(named("GRU 32")) == per_number * (3 * (FEATURES + 32) - FEATURES) == 731_381_760


def test_an_lstm_has_four_gates() -> None:
    assert product_flops(named("LSTM 256")) * 3 == product_flops(named("GRU 256")) * 4


def test_two_directions_are_twice_the_work() -> None:
    assert product_flops(named("bidirectional GRU 32")) == 2 * product_flops(named("GRU 32"))


def test_a_second_layer_needs_the_gradient_of_its_inputs() -> None:
    second = 2 * BATCH * STEPS * 3 * 64 * 3 * (32 + 64)
    assert product_flops(named("GRU 32 then GRU 64 relu")) == product_flops(named("GRU 32")) + second
