"""Pictures: PNG, JPEG and WebP files of any depth, and arrays, as numbers from black (0) to white (1); and back.

How a camera was held is undone, what is transparent stays so, a colour profile is carried along. Other things that a
file tells of its maker, such as a place, are not.
"""

import hashlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..axes import AlphaArray, PixelArray
from ..errors import DataError, StorageError, UnsafeFileError, UsageError
from ..files import write_atomically

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
SMALLEST = 32  # rows and columns
_IMAGES = 6  # whole pictures of 32-bit numbers that a dream holds at most
_BAND = 1 << 20  # pixels that are converted at once
_OPENING = threading.Lock()
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error, OverflowError)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture.

    Attributes:
        pixels: Red, green and blue, from 0 to 1.
        alpha: How opaque each pixel is, from 0 to 255, where any is not.
        profile: What its colours mean (ICC), where that is told.
        name: The file that it comes from.
    """

    pixels: PixelArray
    alpha: AlphaArray | None = None
    profile: bytes | None = None
    name: str = "picture"

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def fingerprint(self) -> str:
        """A digest of what it shows."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        for part in (self.pixels, self.alpha):
            if part is not None:
                digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def showing(self, pixels: PixelArray) -> "Picture":
        """The same file's other picture.

        Args:
            pixels: Of the same size, where something is transparent.
        """
        return replace(self, pixels=pixels)

    def opaque(self) -> "Picture":
        """The same laid over white, where anything in it is transparent."""
        if self.alpha is None:
            return self
        share = self.alpha[..., None].astype(np.float32) / 255
        return replace(self, pixels=self.pixels * share + (1 - share), alpha=None)

    def bytes_array(self) -> np.ndarray:
        """Red, green and blue from 0 to 255, to the nearest."""
        return as_bytes(self.pixels)

    def image(self) -> "Image.Image":
        """The same as Pillow has it."""
        image = _pillow().fromarray(self.bytes_array())
        if self.alpha is not None:
            image.putalpha(_pillow().fromarray(self.alpha))
        return image

    def encoded(self, kind: str, about: str | None = None) -> bytes:
        """A file's content.

        Args:
            kind: PNG, JPEG or WEBP.
            about: What is written into a PNG beside the picture.
        """
        stream = io.BytesIO()
        settings: dict[str, Any] = {"icc_profile": self.profile} if self.profile else {}
        if kind == "PNG":
            from PIL.PngImagePlugin import PngInfo

            settings["pnginfo"] = PngInfo()
            if about is not None:
                settings["pnginfo"].add_itxt("foretell", about)
        elif kind == "JPEG":
            settings |= {"quality": 95, "subsampling": 0}
        else:
            settings |= {"quality": 95}
        (self.opaque() if kind == "JPEG" else self).image().save(stream, kind, **settings)
        return stream.getvalue()

    def save(self, path: str | Path, about: str | None = None) -> None:
        """Writes a file that is either whole or not there.

        Args:
            path: Ends in .png, .jpg, .jpeg or .webp.
            about: What is written into a PNG beside the picture.

        Raises:
            UsageError: It ends in something else.
            StorageError: It cannot be written.
        """
        path = Path(path)
        kind = format_of(path)
        try:
            content = self.encoded(kind, about)
        except (OSError, ValueError) as error:  # WebP has at most 16,383 rows and columns
            raise StorageError(f"{path} could not be written as {kind}: {error}", file=str(path)) from None
        write_atomically(path, content)


def as_bytes(pixels: PixelArray) -> np.ndarray:
    """Numbers from 0 to 1 as whole ones from 0 to 255, some rows at a time.

    >>> as_bytes(np.array([[[0, 0.5, 1]]], np.float32)).tolist()
    [[[0, 128, 255]]]
    """
    found = np.empty(pixels.shape, np.uint8)
    for rows in _bands(pixels.shape):
        found[rows] = np.rint(np.clip(pixels[rows], 0, 1) * 255)
    return found


