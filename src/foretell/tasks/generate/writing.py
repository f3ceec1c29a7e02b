"""Writing on: prompts in, texts out, token by token."""

import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from ...data.storage import TokenArray
from ...data.tokenizer import UNKNOWN, Tokenizer
from ...decoding import Sampling, Scores, Tokens, beam_search, log_softmax, sample
from ...errors import ConfigurationError, DataError
from ...nn.threads import kernel_threads, usable_processors
from ...training.loop import SMALL
from ...training.seeds import threads
from .config import WritingSection
from .models import Model

_SHOWN = 5  # letters


@dataclass
class Text:
    """A text that was written on.

    Attributes:
        prompt: What it begins with.
        tokens: What was written, by number.
        pieces: The same in letters, token by token; half a letter's bytes wait for the other half.
        bits: How surprised the model was by each, in bits.
        entropies: How open it was what would come, in bits.
        text: What was written, up to where it stops.
        stopped: The text at which it stopped; nothing where it is as long as was asked.
    """

    prompt: str
    tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    bits: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    text: str = ""
    stopped: str | None = None


@dataclass(frozen=True)
class Writer:
    """What writes texts on.

    Attributes:
        model: Says what may come next.
        tokenizer: Its tokens.
        lowercase: Whether it knows small letters alone.
        opening: What stands before the beginning of a text, and is read before each prompt.
    """

    model: Model
    tokenizer: Tokenizer
    lowercase: bool
    opening: str = "\n"

    def encoded(self, prompt: str, section: WritingSection) -> TokenArray:
        """A prompt in tokens, after what stands before the beginning of a text.

        Raises:
            DataError: It holds letters that training never saw.
        """
        text = prompt.lower() if self.lowercase else prompt
        unknown = self.tokenizer.unknown(text)
        if unknown and section.on_unknown == "error":
            shown = ", ".join(f'"{letter}" at {place + 1}' for place, letter in unknown[:_SHOWN])
            more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
            raise DataError(
                f"a prompt may hold the {len(self.tokenizer) - 1} {self.tokenizer.kind} of the training text; it never "
                f"held {shown}{more}; leave them away, or say --on-unknown skip",
                value=unknown[0][1],
            )
        tokens = np.concatenate([self.tokenizer.encode(self.opening), self.tokenizer.encode(text)])
        kept = tokens[tokens != UNKNOWN] if self.tokenizer.has_unknown else tokens
        return kept if len(kept) else np.ones(1, np.int32)  # a text without any line may begin with anything

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Inside a block torch has one thread where the model is small: its steps are shorter than waiting."""
        with threads(1 if self.model.parameters < SMALL else 0), kernel_threads(usable_processors()):
            yield

    def write(self, prompts: Sequence[str], section: WritingSection, *, watch: bool = False) -> list[Text]:
        """Texts that begin with prompts, each as if it were alone.

        Args:
            prompts: What they begin with.
            section: How they are written.
            watch: Whether surprise and entropy of each token are kept.
        """
        with self.threads():
            return self._written(prompts, section, watch=watch) if prompts else []

    def _written(self, prompts: Sequence[str], section: WritingSection, *, watch: bool) -> list[Text]:
        if section.beam is not None:
            return [self.likeliest(prompt, section.beam, section.length, section)[0] for prompt in prompts]
        texts = [Text(prompt) for prompt in prompts]
        if section.stop or watch:
            for _ in self._steps(texts, section, watch=watch):
                pass
            return texts
        read = [self.encoded(prompt, section) for prompt in prompts]
        steps = sample(self.model, read, sampling_of(section, self.tokenizer), section.length, section.seed)
        for text, tokens in zip(texts, np.stack([drawn.tokens for drawn in steps]).T.tolist(), strict=True):
            text.tokens, text.text = tokens, self.tokenizer.decode(tokens)
        return texts

    def stream(self, text: Text, section: WritingSection, *, watch: bool = False) -> Iterator[str]:
        """Writes one text on, and gives its new letters as they come.

        What may be the beginning of a text at which writing stops is held back until it is known.
        """
        shown = 0
        if section.beam is not None:
            vars(text).update(vars(self.likeliest(text.prompt, section.beam, section.length, section)[0]))
            yield text.text
            return
        for _ in self._steps([text], section, watch=watch):
            safe = len(text.text) - _may_stop(text.text, section.stop)
            if safe > shown and text.stopped is None:
                yield text.text[shown:safe]
                shown = safe
        yield text.text[shown:]

    def likeliest(self, prompt: str, width: int, length: int, section: WritingSection) -> list[Text]:
        """The likeliest continuations, found by following so many at once; the likeliest first."""
        never = (UNKNOWN,) if self.tokenizer.has_unknown else ()
        found = beam_search(self.model, self.encoded(prompt, section), width, length, never)
        texts = []
        for own in found:
            text = Text(prompt, list(own.tokens), [self.tokenizer.decode([token]) for token in own.tokens])
            text.bits = [float(-own.score / np.log(2))]  # of all of it
            text.text = self.tokenizer.decode(own.tokens)
            self._cut(text, section, len(text.text))
            texts.append(text)
        return texts

    def following(self, prompt: str, count: int, length: int, section: WritingSection) -> list[Text]:
        """So many of the likeliest continuations of some tokens; with several tokens those that a wide beam finds."""
        whole = section.model_copy(update={"stop": ()})
        return self.likeliest(prompt, count if length == 1 else max(64, 8 * count), length, whole)[:count]

    def _steps(self, texts: list[Text], section: WritingSection, *, watch: bool) -> Iterator[None]:
        """Writes texts on, one token each at a time."""
        decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in texts]
        sampling = sampling_of(section, self.tokenizer)

        def ended(rows: Tokens, tokens: Tokens) -> np.ndarray:
            return np.array([texts[row].stopped is not None for row in rows])

        prompts = [self.encoded(text.prompt, section) for text in texts]
        steps = sample(self.model, prompts, sampling, section.length, section.seed, ended if section.stop else None)
        for drawn in steps:
            if watch:
                self._watch(texts, drawn.rows, drawn.tokens, drawn.scores)
            for row, token in zip(drawn.rows.tolist(), drawn.tokens.tolist(), strict=True):
                text = texts[row]
                piece = decoders[row].decode(self.tokenizer.content[token])
                text.tokens.append(token)
                text.pieces.append(piece)
                text.text += piece
                if section.stop:
                    self._cut(text, section, len(piece))
            yield
        for text, decoder in zip(texts, decoders, strict=True):
            if text.stopped is None:
                text.text += decoder.decode(b"", final=True)

    def _watch(self, texts: list[Text], rows: Tokens, tokens: Tokens, scores: Scores) -> None:
        logarithms = log_softmax(scores.astype(np.float64)) / np.log(2)
        open_ = -(np.exp2(logarithms) * np.where(np.isfinite(logarithms), logarithms, 0)).sum(axis=1)
        for place, row in enumerate(rows):
            texts[row].bits.append(float(-logarithms[place, tokens[place]]))
            texts[row].entropies.append(float(open_[place]))

    def _cut(self, text: Text, section: WritingSection, new: int) -> None:
        """Ends a text before what it is to stop at, where that has come with so many new letters."""
        found = [(text.text.find(stop, max(0, len(text.text) - new - len(stop))), stop) for stop in section.stop]
        places = [(place, stop) for place, stop in found if place >= 0 and stop]
        if places:
            place, text.stopped = min(places)
            text.text = text.text[:place]


def sampling_of(section: WritingSection, tokenizer: Tokenizer) -> Sampling:
    """How a token is drawn, as the options say."""
    return Sampling(
        temperature=0.0 if section.greedy else section.temperature,
        top_k=section.top_k,
        top_p=section.top_p,
        min_p=section.min_p,
        repetition_penalty=section.repetition_penalty,
        never=(UNKNOWN,) if tokenizer.has_unknown else (),
    )


def writing_section(options: dict[str, object]) -> WritingSection:
    """The options of writing, checked.

    Raises:
        ConfigurationError: One breaks its rule, or two exclude each other.
    """
    from .config import Writing

    section = Writing.build(options, environment={}).writing
    drawn = section.unusual() & {"temperature", "greedy", "top_k", "top_p", "min_p", "repetition_penalty"}
    if section.beam is not None and drawn:
        name = sorted(drawn)[0].replace("_", "-")
        raise ConfigurationError(f"--beam looks for the likeliest text and draws nothing; leave --{name} away")
    return section


def _may_stop(text: str, stops: Sequence[str]) -> int:
    """How many letters at the end of a text may be the beginning of one at which it stops."""
    return max((size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])), default=0)


def opening_of(training: str) -> str:
    """What stands before the beginning of a text: a blank line where training has such, else the end of a line."""
    return "\n\n" if "\n\n" in training.strip() else "\n"
