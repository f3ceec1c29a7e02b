"""Sound data of every kind, and faults that are put into them by a seed: each says where it lies."""

import csv
import gzip
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Fault:
    """A file with a fault.

    Attributes:
        arguments: Of ``foretell data check``.
        column: Where it lies; any one of them is enough.
        rows: In which rows (counted from 1) it lies: the first, and how far off a row may be told.
    """

    arguments: tuple[str, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = field(default=())
    off: int = 0


Random = np.random.Generator
Make = Callable[[Path, Random], Fault]


class Sound:
    """Sound data to start from: the real ones where they are at hand, else made ones.

    Args:
        data: The folder of real data; None where there is none.
    """

    def __init__(self, data: Path | None) -> None:
        self.data = data

    def table(self, number: int) -> tuple[pl.DataFrame, tuple[str, ...], tuple[str, ...]]:
        """A table, what reading it needs, and the columns into which faults are put."""
        if self.data is None:
            return _made_table(number), (), ("temperature", "pressure", "load")
        if number % 3 == 0:
            return (
                pl.read_csv(self.data / "forecast" / "ETTh1.csv", infer_schema_length=None),
                (),
                ("HUFL", "MUFL", "LUFL", "OT"),
            )
        if number % 3 == 1:
            weather = pl.read_csv(
                self.data / "forecast" / "nyc_weather_2013.csv", null_values="NA", infer_schema_length=None
            )
            station = weather.filter(pl.col("origin") == ("EWR", "JFK", "LGA")[number % 9 // 3])
            return station, (), ("temp", "dewp", "wind_speed", "pressure")
        import zipfile

        with zipfile.ZipFile(self.data / "forecast" / "jena_weather_2020.zip") as archive:
            weather = pl.read_csv(archive.read("weather/weather.csv"), encoding="utf8-lossy", infer_schema_length=None)
        return weather.head(20_000), ("--missing", "-9999"), ("T (degC)", "p (mbar)", "wv (m/s)", "Tdew (degC)")

    def texts(self, count: int, random: Random) -> list[tuple[str, str]]:
        """Texts with labels."""
        if self.data is None:
            return _made_texts(count, random)
        if not hasattr(self, "_reviews"):
            self._reviews = _reviews(self.data / "classify" / "aclImdb_labelled.tar.gz")
        return [self._reviews[place] for place in random.permutation(len(self._reviews))[:count].tolist()]

    def pairs(self) -> list[tuple[str, str]]:
        """Pairs of sentences."""
        if self.data is None:
            return _made_pairs()
        sides = [
            gzip.decompress((self.data / "translate" / f"val.{side}.gz").read_bytes()).decode().strip().split("\n")
            for side in ("en", "de")
        ]
        return list(zip(*sides, strict=True))


UNITS = {
    "fahrenheit": (1.8, 32.0),
    "celsius": (1 / 1.8, -32 / 1.8),
    "kelvin": (1.0, 273.15),
    "thousand": (1000.0, 0.0),
    "tenth": (0.1, 0.0),
    "kilometres": (3.6, 0.0),
}


def faults(sound: Sound) -> dict[str, Make]:
    """Sixty faults by name."""
    made: dict[str, Make] = {}
    for number, unit in enumerate([*UNITS, *UNITS]):
        made[f"units-{unit}-{number}"] = _bind(_units, sound, number, unit)
    for number in range(6):
        made[f"exchanged-{number}"] = _bind(_exchanged, sound, number)
        made[f"still-{number}"] = _bind(_still, sound, number)
    for number, kind in enumerate(("same", "affine", "noisy", "ahead", "ahead", "noisy-ahead")):
        made[f"copy-{kind}-{number}"] = _bind(_copied, sound, number, kind)
    for number in range(4):
        made[f"daylight-saving-{number}"] = _bind(_daylight, sound, number)
    for kind in ("misread", "other bytes"):
        made[f"letters-{kind}"] = _bind(_letters, sound, kind)
    for number, share in enumerate((0.05, 0.1, 0.15, 0.2)):
        made[f"noise-{number}"] = _bind(_noise, sound, share)
    for number in range(2):
        made[f"turned-{number}"] = _bind(_turned, sound)
        made[f"contradiction-{number}"] = _bind(_contradiction, sound)
        made[f"spelling-{number}"] = _bind(_spelling, sound, number)
        made[f"text-letters-{number}"] = _bind(_text_letters, sound)
    made["text-bytes"] = _bind(_text_bytes, sound)
    made["text-exchanged"] = _bind(_text_exchanged, sound)
    made["corpus-letters"] = _bind(_corpus_letters, sound)
    made["corpus-bytes"] = _bind(_corpus_bytes, sound)
    for number in range(3):
        made[f"shifted-{number}"] = _bind(_shifted, sound)
    for number in range(2):
        made[f"sides-{number}"] = _bind(_sides, sound)
        made[f"untranslated-{number}"] = _bind(_untranslated, sound)
    made["pair-letters"] = _bind(_pair_letters, sound)
    return made


def _bind(make: Callable[..., Fault], *known: Any) -> Make:
    return lambda folder, random: make(folder, random, *known)


def _begun(random: Random, rows: int, low: float = 0.25, high: float = 0.75) -> int:
    return int(rows * random.uniform(low, high))


def _written(folder: Path, frame: pl.DataFrame, arguments: tuple[str, ...]) -> tuple[str, ...]:
    frame.write_csv(folder / "table.csv")
    return ("table.csv", *arguments)


def _units(folder: Path, random: Random, sound: Sound, number: int, unit: str) -> Fault:
    """From some row on a column is in another unit."""
    frame, arguments, columns = sound.table(number)
    column, row = columns[random.integers(len(columns))], _begun(random, frame.height)
    factor, offset = UNITS[unit]
    values = frame[column].cast(pl.Float64).to_numpy().copy()
    values[row:] = values[row:] * factor + offset
    changed = frame.with_columns(pl.Series(column, values, nan_to_null=True))
    return Fault(_written(folder, changed, arguments), (column,), (row + 1,), frame.height // 20)


def _exchanged(folder: Path, random: Random, sound: Sound, number: int) -> Fault:
    """In some rows two columns stand in each other's place."""
    frame, arguments, columns = sound.table(number)
    pair = [("HUFL", "LUFL"), ("temp", "pressure"), ("T (degC)", "p (mbar)")][number % 3]
    one, other = pair if sound.data else columns[:2]
    row, count = _begun(random, frame.height), int(random.integers(30, 400))
    inside = pl.int_range(frame.height).is_between(row, row + count - 1)
    changed = frame.with_columns(
        pl.when(inside).then(pl.col(other)).otherwise(pl.col(one)).alias(one),
        pl.when(inside).then(pl.col(one)).otherwise(pl.col(other)).alias(other),
    )
    return Fault(_written(folder, changed, arguments), (one, other), (row + 1,), 3)


def _still(folder: Path, random: Random, sound: Sound, number: int) -> Fault:
    """For some rows a column says what it said before."""
    frame, arguments, columns = sound.table(number)
    column, row, count = (
        columns[random.integers(len(columns))],
        _begun(random, frame.height),
        int(random.integers(120, 400)),
    )
    values = frame[column].cast(pl.Float64).fill_null(strategy="forward").to_numpy().copy()
    values[row : row + count] = values[row]
    return Fault(_written(folder, frame.with_columns(pl.Series(column, values)), arguments), (column,), (row + 1,), 3)


def _copied(folder: Path, random: Random, sound: Sound, number: int, kind: str) -> Fault:
    """A column holds the target, perhaps in another unit, with noise, or of later."""
    frame, arguments, columns = sound.table(number)
    target = columns[random.integers(len(columns))]
    values = frame[target].cast(pl.Float64).to_numpy().copy()
    if kind == "affine":
        values = np.round(1.8 * values + 32, 2)
    if kind.startswith("noisy"):
        values = values + random.normal(0, 0.02 * np.nanstd(values), len(values))
    if kind.endswith("ahead"):
        lead = int(random.choice([1, 6, 24]))
        values = np.append(values[lead:], np.full(lead, np.nan))
    leaking = frame.with_columns(pl.Series("note", values, nan_to_null=True))
    return Fault((*_written(folder, leaking, arguments), "--target", target), ("note",))


def _daylight(folder: Path, random: Random, sound: Sound, number: int) -> Fault:
    """Local times: the hour before clocks are set back stands twice."""
    year = 2018 + number
    hours = pl.datetime_range(pl.datetime(year, 6, 1), pl.datetime(year, 12, 31), "1h", time_zone="UTC", eager=True)
    local = hours.dt.convert_time_zone(("Europe/Berlin", "America/New_York")[number % 2]).dt.replace_time_zone(None)
    values = np.cumsum(random.normal(size=len(hours)))
    repeated = int(local.is_duplicated().arg_true()[1])
    frame = pl.DataFrame({"time": local.dt.to_string("%Y-%m-%d %H:%M"), "power": values})
    return Fault(_written(folder, frame, ()), (), (repeated + 1, repeated), 0)


def _letters(folder: Path, random: Random, sound: Sound, kind: str) -> Fault:
    """Some names of a place are encoded otherwise."""
    days = [f"2024-0{month}-{day:02d}" for month in range(1, 10) for day in range(1, 29)]
    row = int(random.integers(20, 200))
    lines = ["time,town,sold"]
    lines += [f"{day},{town},{random.integers(100)}" for day in days for town in ("Köln", "Bonn")]
    encoded = [line.encode() for line in lines]
    place = 2 * row + 1
    encoded[place] = (
        lines[place].encode().decode("latin-1").encode() if kind == "misread" else lines[place].encode("latin-1")
    )
    (folder / "table.csv").write_bytes(b"\n".join(encoded) + b"\n")
    return Fault(("table.csv", "--series", "town"), (), (place, place + 1), 0)


def _texts(folder: Path, texts: list[tuple[str, str]]) -> tuple[str, ...]:
    with (folder / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(texts)
    return ("texts.csv",)


def _other(label: str, texts: list[tuple[str, str]]) -> str:
    return next(other for _, other in texts if other != label)


def _noise(folder: Path, random: Random, sound: Sound, share: float) -> Fault:
    """Some labels, at random, are the other one."""
    texts = sound.texts(1500, random)
    wrong = random.random(len(texts)) < share
    noisy = [(text, _other(label, texts) if bad else label) for (text, label), bad in zip(texts, wrong, strict=True)]
    return Fault(_texts(folder, noisy), (), tuple((np.flatnonzero(wrong) + 1).tolist()), 0)


def _turned(folder: Path, random: Random, sound: Sound) -> Fault:
    """All labels of a stretch of rows are the other one."""
    texts = sound.texts(1500, random)
    row, count = int(random.integers(100, 1200)), int(random.integers(60, 150))
    turned = [
        (text, _other(label, texts) if row <= place < row + count else label)
        for place, (text, label) in enumerate(texts)
    ]
    return Fault(_texts(folder, turned), (), (row + 1,), 12)


def _contradiction(folder: Path, random: Random, sound: Sound) -> Fault:
    """A text stands twice, with two labels."""
    texts = sound.texts(500, random)
    one, other = sorted(random.permutation(500)[:2].tolist())
    texts[other] = (texts[one][0], _other(texts[one][1], texts))
    return Fault(_texts(folder, texts), (), (one + 1, other + 1), 0)


def _spelling(folder: Path, random: Random, sound: Sound, number: int) -> Fault:
    """Some labels are written otherwise."""
    texts = sound.texts(500, random)
    rows = np.sort(random.permutation(500)[: 12 if number else 2]).tolist()
    for row in rows:
        text, label = texts[row]
        texts[row] = (text, label.upper() if number else f"{label[:-1]}{label[-1] * 2}")
    return Fault(_texts(folder, texts), (), tuple(row + 1 for row in rows), 0)


def _text_letters(folder: Path, random: Random, sound: Sound) -> Fault:
    """Some texts were decoded as another encoding than they were written in."""
    texts = sound.texts(500, random)
    rows = np.sort(random.permutation(500)[:5]).tolist()
    for row in rows:
        text = f"A café, “naïve” and déjà vu: {texts[row][0]}"
        texts[row] = (text.encode().decode("latin-1"), texts[row][1])
    return Fault(_texts(folder, texts), (), tuple(row + 1 for row in rows), 0)


def _text_bytes(folder: Path, random: Random, sound: Sound) -> Fault:
    """One line of a file is in another encoding."""
    texts = [(" ".join(text.split()), label) for text, label in sound.texts(300, random)]
    row = int(random.integers(10, 290))
    texts[row] = (f"schön {texts[row][0]}", texts[row][1])
    _texts(folder, texts)
    lines = (folder / "texts.csv").read_bytes().split(b"\r\n")
    lines[row + 1] = lines[row + 1].decode().encode("latin-1", "replace")
    (folder / "texts.csv").write_bytes(b"\r\n".join(lines))
    return Fault(("texts.csv",), (), (row + 2,), 0)


def _text_exchanged(folder: Path, random: Random, sound: Sound) -> Fault:
    """In one row text and label stand in each other's place."""
    texts = sound.texts(500, random)
    row = int(random.integers(500))
    texts[row] = (texts[row][1], texts[row][0])
    return Fault(_texts(folder, texts), (), (row + 1,), 0)


def _corpus(sound: Sound) -> list[str]:
    if sound.data:
        return (sound.data / "generate" / "nietzsche.txt").read_text("utf-8").split("\n")
    return [f"the {number} birds began to sing over the hills" for number in range(2000)]


def _corpus_letters(folder: Path, random: Random, sound: Sound) -> Fault:
    lines = _corpus(sound)
    place = int(random.integers(100, len(lines) - 100))
    lines[place] = "a café at the façade".encode().decode("windows-1252")
    (folder / "corpus.txt").write_text("\n".join(lines), "utf-8")
    return Fault(("corpus.txt",), (), (place + 1,), 0)


def _corpus_bytes(folder: Path, random: Random, sound: Sound) -> Fault:
    lines = [line.encode() for line in _corpus(sound)]
    place = int(random.integers(100, len(lines) - 100))
    lines[place] = "a café at the façade".encode("latin-1")
    (folder / "corpus.txt").write_bytes(b"\n".join(lines))
    return Fault(("corpus.txt",), (), (place + 1,), 0)


def _sides_written(folder: Path, pairs: list[tuple[str, str]]) -> tuple[str, ...]:
    for place, side in enumerate(("en", "de")):
        (folder / f"pairs.{side}").write_text("".join(f"{pair[place]}\n" for pair in pairs), "utf-8")
    return ("pairs.en", "pairs.de", "--task", "translate")


def _shifted(folder: Path, random: Random, sound: Sound) -> Fault:
    """A line of the targets stands too late, so that those between are one line off."""
    pairs = sound.pairs()
    row, count = int(random.integers(100, 500)), int(random.integers(20, 300))
    targets = [target for _, target in pairs]
    targets.insert(row + count, targets.pop(row))
    moved = [(source, target) for (source, _), target in zip(pairs, targets, strict=True)]
    return Fault(_sides_written(folder, moved), (), (row + 1,), 4)


def _sides(folder: Path, random: Random, sound: Sound) -> Fault:
    """In some pairs source and target stand in each other's place."""
    pairs = sound.pairs()
    rows = np.sort(random.permutation(len(pairs))[:3]).tolist()
    for row in rows:
        pairs[row] = (pairs[row][1], pairs[row][0])
    return Fault(_sides_written(folder, pairs), (), tuple(row + 1 for row in rows), 0)


def _untranslated(folder: Path, random: Random, sound: Sound) -> Fault:
    """Some targets are their sources."""
    pairs = sound.pairs()
    rows = np.sort(random.permutation(len(pairs))[:3]).tolist()
    for row in rows:
        pairs[row] = (pairs[row][0], pairs[row][0])
    return Fault(_sides_written(folder, pairs), (), tuple(row + 1 for row in rows), 0)


def _pair_letters(folder: Path, random: Random, sound: Sound) -> Fault:
    pairs = sound.pairs()
    row = int(random.integers(len(pairs)))
    pairs[row] = (pairs[row][0], f"{pairs[row][1]} schön".encode().decode("latin-1"))
    return Fault(_sides_written(folder, pairs), (), (row + 1,), 0)


def _reviews(path: Path) -> list[tuple[str, str]]:
    found = []
    with tarfile.open(path) as archive:
        for entry in archive:
            parts = entry.name.split("/")
            stream = archive.extractfile(entry) if entry.isfile() and parts[-2] in ("pos", "neg") else None
            if stream is not None:
                found.append((stream.read().decode(), parts[-2]))
            if len(found) == 20_000:
                break
    return found


def _made_table(number: int) -> pl.DataFrame:
    random = np.random.default_rng(number)
    hours = np.arange(6000)
    slow = np.cumsum(random.normal(0, 0.3, (len(hours), 3)), axis=0)
    slow -= 0.999 * np.array([np.convolve(own, np.ones(400) / 400, "same") for own in slow.T]).T
    day = np.sin(2 * np.pi * hours / 24)
    times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 12, 31), "1h", eager=True).head(len(hours))
    return pl.DataFrame(
        {
            "time": times.dt.to_string("%Y-%m-%d %H:%M"),
            "temperature": (12 + 5 * day + slow[:, 0]).round(2),
            "pressure": (1010 + 3 * slow[:, 1]).round(1),
            "load": (300 + 60 * day + 20 * slow[:, 2]).round(1),
        }
    )


def _made_texts(count: int, random: Random) -> list[tuple[str, str]]:
    words = {"pos": "lovely warm bright kind superb", "neg": "dull cold grey awful poor"}
    common = [
        "the",
        "film",
        "was",
        "and",
        "its",
        "story",
        "with",
        "actors",
        "who",
        "often",
        "seemed",
        "in",
        "every",
        "scene",
        "rather",
    ]
    texts = []
    for _ in range(count):
        label = ("pos", "neg")[int(random.integers(2))]
        some = [*random.choice(words[label].split(), 3), *random.choice(common, 12), str(random.integers(10_000))]
        texts.append((" ".join(random.permutation(some).tolist()), label))
    return texts


def _made_pairs() -> list[tuple[str, str]]:
    random = np.random.default_rng(0)
    nouns = [(f"thing{place}", f"ding{place}") for place in range(120)]
    verbs = [(f"sees{place}", f"sieht{place}") for place in range(60)]
    pairs = []
    for _ in range(1200):
        one, two, verb = nouns[random.integers(120)], nouns[random.integers(120)], verbs[random.integers(60)]
        pairs.append((f"the {one[0]} {verb[0]} a {two[0]} today", f"das {one[1]} {verb[1]} ein {two[1]} heute"))
    return pairs
