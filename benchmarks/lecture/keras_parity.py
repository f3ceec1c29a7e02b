"""The lectures' models as Keras builds them, with random weights, and what they make of some windows.

Run by Keras's environment: python keras_parity.py OUT STEPS FEATURES UNITS BATCH; writes an archive for `parity.py`.
"""

import sys
from typing import Any

import keras
import numpy as np
from keras import layers

out, steps, features, units, batch = sys.argv[1], *map(int, sys.argv[2:])
keras.utils.set_random_seed(0)
INPUT = (None, features)


def gru_models(after: bool) -> dict[str, list[Any]]:
    """Those with a GRU, whose reset gate acts after the product with the state (Keras's own) or before (the slides)."""

    def gru(size: int, **options: Any) -> Any:
        return layers.GRU(size, reset_after=after, **options)

    return {
        "gru": [keras.Input(INPUT), gru(units)],
        "gru-dropout": [keras.Input(INPUT), gru(units, dropout=0.2, recurrent_dropout=0.2)],
        "gru-stacked": [
            keras.Input(INPUT),
            gru(units, dropout=0.1, recurrent_dropout=0.5, return_sequences=True),
            gru(2 * units, activation="relu", dropout=0.1, recurrent_dropout=0.5),
        ],
        "gru-bidirectional": [keras.Input(INPUT), layers.Bidirectional(gru(units))],
        "gru-reversed": [keras.Input(INPUT), gru(units, go_backwards=True)],
        "conv-gru": [
            keras.Input(INPUT),
            layers.Conv1D(units, 5, activation="relu"),
            layers.MaxPooling1D(3),
            layers.Conv1D(units, 5, activation="relu"),
            gru(units, dropout=0.1, recurrent_dropout=0.5),
        ],
    }


MODELS = {
    "mlp": [keras.Input((steps, features)), layers.Flatten(), layers.Dense(units, activation="relu")],
    "rnn": [keras.Input(INPUT), layers.SimpleRNN(units)],
    "lstm": [keras.Input(INPUT), layers.LSTM(units)],
    "conv": [
        keras.Input(INPUT),
        layers.Conv1D(units, 5, activation="relu"),
        layers.MaxPooling1D(3),
        layers.Conv1D(units, 5, activation="relu"),
        layers.MaxPooling1D(3),
        layers.Conv1D(units, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
    ],
    **{f"{name} before": parts for name, parts in gru_models(after=False).items()},
    **gru_models(after=True),
}
inputs = np.random.default_rng(0).normal(size=(batch, steps, features)).astype(np.float32)
arrays: dict[str, Any] = {"inputs": inputs}
for name, parts in MODELS.items():
    model = keras.Sequential([*parts, layers.Dense(1)])
    generator = np.random.default_rng(1)
    weights = [generator.normal(0, 0.1, weight.shape).astype(np.float32) for weight in model.get_weights()]
    model.set_weights(weights)
    arrays[f"{name}/outputs"] = np.asarray(model(inputs, training=False))
    arrays[f"{name}/parameters"] = np.array(model.count_params())
    for number, weight in enumerate(weights):
        arrays[f"{name}/{number}"] = weight
np.savez_compressed(out, **arrays)
