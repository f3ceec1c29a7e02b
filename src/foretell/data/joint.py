"""What both sides of pairs are cut into: one vocabulary, learned on training pairs, that can be put together again.

Pieces of byte pairs (Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016),
words or characters. A letter that training hardly saw has no token: it counts as unknown, and can be copied. Pieces
that no training pair uses, as they were only steps on the way to longer ones, have none either: where a new text needs
one it is cut into its parts.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from tokenizers import Encoding, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ..config import PieceSection
from ..errors import ConfigurationError, DataError
from .storage import TokenArray
from .vocabulary import MOST_TOKENS, tokens_of, whole

PADDING, UNKNOWN, BEGIN, END = range(4)
SPECIAL = ("[padding]", "[unknown]", "[begin]", "[end]")
KINDS = ("bpe", "characters", "words")
MOST = {"bpe": 8_000, "characters": 8_000, "words": 30_000}  # of a vocabulary whose size nobody named
RARE = 2  # times that a letter, or a word, must occur to have a token
BLANK = "▁"  # stands for the blank before a word
_WORD = rf"{BLANK}?\w+|{BLANK}?[^\w{BLANK}]|{BLANK}"
_AT_ONCE = 4096  # texts


class Cut(NamedTuple):
    """A text in tokens: their numbers, and what of the text each stands for, with the blank before it."""

    tokens: TokenArray
    pieces: list[str]


@dataclass(frozen=True)
class JointVocabulary:
    """The tokens of both sides.

    Attributes:
        kind: One of ``KINDS``.
        lowercase: Whether capital letters are read as small ones.
        tokens: What each stands for, by number; the first four are special, then the frequent ones.
        merges: Which two pieces become one, in order (bpe).

    >>> section = PieceSection(tokens="characters")
    >>> learned = JointVocabulary.learn(["a dog", "a cat"], ["ein Hund", "eine Katze"], section)
    >>> tokens = learned.encode(["a duck"])[0]
    >>> len(learned), int(tokens[-1]), learned.text(tokens, {5: "k"})
    (18, 1, 'a duck')
    """

    kind: str
    lowercase: bool
    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()

    @classmethod
    def learn(cls, sources: Iterable[str], targets: Iterable[str], section: PieceSection) -> "JointVocabulary":
        """The tokens of training pairs.

        Args:
            sources: The sources of training.
            targets: The targets of training.
            section: Their kind, and how many.

        Raises:
            ConfigurationError: More are wanted than there are.
            DataError: There is none.
        """
        sides = [[whole(text) for text in side] for side in (sources, targets)]
        empty = cls(section.tokens, section.lowercase, SPECIAL)
        found = (empty._with_pairs if section.tokens == "bpe" else empty._with_units)(sides, section.vocabulary)
        if len(found) <= len(SPECIAL):
            raise DataError(f"the training pairs hold no {section.tokens} that could be learned from")
        return found

    def _with_units(self, sides: Sequence[Sequence[str]], most: int | None) -> "JointVocabulary":
        """The same with the characters, or the words, of both sides."""
        total, kept = _counted(sides, self.words, RARE if self.kind == "words" else 1)
        units = sorted(kept, key=lambda own: (-total[own], own))
        _require(most, len(units) + len(SPECIAL), self.kind, "those that occur twice" if self.kind == "words" else "")
        units = units[: (most or MOST[self.kind]) - len(SPECIAL)]
        return JointVocabulary(self.kind, self.lowercase, (*SPECIAL, *units))

    def words(self, text: str) -> list[str]:
        """A text's characters or words, each as it is looked up."""
        normal = self._pipeline.normalizer.normalize_str(text)
        if self.kind == "characters":
            return list(normal)
        return [piece for piece, _ in self._pipeline.pre_tokenizer.pre_tokenize_str(normal)]

    def _with_pairs(self, sides: Sequence[Sequence[str]], most: int | None) -> "JointVocabulary":
        """The same with pieces of both sides that byte-pair encoding finds, those alone that texts use."""
        pipeline = _pipeline(Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN], fuse_unk=True)), "bpe", self.lowercase)
        total, kept = _counted(sides, pipeline.normalizer.normalize_str, RARE)
        rare = str.maketrans(dict.fromkeys(total.keys() - kept, " "))
        texts = [text.translate(rare) for side in sides for text in side]
        if most is not None and most < len(kept) + len(SPECIAL):
            raise ConfigurationError(
                f"--vocabulary {most} is too few for the {len(kept)} letters of the training pairs, each of which is a "
                f"piece; say {len(kept) + len(SPECIAL)} or more",
                option="vocabulary",
                value=most,
            )
        trainer = trainers.BpeTrainer(vocab_size=most or MOST["bpe"], special_tokens=list(SPECIAL), show_progress=False)
        pipeline.train_from_iterator(texts, trainer)
        numbers = pipeline.get_vocab()
        _require(most, len(numbers), "pieces", "")
        merges = tuple(
            (str(pair[0]), str(pair[1])) for pair in map(_as_pair, json.loads(pipeline.to_str())["model"]["merges"])
        )
        tokens = tuple(sorted(numbers, key=numbers.__getitem__))
        every = JointVocabulary("bpe", self.lowercase, tokens, merges)
        used = np.zeros(len(tokens), np.int64)
        for some in _in_parts(texts):
            for encoding in every._tokenizer.encode_batch_fast(some):
                used += np.bincount(encoding.ids, minlength=len(tokens))
        # Letters stay all, as what is not used is cut into them.
        alone = [len(token) == 1 for token in tokens]
        order = [int(own) for own in np.lexsort((np.arange(len(tokens)), -used)) if own >= len(SPECIAL)]
        own = tuple(tokens[number] for number in order if used[number] or alone[number])
        return JointVocabulary("bpe", self.lowercase, (*SPECIAL, *own), merges)

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, texts: Iterable[str]) -> list[TokenArray]:
        """The numbers of each text's tokens."""
        return [
            self._known(np.array(encoding.ids, np.int32))
            for some in _in_parts(map(whole, texts))
            for encoding in self._tokenizer.encode_batch_fast(some)
        ]

    def cut(self, text: str) -> Cut:
        """A text in tokens, with what each stands for."""
        text = whole(text)
        encoding: Encoding = self._tokenizer.encode(text)
        tokens: list[int] = []
        pieces: list[str] = []
        for number, piece, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
            if number == UNKNOWN:
                blank = BLANK if self.kind == "words" and self._begins(text, start) else ""
                tokens.append(number)
                pieces.append(blank + text[start:end].strip())
            else:
                for part in self._parts.get(number, (number,)):
                    tokens.append(part)
                    pieces.append(self.tokens[part] if part < len(self.tokens) else piece)
        return Cut(np.array(tokens, np.int32), pieces)

    def _begins(self, text: str, start: int) -> bool:
        """Whether a word stands at a text's beginning, or after a blank."""
        return start == 0 or text[start - 1].isspace() or text[start : start + 1].isspace()

    def text(self, tokens: Iterable[SupportsIndex], copies: Mapping[int, str] | None = None) -> str:
        """What tokens stand for.

        Args:
            tokens: Their numbers.
            copies: What stands for unknown ones, by their place.
        """
        shown = []
        for place, number in enumerate(tokens):
            if int(number) == UNKNOWN:
                shown.append((copies or {}).get(place, "\ufffd"))
            elif int(number) >= len(SPECIAL):
                shown.append(self.tokens[number])
        joined = "".join(shown)
        return joined if self.kind == "characters" else joined.replace(BLANK, " ").strip()

    def document(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        merges = {"merges": [list(pair) for pair in self.merges]} if self.merges else {}
        return {"kind": self.kind, "lowercase": self.lowercase, "tokens": list(self.tokens), **merges}

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> "JointVocabulary":
        """The vocabulary that a model folder holds, which is not trusted.

        Raises:
            ValueError: It contradicts itself.
        """
        kind, tokens = document["kind"], tokens_of(document)
        merges = tuple((str(one), str(two)) for one, two in document.get("merges", ()))
        if kind not in KINDS or not all(isinstance(token, str) and whole(token) == token for token in tokens):
            raise ValueError("a vocabulary has a kind and tokens, which are texts")
        if not len(SPECIAL) < len(tokens) == len(set(tokens)) <= MOST_TOKENS or tokens[: len(SPECIAL)] != SPECIAL:
            raise ValueError(f"the tokens of a vocabulary differ, the first are {', '.join(SPECIAL)}")
        if not all(tokens) or (kind == "characters" and any(len(token) != 1 for token in tokens[len(SPECIAL) :])):
            raise ValueError("tokens are not empty, and characters are single letters")
        if merges and kind != "bpe":
            raise ValueError(f"{kind} are not merged")
        letters, made = {token for token in tokens if len(token) == 1}, {"".join(pair) for pair in merges}
        if not {part for pair in merges for part in pair} <= letters | made:
            raise ValueError("what is merged is a letter, or was merged before")
        if kind == "bpe" and not set(tokens[len(SPECIAL) :]) <= letters | made:
            raise ValueError("pieces are letters, or merged of others")
        return cls(kind, document["lowercase"] is True, tokens, merges)

    def _known(self, numbers: TokenArray) -> TokenArray:
        """Numbers with each piece that has no token of its own in its parts."""
        if not self._parts or not (numbers >= len(self.tokens)).any():
            return numbers
        parts = [self._parts.get(number, (number,)) for number in numbers.tolist()]
        return np.array([part for own in parts for part in own], np.int32)

    @cached_property
    def _steps(self) -> list[str]:
        """Pieces that are only on the way to others, and have no token."""
        known = set(self.tokens)
        return [piece for piece in dict.fromkeys("".join(pair) for pair in self.merges) if piece not in known]

    @cached_property
    def _parts(self) -> dict[int, tuple[int, ...]]:
        """The tokens of each of these, by the number that it has beyond all tokens."""
        numbers = {token: number for number, token in enumerate(self.tokens)}
        pairs: dict[str, tuple[str, str]] = {}
        for first, second in self.merges:
            pairs.setdefault(first + second, (first, second))
        found: dict[str, tuple[int, ...]] = {}
        for piece in pairs:  # parts come before what is made of them
            if piece in numbers:
                found[piece] = (numbers[piece],)
            else:
                one, two = (found.get(part, (numbers.get(part, UNKNOWN),)) for part in pairs[piece])
                found[piece] = (*one, *two)
        return {len(self.tokens) + place: found[piece] for place, piece in enumerate(self._steps)}

    @cached_property
    def _pipeline(self) -> Tokenizer:
        return _pipeline(
            Tokenizer(models.WordLevel({SPECIAL[UNKNOWN]: 0}, SPECIAL[UNKNOWN])), self.kind, self.lowercase
        )

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        numbers = {token: number for number, token in enumerate((*self.tokens, *self._steps))}
        model: Any
        if self.kind == "bpe":
            model = models.BPE(numbers, list(self.merges), unk_token=SPECIAL[UNKNOWN], fuse_unk=True)
        else:
            model = models.WordLevel(numbers, unk_token=SPECIAL[UNKNOWN])
        return _pipeline(Tokenizer(model), self.kind, self.lowercase)


def _counted(
    sides: Sequence[Sequence[str]], cut: Callable[[str], Iterable[str]], least: int
) -> tuple[Counter[str], set[str]]:
    """How often each unit occurs, and which of them do so often enough: on one side, as a name stands on both."""
    counts: list[Counter[str]] = []
    for side in sides:
        counts.append(Counter())
        for text in side:
            counts[-1].update(cut(text))
    total = counts[0] + counts[1]
    return total, {unit for unit in total if max(own[unit] for own in counts) >= least}


def _require(most: int | None, found: int, kind: str, which: str) -> None:
    """Checks that there are as many tokens as were wanted.

    Raises:
        ConfigurationError: There are not.
    """
    if most is not None and most > found:
        raise ConfigurationError(
            f"--vocabulary asks for {most:,} {kind}, and the training pairs have {found:,}"
            f"{f' ({which})' if which else ''}; say --vocabulary {found} or fewer, or leave it out",
            option="vocabulary",
            value=most,
        )


def _as_pair(pair: Any) -> Sequence[str]:
    own: Sequence[str] = pair if isinstance(pair, list) else pair.split(" ")
    return own


def _in_parts(texts: Iterable[str]) -> Iterator[list[str]]:
    source = iter(texts)
    while some := list(islice(source, _AT_ONCE)):
        yield some


def _pipeline(tokenizer: Tokenizer, kind: str, lowercase: bool) -> Tokenizer:
    """How a text is cut before its pieces are looked up."""
    steps: list[Any] = [normalizers.NFC(), normalizers.Replace(BLANK, "_")]
    if lowercase:
        steps.append(normalizers.Lowercase())
    if kind == "characters":
        cut: Any = pre_tokenizers.Split(Regex(r"(?m:.|\n)"), "isolated")
    else:
        steps += [normalizers.Replace(Regex(r"\s+"), BLANK), normalizers.Prepend(BLANK)]
        cut = pre_tokenizers.Split(Regex(_WORD), "isolated")
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = cut
    return tokenizer
