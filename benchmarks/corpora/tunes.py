"""A book of made tunes in ABC notation, and a checker of headers and bars.

Walshaw, "The abc music standard 2.1" (2011): a tune begins with X: and ends its header with K:; notes are letters with
marks of octave and length, and between two bar lines they add up to the metre.
"""

import random
import re
from fractions import Fraction

_KEYS = ("G", "D", "A", "C", "Em", "Am", "Bm", "Ador")
_SCALE = "G,A,B,CDEFGABcdefgab"
_NOTES = re.findall(r"[A-Ga-g]'?,?", _SCALE)
# Rhythms of one bar, in units of L:1/8.
_RHYTHMS = {
    "4/4": ((2, 2, 2, 2), (2, 1, 1, 2, 1, 1), (1,) * 8, (3, 1, 2, 2), (4, 2, 2), (2, 2, 4), (1, 1, 1, 1, 2, 2)),
    "3/4": ((2, 2, 2), (2, 1, 1, 2), (4, 2), (3, 1, 2), (1,) * 6),
    "6/8": ((3, 3), (2, 1, 2, 1), (1,) * 6, (2, 1, 3), (3, 2, 1)),
}
_FORMS = {"4/4": "reel", "3/4": "waltz", "6/8": "jig"}
_TITLES = ("Morning", "Miller", "River", "Fox", "Harvest", "Sailor", "Winter", "Blackbird", "Garden", "Piper")
_HEADER = (
    ("X", r"\d+"),
    ("T", r"\S.*"),
    ("R", r"(reel|waltz|jig)"),
    ("M", r"(4/4|3/4|6/8)"),
    ("L", r"1/8"),
    ("K", r"[A-G][b#]?(m|dor|mix)?"),
)
_NOTE = re.compile(r"(?:[_^=]?[A-Ga-g][,']*|z)(\d*)(?:/(\d*))?")


def tune_book(tunes: int, seed: int = 0) -> str:
    """So many tunes, a blank line after each.

    >>> book = tune_book(2)
    >>> book.splitlines()[0], [faults(tune) for tune in tunes_of(book)]
    ('X:1', ['', ''])
    """
    chance = random.Random(seed)
    return "\n".join(_tune(number, chance) for number in range(1, tunes + 1))


def tunes_of(text: str) -> list[str]:
    """The tunes of a text: what stands between blank lines."""
    return [tune for tune in re.split(r"\n\s*\n", text.strip()) if tune.strip()]


def faults(tune: str) -> str:
    """What is wrong with a tune: nothing where its header is whole and each bar has the length of its metre."""
    lines = tune.strip().split("\n")
    fields = dict(line.split(":", 1) for line in lines[: len(_HEADER)] if re.match(r"[A-Z]:", line))
    for (name, rule), line in zip(_HEADER, [*lines, *[""] * len(_HEADER)], strict=False):
        if not re.fullmatch(f"{name}:{rule}", line):
            return f'the header needs {name}:; found "{line}"'
    body = lines[len(_HEADER) :]
    if not body:
        return "it has no notes"
    length = Fraction(fields["M"]) / Fraction(fields["L"])
    for line in body:
        for bar in re.split(r"\|\||\|\]|\|:|:\||\|", line):
            problem = _bar(bar.strip(), length)
            if problem:
                return problem
    return ""


def _bar(bar: str, length: Fraction) -> str:
    total, place = Fraction(0), 0
    if not bar:
        return ""
    while place < len(bar):
        if bar[place] == " ":
            place += 1
            continue
        note = _NOTE.match(bar, place)
        if note is None:
            return f'"{bar[place:]}" is no note'
        half = Fraction(1, int(note[2] or 2)) if note[2] is not None else 1
        total += int(note[1] or 1) * half
        place = note.end()
    return "" if total == length else f'the bar "{bar}" is {total} long, not {length}'


def _tune(number: int, chance: random.Random) -> str:
    metre = chance.choice(sorted(_RHYTHMS))
    title = f"The {chance.choice(_TITLES)}'s {chance.choice(_TITLES)}"
    header = [f"X:{number}", f"T:{title}", f"R:{_FORMS[metre]}", f"M:{metre}", "L:1/8", f"K:{chance.choice(_KEYS)}"]
    place, lines = chance.randrange(5, 12), []
    for part in range(2):
        rhythms = [chance.choice(_RHYTHMS[metre]) for _ in range(2)]
        bars = []
        for bar in range(4):
            notes = []
            for length in rhythms[bar % 2]:
                place = max(0, min(len(_NOTES) - 1, place + chance.choice((-2, -1, -1, 0, 1, 1, 2))))
                notes.append(_NOTES[place] + (str(length) if length > 1 else ""))
            bars.append(" ".join(notes))
        lines.append(f"|: {' | '.join(bars)} :|" if part == 0 else f"{' | '.join(bars)} |]")
    return "\n".join([*header, *lines]) + "\n"
