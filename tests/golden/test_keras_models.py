"""The lectures' models beside what Keras made of the same weights; the archive comes from benchmarks/lecture/keras_parity.py."""

from pathlib import Path

import numpy as np
import pytest
import torch

from .keras_models import copied, redundant

STORED = np.load(Path(__file__).parent / "keras_models.npz")
STEPS, FEATURES, UNITS = 70, 3, 4  # keras_parity.py keras_models.npz 70 3 4 2
NAMES = sorted({name.partition("/")[0] for name in STORED.files} - {"inputs"})


@pytest.mark.parametrize("rung", NAMES)
def test_a_model_says_what_keras_says(rung: str) -> None:
    count = sum(name.startswith(f"{rung}/") for name in STORED.files) - 2
    network = copied(rung, STEPS, FEATURES, UNITS, [STORED[f"{rung}/{number}"] for number in range(count)])
    with torch.inference_mode():
        outputs = network(torch.from_numpy(STORED["inputs"]))[:, 0].numpy()
    np.testing.assert_allclose(outputs, STORED[f"{rung}/outputs"], atol=1e-5, rtol=1e-4)
    parameters = sum(weight.numel() for weight in network.parameters())
    if "gru" not in rung or rung.endswith("before"):
        assert redundant(network) == 0
    assert parameters + redundant(network) == STORED[f"{rung}/parameters"]


def test_all_models_of_the_lectures_are_there() -> None:
    gated = ("gru", "gru-dropout", "gru-stacked", "gru-bidirectional", "gru-reversed", "conv-gru")
    assert set(NAMES) == {"mlp", "rnn", "lstm", "conv", *gated, *(f"{name} before" for name in gated)}
