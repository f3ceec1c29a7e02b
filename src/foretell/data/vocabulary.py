"""What texts are cut into, and the number of each piece: learned on training texts alone, kept as JSON.

The pieces are found and counted by Hugging Face's tokenizers; what is kept is ours, so that a model folder can name
nothing that would be run. Number 0 fills texts up, 1 stands for whatever is not known, and frequent pieces come first,
so that a network of 10,000 words reads a larger vocabulary by counting what lies beyond as unknown.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ..config import TokenSection
from ..errors import DataError
from .storage import TokenArray

PADDING, UNKNOWN = 0, 1
SPECIAL = ("[padding]", "[unknown]")
MOST_WORDS = 300_000
MOST_TOKENS = 2_000_000  # of a vocabulary from a model folder
TAG = r"</?[A-Za-z][^<>]{0,100}>"
WORD, MARK = r"\w+(?:['’]\w+)*", r"[^\w\s]"
_HALF = re.compile("[\ud800-\udfff]")
_AT_ONCE = 2048  # texts


@dataclass(frozen=True)
class Vocabulary:
    """The pieces that texts are cut into, and their numbers.

    Attributes:
        kind: ``words``, ``characters`` or ``bpe``.
        lowercase: Whether capital letters count as small ones.
        punctuation: Whether punctuation marks are words of their own.
        tokens: The pieces by number.
        merges: Which two pieces become one, in order (bpe).

    >>> learned = Vocabulary.learn(["so good, so good", "not so bad"], TokenSection())
    >>> learned.tokens
    ('[padding]', '[unknown]', 'so', 'good')
    >>> [tokens.tolist() for tokens in learned.encode(["Good, so bad"])]
    [[3, 1, 2, 1]]
    """

    kind: str
    lowercase: bool
    punctuation: bool
    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()

    @classmethod
    def learn(cls, texts: Iterable[str], section: TokenSection) -> "Vocabulary":
        """The pieces of some texts, the most frequent first; words that occur once stay unknown.

        Args:
            texts: Those of training.
            section: What they are cut into.

        Raises:
            DataError: There is no piece in them.
        """
        kind = section.tokens
        common: dict[str, Any] = {"special_tokens": list(SPECIAL), "show_progress": False}
        model: Any
        trainer: Any
        if kind == "bpe":
            model = models.BPE(unk_token=SPECIAL[UNKNOWN])
            trainer = trainers.BpeTrainer(vocab_size=section.vocabulary, **common)
        else:
            model = models.WordLevel(unk_token=SPECIAL[UNKNOWN])
            rare = 2 if kind == "words" else 1
            trainer = trainers.WordLevelTrainer(vocab_size=MOST_WORDS, min_frequency=rare, **common)
        tokenizer = _pipeline(Tokenizer(model), kind, lowercase=section.lowercase, punctuation=section.punctuation)
        tokenizer.train_from_iterator(map(whole, texts), trainer)
        numbers = tokenizer.get_vocab()
        tokens = tuple(sorted(numbers, key=numbers.__getitem__))
        if len(tokens) <= len(SPECIAL):
            raise DataError(f"the training texts hold no {kind} that could be learned from: each occurs once at most")
        merges: tuple[tuple[str, str], ...] = ()
        if kind == "bpe":
            pairs = [(first, second) for first, second in _merges(tokenizer)]
            merges = tuple(pair for pair in pairs if not {*pair, "".join(pair)} & set(SPECIAL))
        return cls(kind, section.lowercase, section.punctuation, tokens, merges)

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each piece."""
        return {token: number for number, token in enumerate(self.tokens)}

    def first(self, count: int) -> "Vocabulary":
        """The same with so many pieces, the most frequent; pieces of byte pairs depend on each other and stay all."""
        if self.kind == "bpe" or count >= len(self):
            return self
        return Vocabulary(self.kind, self.lowercase, self.punctuation, self.tokens[:count])

    def extended(self, texts: Iterable[str], section: TokenSection) -> "Vocabulary":
        """The same with further pieces of some texts behind its own; pieces of byte pairs stay what they are."""
        if self.kind == "bpe":
            return self
        try:
            more = Vocabulary.learn(texts, section).tokens
        except DataError:  # too few texts for any to come twice
            return self
        return replace(self, tokens=(*self.tokens, *(token for token in more if token not in self.numbers)))

    def encode(self, texts: Iterable[str]) -> Iterator[TokenArray]:
        """The numbers of each text's pieces."""
        source = iter(texts)
        while some := list(islice(source, _AT_ONCE)):
            for encoding in self._tokenizer.encode_batch_fast([whole(text) for text in some]):
                yield np.array(encoding.ids, np.int32)

    def pieces(self, text: str) -> tuple[TokenArray, list[tuple[int, int]]]:
        """The numbers of a text's pieces, and where each stands in it: its first letter, and the one after its last."""
        encoding = self._tokenizer.encode(whole(text))
        places = []
        following = [*(start for start, _ in encoding.offsets[1:]), len(text)]
        for number, (start, end), limit in zip(encoding.ids, encoding.offsets, following, strict=False):
            while self.kind != "characters" and end < limit and unicodedata.combining(text[end]):
                end += 1  # an accent that stands after its letter, and is no piece of its own
            if self.kind == "bpe" and end - start > 1 and text[start] == ">" and ">" not in self.tokens[number]:
                start += 1  # the blank that stands for a tag
            places.append((start, end))
        return np.array(encoding.ids, np.int32), places

    def document(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {
            "kind": self.kind,
            "lowercase": self.lowercase,
            "punctuation": self.punctuation,
            "tokens": list(self.tokens),
            **({"merges": [list(pair) for pair in self.merges]} if self.merges else {}),
        }

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> "Vocabulary":
        """The vocabulary that a model folder holds, which is not trusted.

        Raises:
            ValueError: It contradicts itself.
        """
        kind, tokens = document["kind"], tokens_of(document)
        merges = tuple((str(first), str(second)) for first, second in document.get("merges", ()))
        if kind not in ("words", "characters", "bpe") or not all(
            isinstance(token, str) and whole(token) == token for token in tokens
        ):
            raise ValueError("a vocabulary has a kind and tokens, which are texts")
        known = set(tokens)
        if not len(SPECIAL) < len(tokens) == len(known) <= MOST_TOKENS or tokens[: len(SPECIAL)] != SPECIAL:
            raise ValueError(f"the tokens of a vocabulary differ, the first are {', '.join(SPECIAL)}")
        if any(part not in known for pair in merges for part in (*pair, "".join(pair))):
            raise ValueError("what is merged in a vocabulary must be among its tokens")
        return cls(kind, document["lowercase"] is True, document["punctuation"] is True, tokens, merges)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        vocabulary = dict(self.numbers)
        model: Any
        if self.kind == "bpe":
            model = models.BPE(vocabulary, list(self.merges), unk_token=SPECIAL[UNKNOWN])
        else:
            model = models.WordLevel(vocabulary, unk_token=SPECIAL[UNKNOWN])
        return _pipeline(Tokenizer(model), self.kind, lowercase=self.lowercase, punctuation=self.punctuation)


def tokens_of(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """The tokens that a document of a vocabulary names, as far as they are not too many to be looked at.

    Raises:
        ValueError: They are.
    """
    tokens = document["tokens"]
    if not isinstance(tokens, list) or len(tokens) > MOST_TOKENS:
        raise ValueError(f"the tokens of a vocabulary are a list of at most {MOST_TOKENS:,}")
    return tuple(tokens)


def whole(text: str) -> str:
    """A text without halves of letters, which UTF-16 has and which nothing can write.

    >>> whole("a\\ud83db") == "a\\ufffdb"
    True
    """
    return _HALF.sub("\ufffd", text)


def _pipeline(tokenizer: Tokenizer, kind: str, *, lowercase: bool, punctuation: bool) -> Tokenizer:
    """How a text is cut before its pieces are looked up."""
    steps: list[Any] = [normalizers.NFC()]
    if kind != "characters":
        steps.append(normalizers.Replace(Regex(TAG), " "))  # what a page's tags say is for its layout
    if lowercase:
        steps.append(normalizers.Lowercase())
    tokenizer.normalizer = normalizers.Sequence(steps)
    if kind == "words":
        pattern = f"{WORD}|{MARK}" if punctuation else WORD
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    elif kind == "characters":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"(?m:.|\n)"), "isolated")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def _merges(tokenizer: Tokenizer) -> Iterator[Sequence[str]]:
    for pair in json.loads(tokenizer.to_str())["model"]["merges"]:
        yield pair if isinstance(pair, list) else pair.split(" ")