def format_of(path: Path, option: str = "--output") -> str:
    """The format that a file's name says.

    Args:
        path: The file.
        option: What named it, for the error.

    Raises:
        UsageError: It is none that is written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f'{option} ends in {", ".join(FORMATS)}; found "{path.name}"')
    return FORMATS[path.suffix.lower()]


def read_picture(source: object, max_pixels: int | None = None, smallest: int = SMALLEST) -> Picture:
    """A picture from a file, what a file holds, an image of Pillow's, or an array.

    Args:
        source: A path; bytes; an image; or an array of rows, columns and colours, of 8 or 16 bits or from 0 to 1.
        max_pixels: Above which it is refused before it is decoded.
        smallest: Fewest rows and columns.

    Raises:
        DataError: It is no picture, or too small, or too large.
        UnsafeFileError: Its file is damaged.
    """
    if isinstance(source, Picture):
        _require_size(source.size, source.name, max_pixels, smallest)
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels, smallest)
    if not isinstance(source, str | Path | bytes):
        if not isinstance(source, _pillow().Image):
            raise DataError(f"a picture is a path, an image of Pillow's or an array; found {type(source).__name__}")
        _require_size((source.height, source.width), "the picture", max_pixels, smallest)
        try:
            return _decoded(source.copy(), "picture")
        except _DAMAGE as error:
            raise UnsafeFileError(f"the picture is damaged: {error}; it cannot be decoded to its end") from None
    if not isinstance(source, bytes) and Path(source).is_dir():
        raise DataError(f"{source} is a folder; name the pictures in it, as in {source}/*.jpg", file=str(source))
    name = "the picture" if isinstance(source, bytes) else str(source)
    with _opened(source, name) as image:
        height, width = image.height, image.width
        _require_size((height, width), name, max_pixels, smallest)
        short = "picture" if isinstance(source, bytes) else Path(source).name
        try:
            return _decoded(image, short)
        except MemoryError:
            raise _too_large(short, height, width, None) from None
        except _DAMAGE as error:
            raise UnsafeFileError(
                f"{name} is damaged: {str(error).strip() or type(error).__name__}; it cannot be decoded to its end",
                file=name,
            ) from None


@contextmanager
def _opened(source: str | Path | bytes, name: str) -> "Iterator[Image.Image]":
    """A file as Pillow opens it, without its limit: ours is asked beforehand, and names the memory."""
    pillow = _pillow()
    with _OPENING, warnings.catch_warnings():  # the limit, and what is warned of, are of the whole process
        before, pillow.MAX_IMAGE_PIXELS = pillow.MAX_IMAGE_PIXELS, None
        try:
            warnings.filterwarnings("ignore", module="PIL")  # on details of files
            try:
                file = io.BytesIO(source) if isinstance(source, bytes) else source
                image = pillow.open(file, formats=("PNG", "JPEG", "WEBP"))
            except FileNotFoundError:
                raise DataError(f"there is no file {name}", file=name) from None
            except _DAMAGE as error:
                raise _no_picture(source, name, error) from None
            with image:
                yield image
        finally:
            pillow.MAX_IMAGE_PIXELS = before


def _no_picture(source: str | Path | bytes, name: str, error: Exception) -> DataError | UnsafeFileError:
    """What is said of what Pillow does not open."""
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(f"{name} cannot be read: {error.strerror}", file=name)
    beginning = source[:12] if isinstance(source, bytes) else b""
    if not isinstance(source, bytes):
        with Path(source).open("rb") as file:
            beginning = file.read(12)
    if beginning.startswith((b"\x89PNG", b"\xff\xd8\xff")) or beginning[8:] == b"WEBP":
        return UnsafeFileError(f"{name} is damaged: its header breaks off or makes no sense", file=name)
    found = "nothing (0 bytes)" if not beginning else f"something else (it begins with {beginning[:8]!r})"
    return DataError(f"{name} is no picture: PNG, JPEG or WebP is needed; found {found}", file=name)


def _decoded(image: "Image.Image", name: str) -> Picture:
    from PIL import ImageOps

    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # which is a photo and its smaller selves
        warnings.warn(f"{name} is animated; its first frame is taken", stacklevel=2)
    profile = image.info.get("icc_profile")
    profile = profile if profile and profile[16:20] == b"RGB " else None  # others mean other colours
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        whole = np.asarray(image)
        clear = image.info.get("transparency")
        grey = np.clip(whole.astype(np.float32) / 65_535, 0, 1)
        cover = np.where(whole == clear, 0, 255).astype(np.uint8) if isinstance(clear, int) else None
        return Picture(np.repeat(grey[..., None], 3, axis=2), cover, name=name)
    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = np.array(image.getchannel("A"))
        alpha = None if (alpha == 255).all() else alpha
    whole = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return Picture(_from_bytes(whole, 255), alpha, profile, name)


def _from_bytes(whole: np.ndarray, white: int) -> PixelArray:
    pixels = np.empty(whole.shape, np.float32)
    for rows in _bands(whole.shape):
        np.divide(whole[rows], np.float32(white), out=pixels[rows], dtype=np.float32, casting="unsafe")
    return pixels


def _from_array(array: np.ndarray, max_pixels: int | None, smallest: int) -> Picture:
    array = np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array
    array = np.repeat(array, 3, axis=2) if array.ndim == 3 and array.shape[2] == 1 else array
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise DataError(f"an array of rows, columns and 3 colours is needed (or 4, or grey); found {array.shape}")
    _require_size(array.shape[:2], "the picture", max_pixels, smallest)
    if array.dtype in (np.uint8, np.uint16):
        pixels = _from_bytes(array, np.iinfo(array.dtype).max)
    elif array.dtype.kind == "f":
        pixels = array.astype(np.float32)
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise DataError("an array of numbers with a fraction must lie between 0 and 1; divide it by 255")
    else:
        raise DataError(f"an array of 8 or 16 bits, or from 0 to 1, is needed; found {array.dtype}")
    alpha = as_bytes(pixels[..., 3:])[..., 0] if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(pixels[..., :3]), alpha)


def _require_size(size: tuple[int, ...], name: str, max_pixels: int | None, smallest: int) -> None:
    height, width = size
    if min(height, width) < smallest:
        raise DataError(
            f"{name} has {width}×{height} pixels; at least {smallest}×{smallest} are needed for anything to be seen in "
            "it; scale it up",
            width=width,
            height=height,
        )
    if max_pixels is not None and height * width > max_pixels:
        raise _too_large(name, height, width, max_pixels)


def _too_large(name: str, height: int, width: int, most: int | None) -> DataError:
    needed = f"it would need about {_IMAGES * 12 * height * width / 1e9:.1f} GB of memory"
    if most is None:
        remedy = "there is not so much; scale it down"
    else:
        remedy = f"--max-pixels allows {most:,}; scale it down, or allow {height * width}"
    return DataError(f"{name} has {width}×{height} pixels, {needed}; {remedy}", width=width, height=height)


def _bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """The rows of a picture, some at a time."""
    rows = max(1, _BAND // max(1, shape[1]))
    for top in range(0, shape[0], rows):
        yield slice(top, top + rows)


def _pillow() -> Any:
    """Pillow, which takes a tenth of a second."""
    from PIL import Image

    return Image
