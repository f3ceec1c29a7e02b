"""Word vectors that were learned elsewhere: text files as fastText and GloVe write them, plain or gzipped."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from ..errors import DataError, UnsafeFileError
from .encodings import decoded_lines
from .unpacking import unpacked
from .vocabulary import UNKNOWN, Vocabulary

WIDEST = 4096  # numbers of a vector


@dataclass(frozen=True)
class WordVectors:
    """The vectors of a vocabulary's words.

    Attributes:
        values: A vector for each word; zeros where the file has none.
        known: Which words the file has.
    """

    values: Float32[np.ndarray, "token unit"]
    known: Bool[np.ndarray, " token"]

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self.values.shape[1]


def read_vectors(path: Path, vocabulary: Vocabulary) -> WordVectors:
    """The vectors of a vocabulary's words from a file with a line for each word: the word, then its numbers.

    A first line with two numbers, how many words and how many numbers each, is passed over.

    Args:
        path: The file.
        vocabulary: Whose words are looked for; where it makes letters small, the first spelling that comes counts.

    Raises:
        DataError: There is no such file, a line is no vector, or the file has none of the words.
        UnsafeFileError: It is damaged.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        told = "there is no file" if isinstance(error, FileNotFoundError) else error.strerror
        raise DataError(f"the word vectors {path} cannot be read: {told}", file=str(path)) from None
    values: np.ndarray | None = None
    known = np.zeros(len(vocabulary), bool)
    width, line = 0, 0
    try:
        with file:
            for line, text in enumerate(decoded_lines(path.name, unpacked(file), "utf-8"), start=1):
                parts = text.rstrip().split(" ")
                if line == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                    continue
                width = width or len(parts) - 1
                if not 1 <= width <= WIDEST:
                    raise _no_vector(path, line, f"it has {width} numbers")
                if values is None:
                    values = np.zeros((len(vocabulary), width), np.float32)
                # A word may hold blanks in some files; its numbers are the last ones.
                word = " ".join(parts[:-width]) if len(parts) > width else ""
                if not word:
                    raise _no_vector(path, line, f"others have {width} numbers, it has {max(0, len(parts) - 1)}")
                word = unicodedata.normalize("NFC", word.lower() if vocabulary.lowercase else word)
                number = vocabulary.numbers.get(word, UNKNOWN)
                if number > UNKNOWN and not known[number]:
                    with np.errstate(over="ignore"):  # what is too large is told below
                        values[number] = [float(part) for part in parts[-width:]]
                    known[number] = True
    except ValueError:
        raise _no_vector(path, line, "what follows the word must be numbers") from None
    except (OSError, EOFError) as error:
        raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None
    if values is None:
        raise DataError(f"{path.name} is empty; a line is a word and its numbers", file=str(path))
    if not known.any():
        raise DataError(
            f"{path.name} has a vector for none of the {len(vocabulary)} words of the training texts; are they of "
            "another language, or is it no file of word vectors?",
            file=str(path),
        )
    if not np.isfinite(values).all():
        raise DataError(f"{path.name} holds numbers that are not finite", file=str(path))
    return WordVectors(values, known)


def _no_vector(path: Path, line: int, why: str) -> DataError:
    return DataError(
        f"{path.name}, line {line}: a line is a word and its numbers, with blanks between (fastText's .vec, GloVe's "
        f".txt); {why}",
        file=str(path),
        line=line,
    )
