"""Files as bad luck and bad intent leave them: bits that flipped, ends cut off, lengths that lie. All from a number."""

import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]
LENGTHS = (0, 1, 2, 7, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (
    *(b"", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r\n", b'"', b"'", b",", b";", b"\t", b"{", b"}"),
    *(b"[", b"]", b"[" * 3000, b'{"a":' * 1500, b'""', b"null", b"true", b"NaN", b"-Infinity", b"1e400", b"-1", b"-0"),
    *(b"0", b"1e-400", b"1e308", b"9" * 20, b"9" * 5000, b"18446744073709551616", b"9223372036854775808", b"0x10"),
    *(
        b"2024-13-45",
        b"0000-00-00T00:00:00Z",
        b"9999-12-31 23:59:59",
        b"1970-01-01",
        b"\\ud800",
        b"\\u0000",
        b"a" * 9999,
    ),
    *(b"\xed\xa0\x80", b"\xc3", "ü".encode("latin-1"), "\u202e".encode(), "\U0001f600".encode("utf-16"), b"__class__"),
    *(b"../../etc/passwd", b"/dev/zero", b"os:system", b"%s%n", b"$(id)", b"=1+1", b"#" * 50, b"= ", b"[[a]]", b"''' "),
)


def mutated(
    name: str, number: int, seeds: Sequence[bytes], repair: Mutation | None = None, deep: Mutation | None = None
) -> bytes:
    """The file of a number, always the same.

    Args:
        name: The kind of file.
        number: Which of its mutations.
        seeds: Sound files of that kind.
        repair: What mends lengths and checksums, so that what lies deeper is read; one time in two.
        deep: What changes a sound file so that it still is one of its format; one time in two.
    """
    chance = random.Random(f"{name}:{number}")
    content = chance.choice(seeds)
    if deep is not None and chance.random() < 0.5:
        return deep(content, chance)
    for _ in range(chance.choice((1, 1, 1, 1, 2, 5))):
        content = chance.choice(_ALL)(content, chance) if chance.random() < 0.9 else _spliced(content, seeds, chance)
    return repair(content, chance) if repair is not None and chance.random() < 0.5 else content


def _flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _set(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    if changed:
        changed[chance.randrange(len(changed))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(changed)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _left_out(content: bytes, chance: random.Random) -> bytes:
    first, last = _stretch(content, chance)
    return content[:first] + content[last:]


def _doubled(content: bytes, chance: random.Random) -> bytes:
    first, last = _stretch(content, chance)
    return content[:last] + content[first:last] * chance.choice((1, 1, 2, 20)) + content[last:]


def _inserted(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice(WORDS) + content[at:]


def _replaced(content: bytes, chance: random.Random) -> bytes:
    first, last = _stretch(content, chance)
    return content[:first] + chance.choice(WORDS) + content[last:]


def _numbered(content: bytes, chance: random.Random) -> bytes:
    """A length somewhere that is another."""
    kind = chance.choice(("<H", "<I", "<Q", ">H", ">I"))
    size = struct.calcsize(kind)
    if len(content) < size:
        return content
    at = chance.randrange(len(content) - size + 1)
    own = chance.choice(LENGTHS) % (1 << 8 * size)
    return content[:at] + struct.pack(kind, own) + content[at + size :]


def _digits(content: bytes, chance: random.Random) -> bytes:
    """A number in a text that is another."""
    places = [place for place, byte in enumerate(content[:20_000]) if 48 <= byte <= 57]
    if not places:
        return content
    first = last = chance.choice(places)
    while last < len(content) and 48 <= content[last] <= 57:
        last += 1
    return content[:first] + str(chance.choice((-1, *LENGTHS))).encode() + content[last:]


def _stretch(content: bytes, chance: random.Random) -> tuple[int, int]:
    first = chance.randrange(len(content) + 1)
    return first, min(len(content), first + chance.choice((1, 1, 2, 4, 16, 64, 400)))


def _spliced(content: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(seeds)
    return content[: chance.randrange(len(content) + 1)] + other[chance.randrange(len(other) + 1) :]


_ALL: tuple[Mutation, ...] = (
    *(_flipped, _flipped, _set, _cut, _left_out, _doubled, _inserted, _inserted, _replaced, _replaced, _numbered),
    *(_numbered, _digits, _digits),
)


def png(content: bytes, _: random.Random) -> bytes:
    """A PNG whose chunks have the checksums and, where they end too late, the lengths that belong to them."""
    mended, at = content[:8], 8
    while at + 12 <= len(content):
        size = min(int.from_bytes(content[at : at + 4], "big"), len(content) - at - 12)
        body = content[at + 4 : at + 8 + size]
        mended += struct.pack(">I", size) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return mended


def tensors(content: bytes, chance: random.Random) -> bytes:
    """A safetensors file whose first eight bytes say how long its header is, or what is read as one."""
    end = content.rfind(b"}") - 7
    lie = chance.choice((None, None, *LENGTHS, end - 1, end + 1))
    return max(0, end if lie is None else lie).to_bytes(8, "little") + content[8:]


def parquet(content: bytes, chance: random.Random) -> bytes:
    """A Parquet file whose end says how long its footer is, as it was or otherwise."""
    if len(content) < 12:
        return b"PAR1" + content + b"PAR1"
    length = chance.choice((int.from_bytes(content[-8:-4], "little"), chance.choice(LENGTHS) % 2**32))
    return b"PAR1" + content[4:-8] + length.to_bytes(4, "little") + b"PAR1"


def document(content: bytes, chance: random.Random) -> bytes:
    """A JSON document in which some values are others."""
    found = json.loads(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        found = _changed(found, chance)
    return json.dumps(found).encode("utf-8", "surrogatepass")


def lines(content: bytes, chance: random.Random) -> bytes:
    """JSON lines, one of which is another."""
    found = content.splitlines()
    at = chance.randrange(len(found))
    return b"\n".join([*found[:at], document(found[at], chance), *found[at + 1 :]])


def header(content: bytes, chance: random.Random) -> bytes:
    """A safetensors file in whose header some values are others."""
    length = int.from_bytes(content[:8], "little")
    told = document(content[8 : 8 + length], chance)
    if b"position" in told and chance.random() < 0.5:
        own = json.loads(content[8 : 8 + length])
        own["__metadata__"]["position"] = document(own["__metadata__"]["position"].encode(), chance).decode()
        told = json.dumps(own).encode()
    return len(told).to_bytes(8, "little") + told + content[8 + length :]


def _changed(found: Any, chance: random.Random) -> Any:
    """A value, or something inside it, that is another."""
    if chance.random() < 0.15 or not isinstance(found, dict | list) or not found:
        return chance.choice(_VALUES)
    if isinstance(found, dict):
        name = chance.choice(list(found))
        turn = chance.random()
        if turn < 0.05:
            return {own: value for own, value in found.items() if own != name}
        if turn < 0.1:
            return {own if own != name else chance.choice(list(_NAMES)): value for own, value in found.items()}
        return {**found, name: _changed(found[name], chance)}
    at, turn = chance.randrange(len(found)), chance.random()
    if turn < 0.1:
        return found[:at] + found[at + 1 :]
    if turn < 0.2:
        return found[:at] + found[at : at + 1] * chance.choice((2, 2, 100)) + found[at + 1 :]
    if turn < 0.25:
        return [*found[:at], found[chance.randrange(len(found))], *found[at + 1 :]]
    return [*found[:at], _changed(found[at], chance), *found[at + 1 :]]


_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), "", "a", "0", "1", "-1"),
    *(2**31, 2**31 - 1, 2**40, 2**63, 2**63 - 1, 2**64, -(2**63), 10**30, 7, 100, 10_000, 16_384, 1_000_000),
    *([], {}, [[]], [None], {"": None}, [1, 2], {"a": {"b": []}}, "\ud800", "\0", "é", "\u202e", "a" * 5000, "x\ny"),
    *("F64", "BF16", "F8_E4M3", "BOOL", "I64", "U8", "F16", "C64", "[unknown]", "[padding]", "gru", "lstm", "ensemble"),
    *("mixture", "copy", "ridge", "ngram", "persistence", "majority", "boosted-trees", "os:system", "../../x", "bpe"),
    *("words", "characters", "bytes", [0], [0, 0], [1, 0], [-1, 4], [2**63, 2**63], [0, 2**40], [4, 8], [10**9, 10**9]),
)
_NAMES = (
    "",
    "a",
    "config",
    "model",
    "members",
    "tokens",
    "merges",
    "__metadata__",
    "rung",
    "units",
    "weights",
    "\ud800",
)
