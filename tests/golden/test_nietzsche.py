"""The lectures' corpus: its characters, and what n-grams come to there, pinned; skipped where the data are not at hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from foretell.config import CorpusSection, TokenizerSection
from foretell.data.documents import cut, read_corpus
from foretell.data.tokenizer import Tokenizer
from foretell.evaluation.kneser_ney import count_ngrams
from foretell.recipes.reading import read_recipe
from foretell.tasks import task_configuration

FILE = Path("generate") / "nietzsche.txt"


def test_the_corpus_is_the_lectures(shared_data: Path) -> None:
    corpus = read_corpus(shared_data / FILE, CorpusSection())
    assert len(corpus.text) == 600_893
    assert corpus.fingerprint.startswith("23cf6987")
    assert cut(len(corpus.text), ()) == (480_714, 540_804, 600_893)
    small = read_corpus(shared_data / FILE, CorpusSection(lowercase=True)).text
    assert len(set(small)) == 57
    assert "new faculty, and the jubilation reached its climax when kant" in small.replace("\n", " ")


def test_ngrams_come_to_the_figures_of_the_documentation(shared_data: Path) -> None:
    text = read_corpus(shared_data / FILE, CorpusSection()).text
    first, second, end = cut(len(text), ())
    tokenizer = Tokenizer.learn(text[:first], TokenizerSection())
    tokens = tokenizer.encode(text).astype(np.int64)
    models = count_ngrams(tokens[:first], len(tokenizer), 8)
    validation, test = [
        [-np.log2(model.probabilities(tokens[start - 300 : stop], 300)).mean() for model in models]
        for start, stop in ((first, second), (second, end))
    ]
    expected = [4.3958, 3.5483, 2.8492, 2.3186, 2.0710, 2.0098, 2.0045, 2.0128]
    np.testing.assert_allclose(test, expected, atol=2e-4)
    assert int(np.argmin(validation)) == 6  # order 7


def test_the_recipe_is_the_slides() -> None:
    recipe = read_recipe("lecture/nietzsche-lstm")
    configuration: Any = task_configuration(recipe.task).build(recipe=recipe.sections, environment={})
    samples = json.loads(configuration.samples.model_dump_json())
    assert samples["sample_epochs"] == [20, 60]
    assert samples["sample_temperatures"] == [0.2, 0.5, 1.0]
    assert samples["sample_prompts"][0] == "new faculty, and the jubilation reached its climax when kant"
    assert configuration.network.units == (128,)
    assert configuration.training.epochs == 60
    assert configuration.corpus.lowercase is True
