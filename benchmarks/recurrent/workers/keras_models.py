"""The networks as Keras builds them, for either backend (KERAS_BACKEND says which)."""

import keras

from ..cases import BATCH, DROPOUT, FEATURES, LEARNING_RATE, RECURRENT_DROPOUT, STEPS, Case


def model_of(case: Case, dropout: bool) -> keras.Model:
    """The layers of a case with Keras's defaults and a head on the last output."""
    keras.utils.clear_session()
    rates = {"dropout": DROPOUT, "recurrent_dropout": RECURRENT_DROPOUT} if dropout else {}
    model = keras.Sequential([keras.Input((STEPS, FEATURES), batch_size=BATCH)])
    for place, layer in enumerate(case.layers):
        kind = keras.layers.GRU if layer.kind == "GRU" else keras.layers.LSTM
        sequences = place + 1 < len(case.layers)
        one = kind(layer.units, activation=layer.activation, return_sequences=sequences, **rates)
        model.add(keras.layers.Bidirectional(one) if case.bidirectional else one)
    model.add(keras.layers.Dense(1))
    return model


def optimiser_of(model: keras.Model) -> keras.optimizers.Optimizer:
    """RMSprop, ready for the variables of a model."""
    optimiser = keras.optimizers.RMSprop(LEARNING_RATE)
    optimiser.build(model.trainable_variables)
    return optimiser


def cell_of(case: Case) -> keras.layers.LSTMCell:
    """One step of a layer, for a batch of one."""
    keras.utils.clear_session()
    cell = keras.layers.LSTMCell(case.layers[0].units)
    cell.build((1, FEATURES))
    return cell
