"""What a corpus is cut into so that it can be put together again: characters, bytes, words, pieces of byte pairs.

Every token stands for certain bytes of UTF-8, whatever its kind, so that a text is the bytes of its tokens one after
the other. Only a character that training never saw has no token; such stand as number 0 among characters and words.
"""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Int64
from tokenizers import Tokenizer as Pieces
from tokenizers import decoders, models, pre_tokenizers, trainers

from ..config import TokenizerSection
from ..errors import ConfigurationError, DataError, nearest
from .documents import lines_of
from .storage import TokenArray
from .vocabulary import MOST_TOKENS, tokens_of, whole

UNKNOWN = 0
KINDS = ("characters", "bytes", "words", "bpe")
WORDS, PIECES = 10_000, 1_000  # of a vocabulary whose size nobody named
CODE_POINTS = 0x110000 - 2048  # all that Unicode has, without halves of letters
_WORD = re.compile(r" ?\w+(?:['’]\w+)*| ?[^\w\s]|\s")
_AT_ONCE = 4096  # lines


@dataclass(frozen=True)
class Tokenizer:
    """The tokens that a text is cut into.

    Attributes:
        kind: One of ``KINDS``.
        tokens: What each stands for, by number; the first stands for what is not known, where there is such. Pieces of
            byte pairs are written in letters that stand for bytes, as GPT-2 does.
        merges: Which two pieces become one, in order (bpe).

    >>> tokenizer = Tokenizer.learn("so good, so bad", TokenizerSection())
    >>> tokenizer.tokens
    ('', ' ', ',', 'a', 'b', 'd', 'g', 'o', 's')
    >>> tokenizer.encode("good?").tolist(), tokenizer.decode([6, 7, 7, 5])
    ([6, 7, 7, 5, 0], 'good')
    """

    kind: str
    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()

    @classmethod
    def learn(cls, text: str, section: TokenizerSection) -> "Tokenizer":
        """The tokens of a text.

        Args:
            text: That of training.
            section: Their kind, and how many.

        Raises:
            DataError: It has fewer than two.
        """
        return cls.learn_in_parts([text], [text], section)

    @classmethod
    def learn_in_parts(cls, parts: Iterable[str], first: Iterable[str], section: TokenizerSection) -> "Tokenizer":
        """The tokens of a text that comes in parts, none of which ends within a word.

        Args:
            parts: That of training, in which all characters are looked for.
            first: That in which words and pieces of byte pairs are counted: all of it, or the first parts.
            section: Their kind, and how many.

        Raises:
            DataError: It has fewer than two characters.
        """
        seen, kind = set[str](), section.tokens
        for part in parts:
            seen.update(set(whole(part)))
        if len(seen) < 2:
            raise DataError("the training text holds one character again and again; there is nothing to learn")
        if kind == "bytes":
            return cls(kind, tuple(map(_letter, range(256))))
        if kind == "bpe":
            return cls._of_pairs(map(whole, first), section.vocabulary or PIECES)
        characters = sorted(seen)
        if kind == "characters":
            return cls(kind, ("", *characters))
        counts = Counter[str]()
        for part in first:
            counts.update(_WORD.findall(whole(part)))
        often = [word for word, count in counts.most_common() if count > 1 and len(word) > 1]
        return cls(kind, ("", *characters, *often[: section.vocabulary or WORDS]))

    @classmethod
    def _of_pairs(cls, parts: Iterable[str], size: int) -> "Tokenizer":
        if size < 257:
            raise ConfigurationError(
                f"a vocabulary of bpe begins with the 256 bytes: say 257 or more; found {size}", option="vocabulary"
            )
        alphabet = [_letter(byte) for byte in range(256)]
        pieces = _pieces(models.BPE())
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
        pieces.train_from_iterator((line for part in parts for line in lines_of(part)), trainer)
        numbers = pieces.get_vocab()
        merges = json.loads(pieces.to_str())["model"]["merges"]
        pairs = [pair if isinstance(pair, list) else pair.split(" ") for pair in merges]
        return cls("bpe", tuple(sorted(numbers, key=numbers.__getitem__)), tuple((one, two) for one, two in pairs))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def has_unknown(self) -> bool:
        """Whether there is a token for what is not known."""
        return self.kind in ("characters", "words")

    @cached_property
    def content(self) -> tuple[bytes, ...]:
        """The bytes that each token stands for."""
        if self.has_unknown:
            return tuple(token.encode() for token in self.tokens)
        return tuple(bytes(_BYTES[letter] for letter in token) for token in self.tokens)

    @cached_property
    def letters(self) -> Int64[np.ndarray, " token"]:
        """How many characters begin in each token; what is not known is one."""
        counts = [sum(byte & 0xC0 != 0x80 for byte in content) for content in self.content]
        return np.array([1, *counts[1:]] if self.has_unknown else counts, np.int64)

    @property
    def surprise(self) -> float:
        """Bits that tell which of all other characters an unknown one is; none where nothing is unknown."""
        known = sum(len(token) == 1 for token in self.tokens)
        return float(np.log2(CODE_POINTS - known)) if self.has_unknown else 0.0

    def encode(self, text: str) -> TokenArray:
        """The numbers of a text's tokens."""
        text = whole(text)
        if self.kind == "characters":
            return self._looked_up(text)
        if self.kind == "bytes":
            return np.frombuffer(text.encode(), np.uint8).astype(np.int32)
        if self.kind == "words":
            return np.fromiter(self._words(text), np.int32)
        found: list[TokenArray] = []
        lines = list(lines_of(text))
        for start in range(0, len(lines), _AT_ONCE):
            some = self._pairs.encode_batch_fast(lines[start : start + _AT_ONCE])
            found += [np.array(encoding.ids, np.int32) for encoding in some]
        return np.concatenate(found) if found else np.zeros(0, np.int32)

    def decode(self, numbers: Iterable[SupportsIndex]) -> str:
        """The text that tokens stand for; bytes that are no letter become �, and so does what is not known."""
        return b"".join(map(self._bytes_of, numbers)).decode("utf-8", "replace")

    def _bytes_of(self, number: SupportsIndex) -> bytes:
        return "\ufffd".encode() if number == UNKNOWN and self.has_unknown else self.content[number]

    def pieces(self, numbers: Iterable[SupportsIndex]) -> list[str]:
        """The letters of each token; what is half a letter's bytes waits for the other half."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return [decoder.decode(self._bytes_of(number)) for number in numbers]

    def unknown(self, text: str) -> list[tuple[int, str]]:
        """Characters of a text that training never saw, and where each stands first."""
        if not self.has_unknown:
            return []
        known = {token for token in self.tokens if len(token) == 1}
        first = {letter: place for place, letter in reversed(list(enumerate(whole(text)))) if letter not in known}
        return sorted((place, letter) for letter, place in first.items())

    def document(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        merges = {"merges": [list(pair) for pair in self.merges]} if self.merges else {}
        return {"kind": self.kind, "tokens": [] if self.kind == "bytes" else list(self.tokens), **merges}

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> "Tokenizer":
        """The tokenizer that a model folder holds, which is not trusted.

        Raises:
            ValueError: It contradicts itself.
        """
        kind, tokens = document["kind"], tokens_of(document)
        merges = tuple((str(one), str(two)) for one, two in document.get("merges", ()))
        if kind not in KINDS:
            raise ValueError(f"there is no kind of token called {kind!r}; {nearest(str(kind), KINDS)}")
        if (merges and kind != "bpe") or (tokens and kind == "bytes"):
            raise ValueError(f"{kind} need neither tokens nor merges of their own")
        if kind == "bytes":
            return cls(kind, tuple(map(_letter, range(256))))
        if not all(isinstance(token, str) and whole(token) == token for token in tokens):
            raise ValueError("tokens are texts")
        if not 2 < len(tokens) == len(set(tokens)) <= MOST_TOKENS or (tokens[0] == "") != (kind != "bpe"):
            raise ValueError("tokens differ, and the first stands for what is not known")
        if kind == "characters" and any(len(token) != 1 for token in tokens[1:]):
            raise ValueError("characters are single letters")
        if kind == "bpe":
            known = set(tokens)
            if any(not token or not set(token) <= _BYTES.keys() for token in tokens) or not _BYTES.keys() <= known:
                raise ValueError("pieces are made of letters that stand for bytes, each of which is a piece")
            if any(part not in known for pair in merges for part in (*pair, "".join(pair))):
                raise ValueError("what is merged must be among the tokens")
        return cls(kind, tokens, merges)

    def _looked_up(self, text: str) -> TokenArray:
        """The numbers of characters, found in one go."""
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        return self._points[np.minimum(points, len(self._points) - 1)]

    @cached_property
    def _points(self) -> TokenArray:
        """The number of each character by its place in Unicode; the last stands for all beyond."""
        known = [ord(token) for token in self.tokens[1:]]
        table = np.full(max(known) + 2, UNKNOWN, np.int32)
        table[known] = np.arange(1, len(self.tokens))
        return table

    def _words(self, text: str) -> Iterable[int]:
        """The numbers of words; what is no word of the vocabulary is spelled."""
        for word in _WORD.findall(text):
            number = self._numbers.get(word)
            if number is not None:
                yield number
            else:
                yield from (self._numbers.get(letter, UNKNOWN) for letter in word)

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @cached_property
    def _pairs(self) -> Pieces:
        return _pieces(models.BPE(dict(self._numbers), list(self.merges)))


def _pieces(model: Any) -> Pieces:
    pieces = Pieces(model)
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    return pieces


def _letter(byte: int) -> str:
    """The letter that stands for a byte: itself where it can be seen, else one from 256 on (Radford et al. 2019)."""
    return _LETTERS[byte]


def _letters() -> list[str]:
    seen = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in seen else chr(next(others)) for byte in range(256)]


_LETTERS = _letters()
_BYTES = {letter: byte for byte, letter in enumerate(_LETTERS)}
