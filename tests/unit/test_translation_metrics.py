"""BLEU and chrF: sacrebleu's own figures, from sums, with intervals; the paired bootstrap; the dictionary."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.evaluation.dictionary import learn_dictionary
from foretell.evaluation.translation import Judged, bleu_of, resampled
from foretell.evaluation.uncertainty import Skill, pooled_skill

sacrebleu = pytest.importorskip("sacrebleu")
WANTED = ["Ein Hund rennt über die Wiese.", "Zwei Katzen schlafen auf dem Sofa, glaube ich.", "Ein Mann liest."]
SAID = ["Ein Hund läuft über die Wiese.", "Zwei Katzen schlafen auf einem Sofa.", "Ein Mann liest."]


def judged(said: list[str], wanted: list[str], **options: str) -> Judged:
    return Judged(said, wanted, np.array([len(text.split()) for text in wanted]), **options)


def test_figures_are_sacrebleus_with_its_signature() -> None:
    metrics = judged(SAID, WANTED, language="de").metrics()
    assert metrics["bleu"] == pytest.approx(sacrebleu.corpus_bleu(SAID, [WANTED]).score)
    assert metrics["chrf"] == pytest.approx(sacrebleu.corpus_chrf(SAID, [WANTED]).score)
    assert metrics["missing"] == pytest.approx(100 - metrics["bleu"])
    assert metrics["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert metrics["papers_signature"].startswith("nrefs:1|case:lc|eff:no|tok:none|")
    assert metrics["papers_signature"].endswith("of texts cut by sacremoses (de)")
    assert metrics["chrf_signature"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|")
    assert metrics["exact"] == pytest.approx(1 / 3)
    assert metrics["bleu_low"] <= metrics["bleu"] <= metrics["bleu_high"]


def test_the_papers_protocol_is_small_letters_cut_by_moses() -> None:
    cut = [text.lower().replace(".", " .").replace(",", " ,") for text in WANTED]
    own = [text.lower().replace(".", " .").replace(",", " ,") for text in SAID]
    expected = sacrebleu.corpus_bleu(own, [cut], tokenize="none", force=True).score
    assert judged(SAID, WANTED, language="de").metrics()["bleu_papers"] == pytest.approx(expected)
    capital = judged([text.upper() for text in WANTED], WANTED, language="de").metrics()
    assert capital["bleu_papers"] == pytest.approx(100)
    assert capital["bleu"] < 5


@given(st.lists(st.lists(st.sampled_from("a b c d . ,".split()), max_size=9), min_size=1, max_size=6), st.data())  # noqa: SIM905
def test_sums_of_statistics_make_sacrebleus_corpus_score(texts: list[list[str]], data: st.DataObject) -> None:
    wanted = [" ".join([*text, "a"]) for text in texts]
    said = [" ".join(data.draw(st.permutations(text))) for text in texts]
    own = judged(said, wanted)
    expected = sacrebleu.BLEU(max_ngram_order=own.order, force=True).corpus_score(said, [wanted]).score
    assert bleu_of(own.statistics.sum(0), own.order) == pytest.approx(expected)
    assert own.error(own.statistics.sum(0)) == pytest.approx(100 - expected)


def test_short_references_have_shorter_ngrams() -> None:
    metrics = judged(["cat", "dog"], ["cat", "fish"]).metrics()
    assert metrics["bleu"] == pytest.approx(50)
    assert metrics["bleu_signature"].endswith("|order:1")
    assert judged(SAID, WANTED).order == 4


def test_lengths_are_binned_and_each_bin_is_judged() -> None:
    wanted = [" ".join(["word"] * size) for size in (1, 1, 2, 3, 5, 8, 13, 21, 34, 55)]
    said = [text if len(text) < 60 else "nothing" for text in wanted]
    bins = judged(said, wanted).metrics()["by_length"]
    assert sum(own["count"] for own in bins) == 10
    assert bins[0]["from"] == 1
    assert bins[-1]["to"] == 55
    assert [own["exact"] for own in bins] == sorted((own["exact"] for own in bins), reverse=True)
    assert all(one["to"] < two["from"] for one, two in pairwise(bins))


def test_resamples_draw_the_same_texts_for_all() -> None:
    statistics = np.arange(12.0).reshape(1, 6, 2)
    sums = resampled(np.concatenate([statistics, 2 * statistics]), 50, np.random.default_rng(0))
    np.testing.assert_allclose(sums[1], 2 * sums[0])
    assert sums.shape == (2, 50, 2)


def ratio(sums: np.ndarray) -> float:
    return float(sums[0] / sums[1])


def numbers(errors: np.ndarray) -> np.ndarray:
    return np.stack([errors, np.ones(len(errors))], 1)[None]


def test_a_paired_bootstrap_tells_better_from_chance() -> None:
    generator = np.random.default_rng(0)
    hard = generator.random(400)
    better = pooled_skill(numbers(0.8 * hard), numbers(hard), ratio)
    assert better.value == pytest.approx(0.2)
    assert better.verdict == "better"
    assert better.low == pytest.approx(0.2)  # paired: what is hard for one is hard for the other
    assert better.p is not None
    assert better.p < 0.01
    worse = pooled_skill(numbers(hard), numbers(0.8 * hard), ratio)
    assert worse.verdict == "worse"
    noise = pooled_skill(numbers(hard + generator.normal(0, 0.1, 400)), numbers(hard), ratio)
    assert noise.verdict == "unclear"
    assert noise.p is not None
    assert noise.p > 0.05
    assert pooled_skill(numbers(hard[:5]), numbers(hard[:5]), ratio).low is None


def test_no_difference_is_unclear_and_sure_of_it() -> None:
    errors = numbers(np.random.default_rng(1).random(50))
    found = pooled_skill(errors, errors, ratio)
    assert (found.value, found.low, found.high, found.verdict, found.p) == (0.0, 0.0, 0.0, "unclear", 1.0)


def test_a_baseline_without_error_leaves_nothing_to_gain() -> None:
    found = pooled_skill(numbers(np.ones(20)), numbers(np.zeros(20)), ratio)
    assert math.isnan(found.value)
    assert (found.low, found.verdict) == (None, "worse")


def width(skill: Skill) -> float:
    assert skill.low is not None
    assert skill.high is not None
    return skill.high - skill.low


def test_several_seeds_widen_the_interval() -> None:
    generator = np.random.default_rng(0)
    base, own = generator.random(300) + 1, generator.random(300) + 1
    alone = pooled_skill(numbers(0.9 * own), numbers(base), ratio)
    three = np.concatenate([numbers(share * own) for share in (0.6, 0.9, 1.2)])
    several = pooled_skill(three, numbers(base), ratio)
    assert width(several) > 2 * width(alone)


def slow_dictionary(sources: list[list[str]], targets: list[list[str]], rounds: int) -> dict[str, str]:
    """IBM's Model 1 as its equations read."""
    others = sorted({word for text in targets for word in text})
    likely = {(one, two): 1.0 for text in sources for one in [*text, ""] for two in others}
    for _ in range(rounds):
        counts: dict[tuple[str, str], float] = {}
        for source, target in zip(sources, targets, strict=True):
            for two in target:
                total = sum(likely[one, two] for one in [*source, ""])
                for one in [*source, ""]:
                    counts[one, two] = counts.get((one, two), 0) + likely[one, two] / total
        sums: dict[str, float] = {}
        for (one, _two), count in counts.items():
            sums[one] = sums.get(one, 0) + count
        likely = {(one, two): counts.get((one, two), 0.0) / sums[one] for one, two in likely if one in sums}
    return {one: max(others, key=lambda two: likely[one, two]) for one in {word for text in sources for word in text}}


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4), st.permutations("xyz")),
        min_size=2,
        max_size=6,
    )
)
def test_the_dictionary_is_model_1(pairs: list[tuple[list[str], list[str]]]) -> None:
    sources, targets = [list(one) for one, _ in pairs], [list(two)[: len(one)] for one, two in pairs]
    found, slow = learn_dictionary(sources, targets, 3), slow_dictionary(sources, targets, 3)
    assert found.keys() == slow.keys()


def test_the_dictionary_finds_what_goes_together() -> None:
    sources = ["a dog", "a cat", "the dog", "the cat sleeps", "a dog sleeps"]
    targets = ["ein Hund", "eine Katze", "der Hund", "die Katze schläft", "ein Hund schläft"]
    one, two = ([text.split() for text in texts] for texts in (sources, targets))
    found, slow = learn_dictionary(one, two), slow_dictionary(one, two, 6)
    assert {word: found[word] for word in ("dog", "cat", "sleeps")} == {
        "dog": "Hund",
        "cat": "Katze",
        "sleeps": "schläft",
    }
    assert {word: slow[word] for word in ("dog", "cat", "sleeps")} == {
        word: found[word] for word in ("dog", "cat", "sleeps")
    }
