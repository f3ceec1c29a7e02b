"""How much arithmetic a training step cannot do without: its matrix products, and the time they take at full speed."""

from .cases import BATCH, FEATURES, GATES, STEPS, Case


def product_flops(case: Case) -> int:
    """Floating-point operations of the matrix products of one training step; a multiplication and an addition are two.

    Forward, each gate multiplies inputs and state with its weights. Backward there are two such products, one for the
    weights and one for inputs and state; the first layer's inputs need no gradient. The head on the last output (a
    thousandth) is left out.

    >>> from benchmarks.recurrent.cases import CASES
    >>> product_flops(CASES[0])
    731381760
    """
    flops, features, directions = 0, FEATURES, 1 + case.bidirectional
    for place, layer in enumerate(case.layers):
        per_input = 2 * BATCH * STEPS * GATES[layer.kind] * layer.units
        forward = per_input * (features + layer.units)
        unneeded = per_input * features if place == 0 else 0
        flops += directions * (3 * forward - unneeded)
        features = directions * layer.units
    return flops
