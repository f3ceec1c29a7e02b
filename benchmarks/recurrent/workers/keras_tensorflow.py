"""Keras on TensorFlow: a compiled step of ours, with and without XLA, and Keras's own."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from ..cases import Case, single_step, training_arrays
from ..serving import Variant, serve
from .keras_models import cell_of, model_of, optimiser_of


def own_step(case: Case, dropout: bool, xla: bool) -> Callable[[], float]:
    """A gradient tape within tf.function."""
    model = model_of(case, dropout)
    optimiser = optimiser_of(model)
    inputs, targets = (tf.constant(array) for array in training_arrays())

    def step(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(model(inputs, training=True) - targets))
        optimiser.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    compiled = tf.function(step, jit_compile=xla)
    return lambda: float(compiled(inputs, targets))


def keras_step(case: Case, dropout: bool) -> Callable[[], float]:
    """model.train_on_batch, which decides itself about XLA."""
    model = model_of(case, dropout)
    model.compile(optimizer=optimiser_of(model), loss="mae")
    inputs, targets = (tf.constant(array) for array in training_arrays())
    return lambda: float(model.train_on_batch(inputs, targets))


def single_steps(case: Case, xla: bool) -> Callable[[], float]:
    """Single steps in a row, each with the state of the one before."""
    cell = cell_of(case)
    inputs = tf.constant(single_step())
    zeros = tf.zeros((1, case.layers[0].units))

    def step(inputs: Any, hidden: Any, carry: Any) -> Any:
        _, state = cell(inputs, [hidden, carry], training=False)
        return state

    # The concrete function skips the search for a signature at each call.
    compiled = tf.function(step, jit_compile=xla).get_concrete_function(inputs, zeros, zeros)

    def run() -> float:
        hidden = carry = zeros
        for _ in range(case.calls):
            hidden, carry = compiled(inputs, hidden, carry)
        return float(hidden[0, 0])

    return run


def variants(case: Case, dropout: bool) -> Iterator[Variant]:
    """With XLA and without; Keras's own step where what it does around the same graph could matter."""
    for words, xla in (("", False), (" with XLA", True)):
        if case.calls:
            yield Variant(f"LSTMCell in tf.function{words}", single_steps(case, xla))
        else:
            yield Variant(f"tf.function{words}", own_step(case, dropout, xla))
    if case.limit:
        yield Variant("train_on_batch", keras_step(case, dropout))


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    serve({"tensorflow": tf.__version__, "keras": keras.__version__}, variants)
