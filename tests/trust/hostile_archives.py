"""Archives that want out, or want all memory, as anybody can make them; none is larger than some megabytes."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from functools import cache
from typing import NamedTuple

GIGABYTE = 2**30
BOMB = 25 * 2**24  # bytes that a few hundred kilobytes unpack to, more than may be
TEXT = b"a good text\n"


class Hostile(NamedTuple):
    """An archive, and whether all in it that is read is harmless, so that it may be read."""

    name: str
    content: bytes
    harmless: bool = False


def entry(name: str, size: int = len(TEXT), kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A header."""
    own = tarfile.TarInfo(name)
    own.size, own.type, own.linkname = size if kind == tarfile.REGTYPE else 0, kind, link
    return own


def tar(*entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of headers, each with its bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for own in entries:
            head, body = own if isinstance(own, tuple) else (own, TEXT if own.type == tarfile.REGTYPE else b"")
            archive.addfile(head, io.BytesIO(body))
    return stream.getvalue()


def zipped(*files: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return stream.getvalue()


@cache
def zeros(size: int) -> bytes:
    """So many zeros in gzip, made without ever holding them."""
    packer, made = zlib.compressobj(9, 8, 31), []
    made += [packer.compress(bytes(2**24)) for _ in range(size // 2**24)]
    return b"".join([*made, packer.flush()])


def lying(content: bytes, size: int) -> bytes:
    """A zip whose directory says that its first file has another size than it has."""
    at = content.rindex(b"PK\1\2")
    head = content[: at + 24] + struct.pack("<I", size) + content[at + 28 :]
    return head[:22] + struct.pack("<I", size) + head[26:]


def headless(size: int, kind: bytes) -> bytes:
    """A tar header of a kind that says how long the name or record is that follows, and nothing of it."""
    own = tarfile.TarInfo("long")
    own.type, own.size = kind, size
    return own.tobuf(tarfile.GNU_FORMAT)


def archives() -> list[Hostile]:
    """All of them."""
    good = entry("r/train/pos/a.txt")
    names = {
        "absolute": "/tmp/foretell-was-here.txt",
        "above": "../foretell-was-here.txt",
        "far above": "r/train/pos/../../../../../foretell-was-here.txt",
        "backslashes": "..\\..\\foretell-was-here.txt",
        "drive": "C:\\foretell-was-here.txt",
        "drive and slash": "C:/foretell-was-here.txt",
        "share": "\\\\server\\share\\foretell-was-here.txt",
    }
    found = [Hostile(f"tar: {what}", tar(entry(name))) for what, name in names.items()]
    found += [Hostile(f"zip: {what}", zipped((name, TEXT))) for what, name in names.items()]
    kinds = {
        "symbolic link out": entry("r/train/pos/a.txt", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        "symbolic link in": entry("r/train/pos/b.txt", kind=tarfile.SYMTYPE, link="a.txt"),
        "hard link out": entry("r/train/pos/a.txt", kind=tarfile.LNKTYPE, link="../../etc/passwd"),
        "hard link in": entry("r/train/pos/b.txt", kind=tarfile.LNKTYPE, link="r/train/pos/a.txt"),
        "device of letters": entry("r/train/pos/a.txt", kind=tarfile.CHRTYPE),
        "device of blocks": entry("r/train/pos/a.txt", kind=tarfile.BLKTYPE),
        "pipe": entry("r/train/pos/a.txt", kind=tarfile.FIFOTYPE),
    }
    found += [Hostile(f"tar: {what} alone", tar(own)) for what, own in kinds.items()]
    folder = entry("r/train/pos", kind=tarfile.SYMTYPE, link="/tmp")
    found.append(Hostile("tar: a link and a file behind it", tar(folder, good), harmless=True))
    # Bombs: a huge file, huge ones in all, very many, one in another, and sizes that lie.
    huge = entry("r/train/pos/a.txt", 4 * GIGABYTE).tobuf(tarfile.GNU_FORMAT)
    found.append(Hostile("tar.gz: a file of 4 GB", gzip.compress(huge) + zeros(BOMB)))
    big = entry("r/train/pos/a.bin", GIGABYTE).tobuf(tarfile.GNU_FORMAT)
    found.append(
        Hostile("tar.gz: 400 MB of what nobody reads", gzip.compress(big) + zeros(BOMB) + gzip.compress(tar(good)))
    )
    several = [entry(f"r/train/pos/{number}.txt", 200 * 2**20).tobuf(tarfile.GNU_FORMAT) for number in range(4)]
    members = b"".join(gzip.compress(own) + zeros(208 * 2**20) for own in several)
    found.append(Hostile("tar.gz: four files of 200 MB", members))
    found.append(
        Hostile("tar: a size of 2^60", tar(good)[:124] + b"\x80" + (2**60).to_bytes(11, "big") + tar(good)[136:])
    )
    found.append(Hostile("tar: a size below zero", tar(good)[:124] + b"\xff" * 12 + tar(good)[136:]))
    found.append(Hostile("tar: a name of a gigabyte", headless(GIGABYTE, tarfile.GNUTYPE_LONGNAME)))
    found.append(
        Hostile(
            "tar.gz: a name of a gigabyte", gzip.compress(headless(GIGABYTE, tarfile.GNUTYPE_LONGNAME)) + zeros(BOMB)
        )
    )
    found.append(
        Hostile("tar.gz: a record of a gigabyte", gzip.compress(headless(GIGABYTE, tarfile.XHDTYPE)) + zeros(BOMB))
    )
    sparse = tarfile.TarInfo("r/train/pos/a.txt")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**50)}
    sparse.size = 512
    found.append(
        Hostile(
            "tar: a sparse file of a petabyte", tar((sparse, b"1\n0\n0\n".ljust(512, b"\0")), form=tarfile.PAX_FORMAT)
        )
    )
    found.append(
        Hostile("tar: a name of 5,000 letters", tar(entry("r/train/pos/" + "a" * 5000 + ".txt")), harmless=True)
    )
    found.append(Hostile("tar: names twice", tar(good, good), harmless=True))
    found.append(
        Hostile(
            "tar: names that look alike",
            tar(entry("r/train/pos\u202e/txt.a.txt"), entry("r/train/pos\u200b/a.txt")),
            harmless=True,
        )
    )
    found.append(Hostile("tar: a checksum that is wrong", b"x" + tar(good)[1:]))
    found.append(Hostile("tar: cut off", tar(good)[:700]))
    found.append(Hostile("tar.gz: cut off", gzip.compress(tar(good))[:-30]))
    found.append(Hostile("tar.bz2: damaged", bz2.compress(tar(good))[:60] + bytes(40)))
    found.append(Hostile("tar.xz: damaged", lzma.compress(tar(good))[:-20]))
    found.append(Hostile("tar.bz2: 400 MB of zeros", bz2.compress(bytes(2**25)) * 12))
    found.append(Hostile("tar.xz: 400 MB of zeros", lzma.compress(bytes(2**26), preset=0) * 6))
    whole = zipped(("r/train/pos/a.txt", bytes(100 * 2**20)))
    found.append(Hostile("zip: a file of 100 MB", whole, harmless=True))
    found.append(Hostile("zip: it says ten bytes", lying(whole, 10)))
    found.append(Hostile("zip: it says 4 GB", lying(zipped(("r/train/pos/a.txt", TEXT)), 2**32 - 2)))
    found.append(Hostile("zip: bzip2 of 128 MB that says ten bytes", lying(_many_bzip2(), 10)))
    found.append(Hostile("zip: files over each other", _overlapping()))
    found.append(Hostile("zip: one in another", zipped(("inner.zip", whole)), harmless=False))
    found.append(Hostile("zip: a directory elsewhere", _elsewhere(zipped(("r/train/pos/a.txt", TEXT)))))
    found.append(Hostile("zip: 2^63 files by zip64", _zip64(zipped(("r/train/pos/a.txt", TEXT)))))
    found.append(Hostile("zip: a symbolic link", _of_kind(stat.S_IFLNK)))
    found.append(Hostile("zip: a device of letters", _of_kind(stat.S_IFCHR)))
    locked = bytearray(zipped(("r/train/pos/a.txt", TEXT)))
    locked[6] |= 1
    locked[locked.rindex(b"PK\1\2") + 8] |= 1
    found.append(Hostile("zip: with a password", bytes(locked)))
    found.append(Hostile("zip: a file without a name", zipped(("", TEXT))))
    found.append(Hostile("zip: cut off", zipped(("r/train/pos/a.txt", TEXT))[:40]))
    found.append(
        Hostile("zip: a name of 60,000 letters", zipped(("r/train/pos/" + "a" * 60_000 + ".txt", TEXT)), harmless=True)
    )
    found.append(
        Hostile(
            "zip: packed in a way that nobody knows",
            zipped(("r/train/pos/a.txt", TEXT)).replace(b"\x08\x00", b"\x63\x00"),
        )
    )
    return found


def _of_kind(kind: int) -> bytes:
    """A zip that holds something which is no file, as Unix tells it."""
    stream, own = io.BytesIO(), zipfile.ZipInfo("r/train/pos/a.txt")
    own.create_system, own.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(own, b"/etc/passwd")
    return stream.getvalue()


def _many_bzip2() -> bytes:
    return zipped(("r/train/pos/a.txt", bytes(2**27)), how=zipfile.ZIP_BZIP2)


def _overlapping() -> bytes:
    """A zip whose directory names one file of 60 MB thirty times (Fifield, "A better zip bomb", 2019, in its simplest form)."""
    whole = zipped(("r/train/pos/a.txt", bytes(60 * 2**20)))
    start, end = whole.index(b"PK\1\2"), whole.index(b"PK\5\6")
    heads = whole[start:end] * 30
    tail = bytearray(whole[end:])
    tail[8:16] = struct.pack("<HHI", 30, 30, len(heads))
    return whole[:start] + heads + bytes(tail)


def _elsewhere(content: bytes) -> bytes:
    at = content.rindex(b"PK\5\6")
    return content[: at + 16] + struct.pack("<I", 2**32 - 2) + content[at + 20 :]


def _zip64(content: bytes) -> bytes:
    at, start = content.rindex(b"PK\5\6"), content.rindex(b"PK\1\2")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 2**63, 2**63, 2**63, start)
    return (
        content[:at]
        + record
        + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
        + content[at : at + 8]
        + b"\xff" * 12
        + bytes(2)
    )
