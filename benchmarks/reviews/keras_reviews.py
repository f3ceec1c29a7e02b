"""The slide "LSTM in Keras", on reviews that were encoded before: an epoch each time it is asked for.

Run by Keras's environment: python keras_reviews.py FILE
"""

import json
import sys
import time

import keras
import numpy as np
from keras import layers

data = np.load(sys.argv[1])
model = keras.Sequential(
    [keras.Input((500,)), layers.Embedding(10_000, 32), layers.LSTM(32), layers.Dense(1, activation="sigmoid")]
)
model.compile(optimizer=keras.optimizers.RMSprop(), loss="binary_crossentropy", metrics=["accuracy"])
for _ in sys.stdin:
    started = time.perf_counter()
    history = model.fit(
        data["train"],
        data["train_labels"],
        epochs=1,
        batch_size=128,
        validation_data=(data["validation"], data["validation_labels"]),
        verbose=0,
    )
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "loss": history.history["val_loss"][0]}), flush=True)
