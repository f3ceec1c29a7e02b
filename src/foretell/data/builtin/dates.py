"""Dates as people write them, and as ISO 8601 does: pairs that are made by a seed, the same everywhere.

Each day belongs to one span, in whatever form it is written, so that the days of test are new to whoever learned.
"""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

NAME = "dates"
PAIRS = 24_000
FIRST, DAYS = date(1900, 1, 1), 73_049  # up to the end of 2099
SHARES = {"train": 0.84, "validation": 0.06, "test": 0.10}
_MONTHS = "January February March April May June July August September October November December"
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)


def _word(words: str, number: int) -> str:
    return words.split(" ")[number]


def _month(day: date) -> str:
    return _word(_MONTHS, day.month - 1)


def _weekday(day: date) -> str:
    return _word(_WEEKDAYS, day.weekday())


def _ordinal(day: date) -> str:
    """The day of the month with its ending: 1st, 2nd, 3rd, 4th.

    >>> [_ordinal(date(2000, 1, day)) for day in (1, 2, 11, 23)]
    ['1st', '2nd', '11th', '23rd']
    """
    number = day.day
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _in_words(day: date) -> str:
    """The day of the month in words.

    >>> _in_words(date(2000, 1, 20)), _in_words(date(2000, 1, 31))
    ('twentieth', 'thirty-first')
    """
    if day.day <= 20:
        return _word(_ORDINALS, day.day - 1)
    tens, ones = divmod(day.day, 10)
    return f"{_word(_TENS, tens - 2)}-{_word(_ORDINALS, ones - 1)}" if ones else "thirtieth"


def _year(day: date) -> str:
    """The year in words, as it is said.

    >>> [_year(date(year, 1, 1)) for year in (1900, 1907, 1984, 2000, 2021)]
    ['nineteen hundred', 'nineteen oh seven', 'nineteen eighty-four', 'two thousand', 'twenty twenty-one']
    """
    century, rest = divmod(day.year, 100)
    if century == 20 and rest < 10:
        return f"two thousand {_word(_ONES, rest)}" if rest else "two thousand"
    said = _word(_ONES, century) if century < 20 else "twenty"
    if rest < 10:
        return f"{said} oh {_word(_ONES, rest)}" if rest else f"{said} hundred"
    if rest < 20:
        return f"{said} {_word(_ONES, rest)}"
    tens, ones = divmod(rest, 10)
    return f"{said} {_word(_TENS, tens - 2)}" + (f"-{_word(_ONES, ones)}" if ones else "")


FORMS: tuple[Callable[[date], str], ...] = (
    lambda day: f"{day.day} {_month(day)} {day.year}",
    lambda day: f"{_month(day)} {day.day}, {day.year}",
    lambda day: f"{day.day} {_month(day)[:3]} {day.year}",
    lambda day: f"{_month(day)[:3]} {day.day}, {day.year}",
    lambda day: f"{day.day:02}.{day.month:02}.{day.year}",
    lambda day: f"{day.day}.{day.month}.{day.year}",
    lambda day: f"{day.month:02}/{day.day:02}/{day.year}",
    lambda day: f"{day.month}/{day.day}/{day.year}",
    lambda day: f"{day.year}{day.month:02}{day.day:02}",
    lambda day: f"{day.day}-{_month(day)[:3].upper()}-{day.year}",
    lambda day: f"{_weekday(day)}, {_month(day)} {day.day}, {day.year}",
    lambda day: f"{_weekday(day)[:3]} {day.day} {_month(day)[:3]} {day.year}",
    lambda day: f"{_month(day)} {_ordinal(day)}, {day.year}",
    lambda day: f"the {_ordinal(day)} of {_month(day)}, {day.year}",
    lambda day: f"{day.year}, {_month(day)} {day.day}",
    lambda day: f"{_month(day).upper()} {day.day} {day.year}",
    lambda day: f"on {_weekday(day)}, the {_ordinal(day)} of {_month(day)} {day.year}",
    lambda day: f"in the year {day.year}, on {_month(day)} {_ordinal(day)}",
    lambda day: f"the {_in_words(day)} of {_month(day)}, {day.year}",
    lambda day: f"{_month(day)} the {_in_words(day)}, {_year(day)}",
)


def dates(count: int = PAIRS, seed: int = 0) -> list[tuple[str, str, str]]:
    """Dates in some form, as ISO writes them, and the span that the day belongs to.

    Args:
        count: How many.
        seed: Where days and forms come from.

    >>> dates(2)[0]
    ('Thursday, March 8, 2057', '2057-03-08', 'train')
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, count]))
    shares = np.cumsum(list(SHARES.values()))
    spans = np.searchsorted(shares[:-1], generator.random(DAYS), side="right")
    # Some days come up several times, in one form or several.
    days, forms = generator.integers(DAYS, size=count), generator.integers(len(FORMS), size=count)
    found = []
    for number, form in zip(days.tolist(), forms.tolist(), strict=True):
        day = FIRST + timedelta(days=number)
        found.append((FORMS[form](day), day.isoformat(), list(SHARES)[spans[number]]))
    return found
