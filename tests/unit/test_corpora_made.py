"""Made corpora: every text of theirs is whole, and what is broken is seen."""

import importlib.util

import pytest
from benchmarks.corpora.molecules import grammatical, molecule_list, parses
from benchmarks.corpora.tunes import faults, tune_book, tunes_of


def test_every_made_tune_is_whole_and_a_seed_makes_the_same_book() -> None:
    book = tune_book(200, seed=3)
    tunes = tunes_of(book)
    assert len(tunes) == 200
    assert [faults(tune) for tune in tunes] == [""] * 200
    assert tune_book(200, seed=3) == book != tune_book(200, seed=4)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("X:1\n", "", "the header needs X:"),
        ("L:1/8", "L:1/9", "the header needs L:"),
        ("K:", "Q:", "the header needs K:"),
        (" | ", " C | ", "long, not"),
        ("|: ", "|: H", "is no note"),
    ],
)
def test_a_broken_tune_is_seen(old: str, new: str, told: str) -> None:
    tune = tunes_of(tune_book(1))[0]
    assert told in faults(tune.replace(old, new, 1))


def test_a_tune_without_notes_is_broken() -> None:
    header = "\n".join(tunes_of(tune_book(1))[0].split("\n")[:6])
    assert faults(header) == "it has no notes"


def test_every_made_molecule_parses_and_all_differ() -> None:
    lines = molecule_list(2000, seed=5).splitlines()
    assert len(set(lines)) == 2000
    assert all(map(grammatical, lines))


@pytest.mark.skipif(importlib.util.find_spec("rdkit") is None, reason="RDKit is not installed")
def test_rdkit_parses_every_made_molecule_too() -> None:
    assert all(map(parses, molecule_list(500, seed=5).splitlines()))


@pytest.mark.parametrize(
    "smiles", ["", "C(", "C)", "C1CC", "CC=", "C==C", "FC(F)(F)(F)F", "O(C)(C)C", "C=(C)C(", "11", "(C)", "Cx", "C#N=C"]
)
def test_what_is_no_molecule_is_seen(smiles: str) -> None:
    assert not grammatical(smiles)


@pytest.mark.parametrize("smiles", ["C", "CCO", "C(=O)O", "c1ccccc1", "C1CCNCC1", "CC(C)(C)C#N", "Clc1ccncc1", "C=C"])
def test_what_is_a_molecule_parses(smiles: str) -> None:
    assert grammatical(smiles)
    assert parses(smiles)
