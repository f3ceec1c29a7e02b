"""The slides' program, step by step: read the file, normalise, three generators, GRU(32), fit.

Run by Keras's environment: python keras_program.py FILE EPOCHS
"""

import json
import sys
from typing import Any

import keras
import numpy as np
from keras import layers

fname, epochs = sys.argv[1], int(sys.argv[2])
f = open(fname)
data = f.read()
f.close()
lines = data.strip().split("\n")
header = lines[0].split(",")
lines = lines[1:]
float_data = np.zeros((len(lines), len(header) - 1))
for i, line in enumerate(lines):
    values = [float(x) for x in line.split(",")[1:]]
    float_data[i, :] = values
mean = float_data[:200000].mean(axis=0)
float_data -= mean
std = float_data[:200000].std(axis=0)
float_data /= std


def generator(
    data: Any,
    lookback: int,
    delay: int,
    min_index: int,
    max_index: int | None,
    shuffle: bool,
    batch_size: int,
    step: int,
) -> Any:
    if max_index is None:
        max_index = len(data) - delay - 1
    i = min_index + lookback
    while 1:
        if shuffle:
            rows = np.random.randint(min_index + lookback, max_index, size=batch_size)
        else:
            if i + batch_size >= max_index:
                i = min_index + lookback
            rows = np.arange(i, min(i + batch_size, max_index))
            i += len(rows)
        samples = np.zeros((len(rows), lookback // step, data.shape[-1]))
        targets = np.zeros((len(rows),))
        for j, _ in enumerate(rows):
            indices = range(rows[j] - lookback, rows[j], step)
            samples[j] = data[indices]
            targets[j] = data[rows[j] + delay][1]
        yield samples, targets


lookback, step, delay, batch_size = 1440, 6, 144, 128
train_gen = generator(float_data, lookback, delay, 0, 200000, True, batch_size, step)
val_gen = generator(float_data, lookback, delay, 200001, 300000, False, batch_size, step)
val_steps = (300000 - 200001 - lookback) // batch_size

model = keras.Sequential([keras.Input((None, float_data.shape[-1])), layers.GRU(32), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.RMSprop(), loss="mae")
history = model.fit(
    train_gen, steps_per_epoch=500, epochs=epochs, validation_data=val_gen, validation_steps=val_steps, verbose=0
)
print(json.dumps({"validation": min(history.history["val_loss"])}))
