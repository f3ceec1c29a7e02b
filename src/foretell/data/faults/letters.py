"""Letters that were read in a wrong encoding before they came here: what is left of them, and what they were."""

import re
from collections.abc import Iterable

_HIGH = (
    "\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201e\u2020-\u2022"
)
_HIGH += "\u2026\u2030\u2039\u203a\u20ac\u2122"
# Bytes of UTF-8 read as Latin-1 or windows-1252: one that leads, and those that follow it.
_MISREAD = re.compile(f"[\u00c2-\u00df][{_HIGH}]|[\u00e0-\u00ef][{_HIGH}]{{2}}|[\u00f0-\u00f4][{_HIGH}]{{3}}")
REPLACED = "\ufffd"


def misread(text: str) -> tuple[str, str] | None:
    """The first letters of a text that are UTF-8 read in another encoding, and what they were; None where all is well.

    >>> misread("caf\u00c3\u00a9"), misread("it\u00e2\u20ac\u2122s"), misread("caf\u00e9, \u00c0 la carte")
    (('Ã©', 'é'), ('â€™', '’'), None)
    """
    if text.isascii():
        return None
    for found in _MISREAD.finditer(text):
        try:
            return found.group(), b"".join(map(_byte, found.group())).decode("utf-8")
        except UnicodeDecodeError:
            continue
    return None


def tell_misread(texts: Iterable[tuple[str, str]], what: str) -> list[str]:
    """Sentences about texts that were read in a wrong encoding.

    Args:
        texts: Each with the place where it stands.
        what: They are, in the plural.

    >>> tell_misread([("one", "a.csv, row 1"), ("caf\u00c3\u00a9", "a.csv, row 2")], "texts")
    ['1 of the texts was written as UTF-8 and read as another encoding: a.csv, row 2: "Ã©" was "é"']
    """
    wrong: list[str] = []
    lost: list[str] = []
    for text, place in texts:
        if (found := misread(text)) is not None:
            wrong.append(f'{place}: "{found[0]}" was "{found[1]}"')
        if REPLACED in text:
            lost.append(place)
    told = []
    if wrong:
        told.append(f"{_of(wrong, what)} written as UTF-8 and read as another encoding: {_shown(wrong)}")
    if lost:
        told.append(f"{_of(lost, what)} read in a wrong encoding before, and letters are lost (\ufffd): {_shown(lost)}")
    return told


def _byte(letter: str) -> bytes:
    try:
        return letter.encode("windows-1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")


def _of(found: list[str], what: str) -> str:
    return f"{len(found):,} of the {what} {'was' if len(found) == 1 else 'were'}"


def _shown(places: list[str], most: int = 5) -> str:
    more = f"; and {len(places) - most:,} more" if len(places) > most else ""
    return "; ".join(places[:most]) + more
