"""Model folders that want their reader to run something, to read elsewhere, or to take all memory and time."""

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .watched import MARK

HUGE = 2**40
Spoil = Callable[[Path], object]


class Calling:
    """What a pickle calls as it is opened."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {MARK}",)


class Case(NamedTuple):
    """A model folder: of which sound one it is made, how, and the exit codes that it may have."""

    name: str
    of: str
    spoil: Spoil
    codes: tuple[int, ...] = (5, 3)


def cases() -> list[Case]:
    """All of them."""
    found = [
        Case(f"pickle of protocol {protocol} as {name}", "gru", writing(name, pickle.dumps(Calling(), protocol)))
        for protocol, name in enumerate(
            ("weights.safetensors", "model.json", "scaling.json", "weights.safetensors", "model.json", "scaling.json")
        )
    ]
    found += [Case(f"{of}: pickle as {name}", of, writing(name, pickle.dumps(Calling()))) for of, name in _BESIDE]
    found.append(Case("zip as weights", "gru", lambda folder: _zip(folder / "weights.safetensors")))
    found += [Case(f"weights: {what}", "gru", header(change)) for what, change in _HEADERS.items()]
    found += [Case(f"weights: {what}", "gru", writing("weights.safetensors", body)) for what, body in _BODIES.items()]
    found += [Case(f"model.json: {what}", "gru", writing("model.json", body)) for what, body in _JSONS.items()]
    found += [
        Case(f"vocabulary.json: {what}", "lstm", writing("vocabulary.json", body)) for what, body in _JSONS.items()
    ]
    found += [Case(f"{name} is {what}", "gru", make) for name in _OF_ONE for what, make in _no_files(name).items()]
    found += [Case(f"{of}: {what}", of, saying(file, *path, value=value)) for of, file, what, path, value in _VALUES]
    # What is wrong with its width shows where it is asked.
    width = saying("model.json", "model", "width", value=HUGE)
    found.append(Case("boosted-trees: 2^40 numbers a row", "boosted-trees", width, (5, 3, 0)))
    found.append(Case("old weights that ask for 43 GB", "gru", _old_weights))
    found.append(
        Case(
            "weights of 15 GB without a byte",
            "gru",
            lambda folder: os.truncate(folder / "weights.safetensors", 15 * 2**30),
        )
    )
    found.append(
        Case("a forest that goes in circles", "boosted-trees", tensor("trees/left", lambda count: bytes(4 * count)))
    )
    found.append(
        Case(
            "a forest of features that are not there",
            "boosted-trees",
            tensor("trees/feature", lambda count: b"\xff\xff\xff\x7f" * count),
        )
    )
    found.append(Case("a vocabulary of ten million entries", "lstm", _many_tokens))
    found.append(Case("a mixture of many", "writer", _many_members))
    return found


_BESIDE = (
    *((of, "vocabulary.json") for of in ("lstm", "tfidf", "writer", "gru-attention", "dictionary")),
    *((of, "weights.safetensors") for of in ("writer", "gru-attention", "boosted-trees", "ridge")),
)
_OF_ONE = ("model.json", "weights.safetensors", "scaling.json", "README.md")
_REGEX = {"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": []} | {
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False},
    "normalizer": {"type": "Replace", "pattern": {"Regex": "(x+x+)+y"}, "content": MARK},
}
_JSONS: dict[str, bytes] = {
    "a million levels": b"[" * 1_000_000,
    "a million levels of objects": b'{"a":' * 1_000_000,
    "a number of a million digits": b'{"task": "forecast", "format": ' + b"9" * 1_000_000 + b"}",
    "ten million entries": b'{"task": "forecast", "format": "1.2", "config": [' + b"{}," * 10_000_000 + b"{}]}",
    "no number": b'{"task": "forecast", "format": NaN}',
    "halves of letters": b'{"task": "\\ud800", "format": "1.2"}',
    "UTF-16": json.dumps({"task": "forecast", "format": "1.2"}).encode("utf-16"),
    "twice the same": b'{"task": "forecast", "format": "1.2", "task": "os:system"}',
    "a tokenizer with an exploding expression": json.dumps(_REGEX).encode(),
    "empty": b"",
    "code": f"__import__('os').system('touch {MARK}')".encode(),
}
_BODIES: dict[str, bytes] = {
    "a header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "a header of 2^64-1 bytes": b"\xff" * 8 + b"{}",
    "no header": struct.pack("<Q", 0),
    "a header that is cut off": struct.pack("<Q", 100) + b'{"a":',
    "a header of many names": (lambda body: struct.pack("<Q", len(body)) + body)(
        b"{"
        + b",".join(b'"a%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % number for number in range(250_000))
        + b"}"
    ),
    "four bytes": b"abcd",
}
_HEADERS: dict[str, dict[str, Any]] = {
    "overlapping": {"data_offsets": [0, 8]},
    "beyond the end": {"data_offsets": [0, 2**40]},
    "huge": {"data_offsets": [2**63, 2**63 + 4]},
    "below zero": {"data_offsets": [-8, 4]},
    "a shape whose product overflows": {"shape": [2**32, 2**32, 2**32]},
    "a shape below zero": {"shape": [-1, 3]},
    "a shape that is no list": {"shape": {"a": 1}},
    "a shape of many axes": {"shape": [1] * 100_000},
    "another kind": {"dtype": "F64"},
    "a kind that is none": {"dtype": "os.system"},
    "kinds of eight bits": {"dtype": "F8_E4M3"},
}
_VALUES: list[tuple[str, str, str, tuple[Any, ...], Any]] = [
    ("gru", "model.json", "2^40 units", ("model", "network", "units"), [HUGE]),
    ("gru", "model.json", "2^40 layers", ("model", "network", "layers"), HUGE),
    ("gru", "model.json", "2^40 quantiles", ("model", "quantiles"), HUGE),
    ("gru", "model.json", "a window of 2^40 rows", ("windows", "lookback"), HUGE),
    ("gru", "model.json", "2^40 rows needed", ("data", "rows_needed"), HUGE),
    ("gru", "model.json", "another task", ("task",), "dream"),
    ("gru", "model.json", "a task that is a path", ("task",), "../../os"),
    ("gru", "model.json", "a task that is a callable", ("task",), "os:system"),
    ("gru", "model.json", "a rung that is a callable", ("rung",), "os:system"),
    ("gru", "model.json", "a backbone", ("config", "backbone"), {"model": "os:system"}),
    ("gru", "model.json", "its network's kind", ("model", "network"), {"model": f"{MARK}:run"}),
    ("gru", "model.json", "a fold that there is not", ("data", "fold"), 1),
    ("gru", "scaling.json", "no deviation", ("deviation",), [[0.0, 0.0]]),
    ("gru", "scaling.json", "columns that are not there", ("targets",), ["../../etc/passwd"]),
    ("lstm", "model.json", "2^40 tokens", ("model", "tokens"), HUGE),
    ("lstm", "model.json", "vectors of 2^40 numbers", ("model", "embedding"), HUGE),
    ("lstm", "vocabulary.json", "merges of nothing", ("merges",), [["a", "b"]] * 10),
    ("writer", "model.json", "2^40 tokens", ("model", "tokens"), HUGE),
    ("ngram", "model.json", "n-grams of 2^40", ("model", "order"), HUGE),
    ("gru-attention", "model.json", "2^40 units", ("model", "network", "units"), [HUGE]),
    ("gru-attention", "model.json", "targets of 2^40 tokens", ("data", "longest"), HUGE),
    ("dictionary", "model.json", "words that are none", ("model", "words"), {"a": {"b": 1}}),
]


def writing(name: str, content: bytes) -> Spoil:
    """A file that holds something else."""
    return lambda folder: (folder / name).write_bytes(content)


def saying(name: str, *path: Any, value: Any) -> Spoil:
    """A document that says something else at one place."""

    def spoil(folder: Path) -> None:
        document = json.loads((folder / name).read_text("utf-8"))
        inner = document
        for own in path[:-1]:
            inner = inner[own]
        inner[path[-1]] = value
        (folder / name).write_text(json.dumps(document), "utf-8")

    return spoil


def header(change: dict[str, Any]) -> Spoil:
    """Weights whose first array is said to be another."""

    def spoil(folder: Path) -> None:
        path = folder / "weights.safetensors"
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        document = json.loads(content[8 : 8 + length])
        name = next(own for own in document if own != "__metadata__")
        document[name] |= change
        told = json.dumps(document).encode()
        path.write_bytes(struct.pack("<Q", len(told)) + told + content[8 + length :])

    return spoil


def tensor(name: str, numbers: Callable[[int], bytes]) -> Spoil:
    """Weights in which an array of 32-bit numbers has others."""

    def spoil(folder: Path) -> None:
        path = folder / "weights.safetensors"
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        first, last = json.loads(content[8 : 8 + length])[name]["data_offsets"]
        start = 8 + length
        path.write_bytes(content[: start + first] + numbers((last - first) // 4) + content[start + last :])

    return spoil


def _no_files(name: str) -> dict[str, Spoil]:
    def instead(make: Callable[[Path], object]) -> Spoil:
        def spoil(folder: Path) -> None:
            (folder / name).unlink()
            make(folder / name)

        return spoil

    secret = "/etc/passwd"
    return {
        "a link elsewhere": instead(lambda path: path.symlink_to(secret)),
        "a link to zeros without end": instead(lambda path: path.symlink_to("/dev/zero")),
        "a pipe": instead(os.mkfifo),
        "a folder": instead(Path.mkdir),
    }


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Calling()) + bytes(50_000_000))


def _old_weights(folder: Path) -> None:
    """Weights of format 1.0 that are a row of 180,000 numbers, which stands for a layer of 60,000 units."""
    told = json.dumps(
        {"recurrent.weight_ih_l0": {"dtype": "F32", "shape": [180_000, 1], "data_offsets": [0, 720_000]}}
    ).encode()
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(told)) + told + bytes(720_000))


def _many_tokens(folder: Path) -> None:
    tokens = ",".join(f'"{number:x}"' for number in range(6_000_000))
    text = f'{{"kind": "words", "lowercase": true, "punctuation": false, "tokens": ["[padding]","[unknown]",{tokens}]}}'
    (folder / "vocabulary.json").write_text(text)


def _many_members(folder: Path) -> None:
    document = json.loads((folder / "model.json").read_text("utf-8"))
    member = {"rung": "uniform", "model": {}}
    (folder / "model.json").write_text(
        json.dumps({**document, "rung": "mixture", "model": {"members": [member] * 300_000}})
    )
    count = 1_000
    told = {
        f"a{number}": {"dtype": "F32", "shape": [1], "data_offsets": [4 * number, 4 * number + 4]}
        for number in range(count)
    }
    head = json.dumps(told).encode()
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes(4 * count))


def made(case: Case, sound: Path, folder: Path) -> Path:
    """A copy of a sound model folder, spoilt."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    case.spoil(folder)
    return folder
