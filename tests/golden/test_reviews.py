"""The IMDb reviews as they are read: pinned counts, where they are at hand."""

from pathlib import Path

import numpy as np

from foretell.config import TextSection, TextSpanSection
from foretell.data.corpora import read_texts, share_out


def test_reviews_are_read_from_their_archive(shared_data: Path) -> None:
    texts = read_texts(shared_data / "classify" / "aclImdb_labelled.tar.gz", TextSection())
    assert len(texts.texts) == 50_000
    assert texts.labels == ("neg", "pos")
    assert np.bincount(texts.targets).tolist() == [25_000, 25_000]
    assert np.bincount(texts.named, minlength=3).tolist() == [25_000, 0, 25_000]
    assert texts.notes == ["left out, since in no folder of a label: 5 files, such as aclImdb/imdbEr.txt"]
    corpus = share_out(texts, TextSpanSection(), 0)
    assert corpus.dropped == {"also_in_validation_or_test": 144, "also_in_test": 18}
    assert {span: len(corpus.of(span)) for span in ("train", "validation", "test")} == {
        "train": 19_856,
        "validation": 4_982,
        "test": 25_000,
    }
