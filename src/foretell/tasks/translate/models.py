"""What translates: copies, a dictionary, a network. All that each knows are plain values and arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64

from ...data.joint import BEGIN, END, PADDING, UNKNOWN, Cut, JointVocabulary
from ...data.storage import TokenArray
from ...decoding import Beam, Hypothesis, Prompt, Scores, Tokens, beam_search
from ...nn import EncoderDecoder
from ...nn.encoder_decoder import Maps, Memory, State, state_of_rows
from ...stopping import heed
from .config import EncoderDecoderSection
from .examples import filled

ROWS = 320  # texts that are written side by side
SQUARES = 32_000_000  # weights of a head of attention that are held at once
_NEVER = (PADDING, BEGIN)


@dataclass(frozen=True)
class Asked:
    """How translations are looked for.

    Attributes:
        beam: How many are followed at once.
        penalty: How much longer ones are favoured.
        length: Most tokens of each.
        copy_unknown: Whether unknown symbols are copied from where they are aligned.
        count: How many come back.
    """

    beam: int
    penalty: float
    length: int
    copy_unknown: bool = True
    count: int = 1


@runtime_checkable
class Model(Protocol):
    """What translates."""

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        ...

    def translations(self, texts: Sequence[str], vocabulary: JointVocabulary, asked: Asked) -> list[list["Answer"]]:
        """The translations of each text, the best first."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All it knows: plain values, and arrays."""
        ...


@dataclass(frozen=True)
class Answer:
    """A translation as a text.

    Attributes:
        text: The text.
        score: The logarithm of its probability; None where that is not known.
        compared: That as it is compared with those of other lengths.
    """

    text: str
    score: float | None = None
    compared: float | None = None


@dataclass(frozen=True)
class CopyModel:
    """What was read, as it is."""

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def translations(self, texts: Sequence[str], vocabulary: JointVocabulary, asked: Asked) -> list[list[Answer]]:
        """The texts themselves."""
        return [[Answer(text)] for text in texts]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Nothing."""
        return {}, {}


@dataclass(frozen=True)
class DictionaryModel:
    """Each word by another; what is not known stays as it is."""

    words: dict[str, str]

    @property
    def parameters(self) -> int:
        """A word for each."""
        return len(self.words)

    def translations(self, texts: Sequence[str], vocabulary: JointVocabulary, asked: Asked) -> list[list[Answer]]:
        """The words of each text, one by one."""
        return [[Answer(joined(self.words.get(word, word) for word in words_of(text)))] for text in texts]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All words."""
        return {"words": self.words}, {}


def words_of(text: str) -> list[str]:
    """The words and marks of a text, each with the blank before it, as a dictionary knows them.

    >>> words_of("A dog, wet.")
    ['▁a', '▁dog', ',', '▁wet', '.']
    """
    return _WORDS.words(text)


def joined(words: Any) -> str:
    """A text of such words."""
    return "".join(words).replace("▁", " ").strip()


_WORDS = JointVocabulary("words", True, ())
_CASED = JointVocabulary("words", False, ())


def cased_words(text: str) -> list[str]:
    """The same with capital letters as they are."""
    return _CASED.words(text)


@dataclass(frozen=True)
class Writing:
    """Texts that are being written.

    Attributes:
        memory: What the encoder read, a row for each source.
        owners: The source of each text.
        state: What the decoder read, a row for each text.
    """

    memory: Memory
    owners: Int64[np.ndarray, " row"]
    state: State


