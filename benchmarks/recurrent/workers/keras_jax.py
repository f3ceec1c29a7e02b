"""Keras on JAX: a jitted step of ours without state of its own, and Keras's own."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras

from ..cases import Case, single_step, training_arrays
from ..serving import Variant, serve
from .keras_models import cell_of, model_of, optimiser_of


def values(variables: list[Any]) -> list[Any]:
    """Copies of the values of variables: what is donated is gone."""
    return [jnp.copy(variable.value) for variable in variables]


def own_step(case: Case, dropout: bool) -> Callable[[], float]:
    """Weights, seeds and running means go through a jitted function, which may reuse their memory."""
    model = model_of(case, dropout)
    optimiser = optimiser_of(model)
    inputs, targets = (jax.device_put(array) for array in training_arrays())

    def loss_of(weights: Any, others: Any, inputs: Any, targets: Any) -> Any:
        # The state of the seeds is among the others, so that each step draws masks of its own.
        predicted, others = model.stateless_call(weights, others, inputs, training=True)
        return jnp.mean(jnp.abs(predicted - targets)), others

    def step(state: Any, inputs: Any, targets: Any) -> Any:
        weights, others, means = state
        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, others, inputs, targets)
        weights, means = optimiser.stateless_apply(means, gradients, weights)
        return loss, (weights, others, means)

    compiled = jax.jit(step, donate_argnums=0)
    state: Any = (values(model.trainable_variables), values(model.non_trainable_variables), values(optimiser.variables))

    def run() -> float:
        nonlocal state
        loss, state = jax.block_until_ready(compiled(state, inputs, targets))
        return float(loss)

    return run


def keras_step(case: Case, dropout: bool) -> Callable[[], float]:
    """model.train_on_batch."""
    model = model_of(case, dropout)
    model.compile(optimizer=optimiser_of(model), loss="mae")
    inputs, targets = (jax.device_put(array) for array in training_arrays())

    def run() -> float:
        loss = float(model.train_on_batch(inputs, targets))
        jax.block_until_ready([variable.value for variable in model.trainable_variables])
        return loss

    return run


def single_steps(case: Case, constants: bool) -> Callable[[], float]:
    """Single steps in a row, each with the state of the one before; the weights are arguments or constants."""
    cell = cell_of(case)
    inputs = jax.device_put(single_step())
    zeros = jnp.zeros((1, case.layers[0].units))
    weights, others = values(cell.trainable_variables), values(cell.non_trainable_variables)

    def step(weights: Any, inputs: Any, hidden: Any, carry: Any) -> Any:
        (_, state), _ = cell.stateless_call(weights, others, inputs, [hidden, carry], training=False)
        return state

    compiled = jax.jit((lambda *rest: step(weights, *rest)) if constants else step)
    first = () if constants else (weights,)

    def run() -> float:
        hidden = carry = zeros
        for _ in range(case.calls):
            hidden, carry = compiled(*first, inputs, hidden, carry)
            hidden.block_until_ready()
        return float(hidden[0, 0])

    return run


def variants(case: Case, dropout: bool) -> Iterator[Variant]:
    """JAX always compiles with XLA; Keras's own step where what it does around the same program could matter."""
    jax.clear_caches()
    if case.calls:
        yield Variant("LSTMCell in jax.jit, weights as arguments", single_steps(case, False))
        yield Variant("LSTMCell in jax.jit, weights as constants", single_steps(case, True))
    else:
        yield Variant("jax.jit", own_step(case, dropout))
    if case.limit:
        yield Variant("train_on_batch", keras_step(case, dropout))


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    serve({"jax": jax.__version__, "keras": keras.__version__}, variants)
