"""Keras's example "Character-level text generation with LSTM": one-hot windows of 40 characters, LSTM(128).

Run by Keras's environment; each line of standard input asks for a measurement: ``write STREAMS CHARACTERS`` predicts
the window of each stream anew for every character, ``train STEPS`` learns from so many batches of 128 windows.
"""

import json
import sys
import time

import keras
import numpy as np
from keras import layers

WINDOW, SYMBOLS, BATCH = 40, 56, 128
model = keras.Sequential(
    [keras.Input((WINDOW, SYMBOLS)), layers.LSTM(128), layers.Dense(SYMBOLS, activation="softmax")]
)
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.RMSprop(learning_rate=0.01))
generator = np.random.default_rng(0)


def sample(predictions: np.ndarray, temperature: float) -> np.ndarray:
    """The example's own function, for many streams at once."""
    logits = np.log(np.asarray(predictions, "float64") + 1e-30) / temperature
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    found: np.ndarray = (likely.cumsum(axis=1) < generator.random((len(likely), 1))).sum(axis=1).clip(max=SYMBOLS - 1)
    return found


def write(streams: int, characters: int) -> None:
    """So many characters of each stream."""
    windows = np.zeros((streams, WINDOW, SYMBOLS), np.float32)
    windows[:, :, 0] = 1
    for _ in range(characters):
        following = sample(model.predict(windows, verbose=0), 0.5)
        windows = np.roll(windows, -1, axis=1)
        windows[:, -1] = np.eye(SYMBOLS, dtype=np.float32)[following]


def train(steps: int) -> None:
    """So many batches, as the example's fit learns from them."""
    symbols = generator.integers(0, SYMBOLS, (BATCH * steps, WINDOW + 1))
    one_hot = np.eye(SYMBOLS, dtype=np.float32)
    model.fit(one_hot[symbols[:, :-1]], one_hot[symbols[:, -1]], batch_size=BATCH, epochs=1, verbose=0)


for line in sys.stdin:
    what, *sizes = line.split()
    started = time.perf_counter()
    if what == "write":
        write(*map(int, sizes))
    else:
        train(*map(int, sizes))
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)