@dataclass(frozen=True)
class NetworkModel:
    """A network that reads one sequence and writes another, token by token."""

    network: EncoderDecoder
    section: EncoderDecoderSection

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return sum(weight.numel() for weight in self.network.parameters())

    def translations(self, texts: Sequence[str], vocabulary: JointVocabulary, asked: Asked) -> list[list[Answer]]:
        """What is likeliest; texts of like lengths are read side by side."""
        tokens = vocabulary.encode(texts)
        order = np.argsort([len(own) for own in tokens], kind="stable")[::-1].tolist()
        found: list[list[Answer]] = [[] for _ in texts]
        start = 0
        while start < len(order):
            heed()
            longest = max(1, len(tokens[order[start]]))
            # Of long texts fewer side by side: what attention holds grows with their square.
            size = max(1, min(ROWS // asked.beam, SQUARES // longest**2))
            some = order[start : start + size]
            start += size
            for place, each in zip(some, self.likeliest([tokens[own] for own in some], asked), strict=True):
                found[place] = [self._answer(texts[place], one, vocabulary, asked) for one in each[: asked.count]]
        return found

    def likeliest(self, sources: Sequence[TokenArray], asked: Asked) -> list[list[Hypothesis]]:
        """Translations of texts in tokens, all side by side, the best first.

        Args:
            sources: The tokens of the texts.
            asked: How they are looked for.
        """
        return beam_search(self, sources, Beam(asked.beam, asked.length, asked.penalty, END, _NEVER))

    def _answer(self, text: str, found: Hypothesis, vocabulary: JointVocabulary, asked: Asked) -> Answer:
        copies = {}
        if asked.copy_unknown and UNKNOWN in found.tokens:
            copies = self.copies(vocabulary.cut(text), found.tokens)
        return Answer(vocabulary.text(found.tokens, copies), found.score, found.compared)

    def copies(self, cut: Cut, tokens: Sequence[int]) -> dict[int, str]:
        """What stands for unknown tokens of a translation: the piece of the source that each looked at most.

        Of pieces that are unknown as well, where there are any. Without attention nothing is aligned.
        """
        maps = self.look(cut.tokens, tokens)
        if "cross" not in maps or not len(cut.tokens):
            return {}
        weights = torch.stack(maps["cross"]).mean((0, 2))[0][:, : len(cut.tokens)].numpy().copy()
        unknown = cut.tokens == UNKNOWN
        if unknown.any():
            weights[:, ~unknown] = -1
        return {
            place: cut.pieces[int(weights[place].argmax())] for place, token in enumerate(tokens) if token == UNKNOWN
        }

    def look(self, source: TokenArray, written: Sequence[int]) -> Maps:
        """The weights of attention for a text and its translation; both with the token that ends them.

        Args:
            source: The tokens of the text.
            written: Those of its translation.
        """
        maps: Maps = {}
        tokens, lengths = filled([source], end=True)
        target, _ = filled([np.array(written, np.int32)], begin=True)
        with torch.inference_mode():
            memory = self.network.encode(tokens, lengths, maps)
            sides = self.network.sides
            sides.decode(self.network.embedded(target), memory, sides.begin(memory), maps)
        return maps

    def begin(self, prompts: Sequence[Prompt]) -> tuple[Scores, Writing]:
        """What each translation begins with, given the tokens of its source."""
        tokens, lengths = filled([prompt.astype(np.int32) for prompt in prompts], end=True)
        device = self.network.embedding.device
        with torch.inference_mode():
            memory = self.network.encode(tokens.to(device), lengths.to(device))
            first = torch.full((len(prompts),), BEGIN, device=device)
            scores, state = self.network.step(first, memory, self.network.sides.begin(memory))
        return scores.cpu().numpy(), Writing(memory, np.arange(len(prompts)), state)

    def step(self, tokens: Tokens, state: Writing) -> tuple[Scores, Writing]:
        """What follows one more token of each text."""
        with torch.inference_mode():
            own = torch.from_numpy(tokens).to(self.network.embedding.device)
            scores, after = self.network.step(own, state.memory, state.state)
        return scores.cpu().numpy(), Writing(state.memory, state.owners, after)

    def chosen(self, state: Writing, rows: Int64[np.ndarray, " row"]) -> Writing:
        """Some texts; those of one source share what was read of it."""
        if len(rows) == len(state.owners) and np.array_equal(rows, np.arange(len(rows))):
            return state
        owners = state.owners[rows]
        left, own = np.unique(owners, return_inverse=True)
        shared = len(rows) // max(1, len(left))
        device = self.network.embedding.device
        if not np.array_equal(own, np.repeat(np.arange(len(left)), shared)):
            left, own = owners, np.arange(len(rows))
        memory = state.memory
        with torch.inference_mode():
            if len(left) != len(memory[0]) or not np.array_equal(left, np.arange(len(left))):
                places = torch.from_numpy(left).to(device)
                memory = tuple(part.index_select(0, places) for part in memory)
            some = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
            return Writing(memory, own, state_of_rows(state.state, some))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its options and weights."""
        values = {"tokens": self.network.tokens, "network": self.section.model_dump(mode="json")}
        return values, {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
