"""Samples of what a network writes, as on the slides: the same beginning at several temperatures."""

from collections.abc import Sequence
from typing import Any

from ...evaluation.novelty import SEARCHED, WORD, Known, distinct_letters, distinct_words, words_of
from ...evaluation.panels import Grid, Item, Number, Panel, Passage, Passages
from .config import SamplesSection, WritingSection
from .models import Model
from .prepare import PreparedCorpus
from .writing import Writer, opening_of

_BEGINNING = 60  # characters
_STRONG = -0.6  # how strongly a word is shaded that the corpus does not hold


def prompts_of(prepared: PreparedCorpus) -> list[str]:
    """What samples begin with: what the options name, else the beginning of validation, up to the end of a word."""
    named = prepared.configuration.samples.sample_prompts
    if named:
        return list(named)
    text = prepared.text("validation")
    # From the beginning of a line or of a word on, so that the first word is a whole one.
    breaks = [place for place in (text.find("\n", 0, 400), text.find(" ", 0, 400)) if place >= 0]
    beginning = text[breaks[0] + 1 if breaks else 0 :].lstrip()[:_BEGINNING]
    if "\n" in beginning.strip():  # where lines are short, whole ones
        return [beginning[: beginning.rindex("\n") + 1]]
    return [beginning.rsplit(" ", 1)[0] if " " in beginning else beginning]


def write_samples(model: Model, prepared: PreparedCorpus, seed: int) -> list[dict[str, Any]]:
    """Samples that a model writes, one for each beginning and temperature.

    Args:
        model: What writes.
        prepared: The text that it learned from, with what is wanted.
        seed: Where what is drawn comes from.
    """
    section, writer = prepared.configuration.samples, writer_of(model, prepared)
    prompts = prompts_of(prepared)
    samples = []
    for temperature in section.sample_temperatures:
        asked = WritingSection(temperature=temperature, length=section.sample_length, seed=seed, on_unknown="skip")
        texts = writer.write(prompts, asked)
        samples += [{"prompt": own.prompt, "temperature": temperature, "text": own.text} for own in texts]
    return sorted(samples, key=lambda own: prompts.index(own["prompt"]))


def writer_of(model: Model, prepared: PreparedCorpus) -> Writer:
    """What writes with a model of a corpus."""
    opening = opening_of(prepared.text("train"), prepared.configuration.corpus.separator)
    return Writer(model, prepared.tokenizer, prepared.configuration.corpus.lowercase, opening)


def samples_panel(heading: str, prose: str, samples: Sequence[tuple[str, dict[str, Any]]], known: Known) -> Panel:
    """Samples to read, words that the corpus does not hold shaded, and how new each is.

    Args:
        heading: Of the panel.
        prose: What they are of.
        samples: When each was written, in words, and what.
        known: The text that was learned from.
    """
    passages: list[Passage] = []
    rows: list[list[str | Number]] = []
    for when, own in samples:
        prompt, text = own["prompt"], own["text"]
        whole = prompt + text
        new = [(start, end) for start, end in known.new_words(whole) if end > len(prompt)]
        name = f"{when}temperature {own['temperature']:g}"
        passages.append(_passage(name, whole, new))
        words = max(1, len([match for match in WORD.finditer(whole) if len(prompt) < match.end() < len(whole)]))
        copy = known.longest_copy(text)
        distinct = [distinct_words(text), distinct_letters(text)]
        rows.append(
            [
                name,
                _opening(prompt),
                f"{len(new) / words:.1%}" if words_of(text) else "",
                *("" if share is None else f"{share:.2f}" for share in distinct),
                len(copy),
                " ".join(copy.split())[:_BEGINNING],
            ]
        )
    held = "the corpus" if known.whole else f"the first {len(known.text):,} characters of the corpus"
    where = "" if known.size <= SEARCHED else f", looked for in the first {SEARCHED:,} characters of the corpus"
    header = [
        "sample",
        "begins with",
        "new words",
        "distinct pairs of words",
        "distinct 8 letters",
        "longest copy",
        "which is",
    ]
    figures = Grid(
        "How new they are",
        header,
        rows,
        f"New words are those that are not in {held}. Low shares of distinct pairs mean that it repeats itself; "
        f"a long copy, in characters{where}, that it recites its training.",
    )
    items: list[Item] = [Passages("Texts", passages, f"Shaded: words that are not in {held}."), figures]
    return Panel(heading, prose, items)


def history_samples(history: Sequence[dict[str, Any]], section: SamplesSection) -> list[tuple[str, dict[str, Any]]]:
    """The samples that a training wrote after some of its epochs."""
    return [
        (f"epoch {record['epoch']}, ", own)
        for record in history
        if record["epoch"] in section.sample_epochs
        for own in record.get("samples", ())
    ]


def _opening(prompt: str) -> str:
    words = " ".join(prompt.split())
    return words if len(words) <= _BEGINNING else f"{words[: _BEGINNING - 3]}..."


def _passage(heading: str, text: str, shaded: list[tuple[int, int]]) -> Passage:
    pieces, strengths, place = [], [], 0
    for start, end in shaded:
        pieces += [text[place:start], text[start:end]]
        strengths += [0.0, _STRONG]
        place = end
    return Passage(heading, [*pieces, text[place:]], [*strengths, 0.0])
