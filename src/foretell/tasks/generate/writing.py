"""Writing on: prompts in, texts out, token by token."""

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from ...data.storage import TokenArray
from ...data.tokenizer import UNKNOWN, Tokenizer
from ...decoding import Beam, Drawn, Sampling, Scores, Tokens, beam_search, entropies, log_softmax, sample
from ...errors import ConfigurationError, DataError
from ...training.seeds import steady
from ..asking import asked_section
from .config import Writing, WritingSection
from .models import Model

_SHOWN = 5  # letters


@dataclass
class Text:
    """A text that was written on.

    Attributes:
        prompt: What it begins with.
        tokens: What was written, by number.
        pieces: The same in letters, token by token (all at once where nobody watches); half a letter's bytes wait for
            the other half.
        bits: How surprised the model was by each, in bits; by all of it where it was looked for.
        entropies: How open it was what would come, in bits.
        stopped: The text at which it stopped; nothing where it is as long as was asked.
    """

    prompt: str
    tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    bits: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    stopped: str | None = None
    _end: str = ""

    @property
    def text(self) -> str:
        """What was written, up to where it stops."""
        return "".join(self.pieces)

    def stop(self, stops: Sequence[str]) -> None:
        """Ends before a text at which it is to stop, where that came with the last piece."""
        self._end += self.pieces[-1]
        places = [(place, stop) for stop in stops if stop and (place := self._end.find(stop)) >= 0]
        if not places:
            self._end = self._end[-max(map(len, stops)) :]
            return
        place, self.stopped = min(places)
        beyond = len(self._end) - place
        while beyond > 0 and beyond >= len(self.pieces[-1]):
            beyond -= len(self.pieces[-1])
            count = len(self.pieces) - 1
            del self.tokens[count:], self.pieces[count:], self.bits[count:], self.entropies[count:]
        if beyond:
            self.pieces[-1] = self.pieces[-1][:-beyond]


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
                f"a prompt may hold letters of the training text, which never held {shown}{more}; leave them away, or "
                "say --on-unknown skip",
                value=unknown[0][1],
            )
        tokens = np.concatenate([self.tokenizer.encode(self.opening), self.tokenizer.encode(text)])
        kept = tokens[tokens != UNKNOWN] if self.tokenizer.has_unknown else tokens
        return kept if len(kept) else np.ones(1, np.int32)  # a text without any line may begin with anything

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Inside a block torch has one thread where the model is small: its steps are shorter than waiting."""
        with steady(self.model.parameters):
            yield

    def write(
        self, prompts: Sequence[str], section: WritingSection, *, watch: bool = False, alike: bool = False
    ) -> list[Text]:
        """Texts that begin with prompts, each as if it were alone.

        Args:
            prompts: What they begin with.
            section: How they are written.
            watch: Whether surprise and entropy of each token are kept.
            alike: Whether prompts that are the same are gone on with in the same way.
        """
        with self.threads():
            return self._written(prompts, section, watch=watch, alike=alike) if prompts else []

    def _written(self, prompts: Sequence[str], section: WritingSection, *, watch: bool, alike: bool) -> list[Text]:
        if section.beam is not None:
            return [self.likeliest(prompt, section.beam, section.length, section)[0] for prompt in prompts]
        texts = [Text(prompt) for prompt in prompts]
        steps = self._steps(texts, section, alike=alike)
        if section.stop or watch:
            for _ in self._told(texts, steps, section, watch=watch):
                pass
            return texts
        for text, tokens in zip(texts, np.stack([drawn.tokens for drawn in steps]).T.tolist(), strict=True):
            text.tokens, text.pieces = tokens, [self.tokenizer.decode(tokens)]
        return texts

    def stream(self, text: Text, section: WritingSection, *, watch: bool = False) -> Iterator[str]:
        """Writes one text on, and gives its new letters as they come.

        What may be the beginning of a text at which writing stops is held back until it is known.
        """
        if section.beam is not None:
            vars(text).update(vars(self.likeliest(text.prompt, section.beam, section.length, section)[0]))
            yield text.text
            return
        held, shown, known = "", 0, 0
        for _ in self._told([text], self._steps([text], section), section, watch=watch):
            if text.stopped is None:
                held += "".join(text.pieces[known:])
                known = len(text.pieces)
                safe = len(held) - _may_stop(held, section.stop)
                if safe:
                    yield held[:safe]
                    held, shown = held[safe:], shown + safe
        yield text.text[shown:]

    def likeliest(self, prompt: str, width: int, length: int, section: WritingSection) -> list[Text]:
        """The likeliest continuations, found by following so many at once; the likeliest first."""
        never = (UNKNOWN,) if self.tokenizer.has_unknown else ()
        begun, ended = self.encoded(prompt, section), self._ends(section.stop) if section.stop else None
        texts: list[Text] = []
        for own in beam_search(self.model, [begun], Beam(width, length, never=never), ended)[0]:
            text = Text(prompt, bits=[float(-own.score / np.log(2))])
            for token, piece in zip(own.tokens, self.tokenizer.pieces(own.tokens), strict=True):
                text.tokens.append(token)
                text.pieces.append(piece)
                if section.stop and text.stopped is None:
                    text.stop(section.stop)
                if text.stopped is not None:
                    text.bits = []  # those of all of it are not those of what is left
                    break
            # A stop may end within a token, so that several are the same before it.
            if text.stopped is None or all(text.text != other.text for other in texts):
                texts.append(text)
        return texts

    def _ends(self, stops: Sequence[str]) -> Callable[[tuple[int, ...]], bool]:
        """Says whether the last of some tokens completes a text at which writing stops."""
        longest = max(len(stop.encode()) for stop in stops)  # of that many tokens at most, as each has a byte

        def ended(tokens: tuple[int, ...]) -> bool:
            return any(stop in self.tokenizer.decode(tokens[-longest:]) for stop in stops)

        return ended

    def following(self, prompt: str, count: int, length: int, section: WritingSection) -> list[Text]:
        """So many of the likeliest continuations of some tokens; with several tokens those that a wide beam finds."""
        whole = section.model_copy(update={"stop": ()})
        return self.likeliest(prompt, count if length == 1 else max(64, 8 * count), length, whole)[:count]

    def _steps(self, texts: list[Text], section: WritingSection, *, alike: bool = False) -> Iterator[Drawn]:
        """Draws tokens for texts; what is drawn for the copies of a prompt differs."""

        def ended(rows: Tokens, tokens: Tokens) -> np.ndarray:
            return np.array([texts[row].stopped is not None for row in rows])

        prompts = [self.encoded(text.prompt, section) for text in texts]
        sampling, stops = sampling_of(section, self.tokenizer), ended if section.stop else None
        return sample(self.model, prompts, sampling, section.length, section.seed, stops, alike=alike)

    def _told(
        self, texts: list[Text], steps: Iterator[Drawn], section: WritingSection, *, watch: bool
    ) -> Iterator[None]:
        """Writes down what is drawn, one token of each text at a time."""
        decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in texts]
        for drawn in steps:
            if watch:
                self._watch(texts, drawn.rows, drawn.tokens, drawn.scores)
            for row, token in zip(drawn.rows.tolist(), drawn.tokens.tolist(), strict=True):
                text = texts[row]
                text.tokens.append(token)
                text.pieces.append(decoders[row].decode(self.tokenizer.content[token]))
                if section.stop:
                    text.stop(section.stop)
            yield
        for text, decoder in zip(texts, decoders, strict=True):
            if text.stopped is None and text.pieces:
                text.pieces[-1] += decoder.decode(b"", final=True)

    def _watch(self, texts: list[Text], rows: Tokens, tokens: Tokens, scores: Scores) -> None:
        logarithms, open_ = log_softmax(scores.astype(np.float64)) / np.log(2), entropies(scores)
        for place, row in enumerate(rows):
            texts[row].bits.append(float(-logarithms[place, tokens[place]]))
            texts[row].entropies.append(float(open_[place]))


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


def writing_section(options: Mapping[str, object], environment: Mapping[str, str] | None = None) -> WritingSection:
    """The options of writing, checked.

    Args:
        options: By name.
        environment: What options that were not named may come from; nothing where None.

    Raises:
        UsageError: There is no such option.
        ConfigurationError: One breaks its rule, or two exclude each other.
    """
    section = asked_section(Writing, WritingSection, options, environment, "writing")
    drawn = section.unusual() & {"temperature", "greedy", "top_k", "top_p", "min_p", "repetition_penalty"}
    if section.beam is not None and drawn:
        name = sorted(drawn)[0].replace("_", "-")
        raise ConfigurationError(f"--beam looks for the likeliest text and draws nothing; leave --{name} away")
    return section


def _may_stop(text: str, stops: Sequence[str]) -> int:
    """How many letters at the end of a text may be the beginning of one at which it stops."""
    return max((size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])), default=0)


def opening_of(training: str, separator: str = "\n") -> str:
    """What stands before the beginning of a text.

    Args:
        training: The text that is learned from.
        separator: What stands between the texts that it is made of; a blank line tells more than a line's end.

    >>> opening_of("a\\n\\nb"), opening_of("a\\nb"), opening_of("a|b|", "|")
    ('\\n\\n', '\\n', '|')
    """
    if separator.strip("\n") and separator in training:
        return separator
    return "\n\n" if "\n\n" in training.strip() else "\n"
