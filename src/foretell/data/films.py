"""Films: frames that are kept in a folder as they come, so that a stopped film goes on, and a file of them all."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from jaxtyping import UInt8

from ..errors import DataError, InputError, MissingError, RunError, StorageError, UnsafeFileError, UsageError
from ..files import HALF, make_folder, remove_leftovers, require_place, sync_folder, write_atomically
from .pictures import Picture, read_picture

SUFFIXES = (".mp4", ".gif", ".webp")
_ABOUT = "film.json"
_GIF_FPS = 50
_MOST = {".webp": 16_383, ".gif": 65_535}  # rows and columns
Frame = UInt8[np.ndarray, "height width colour"]


@dataclass(frozen=True)
class Frames:
    """A folder of frames, in order; a frame is there as a whole or not at all.

    Attributes:
        folder: Where.
    """

    folder: Path

    @classmethod
    def opened(cls, film: Path, about: dict[str, Any]) -> "Frames":
        """The frames of a film, those that are there already among them.

        Args:
            film: The file that they are for.
            about: What the frames come from; those that come from something else are not touched.

        Raises:
            InputError: The folder holds frames of another film.
            StorageError: It cannot be made.
        """
        folder = film.with_name(film.name + ".frames")
        known = json.dumps(about, sort_keys=True).encode()
        found = cls(folder)
        try:
            make_folder(folder)
            mark = folder / _ABOUT
            if (mark.read_bytes() if mark.is_file() else b"") != known and len(found) > 0:
                raise InputError(
                    f"{folder} holds frames of another film, or of this one with other options; delete it, or give "
                    "--film another name",
                    folder=str(folder),
                )
            write_atomically(mark, known)
        except OSError as error:
            raise StorageError(f"{folder} cannot be made: {error.strerror}", folder=str(folder)) from None
        return found

    def path(self, number: int) -> Path:
        """The file of a frame.

        Args:
            number: From 1.
        """
        return self.folder / f"frame-{number:06d}.png"

    def __len__(self) -> int:
        done = 0
        while self.path(done + 1).is_file():
            done += 1
        return done

    def add(self, number: int, picture: Picture) -> None:
        """Keeps a frame.

        Args:
            number: From 1.
            picture: What it shows.
        """
        picture.save(self.path(number))

    def read(self, number: int) -> Picture:
        """A frame as it was kept: 256 shades of each colour.

        Args:
            number: From 1.
        """
        try:
            return read_picture(self.path(number), smallest=1)
        except UnsafeFileError as error:
            raise UnsafeFileError(f"{error.message}; delete {self.folder}, and the film begins anew") from None

    def __iter__(self) -> Iterator[Frame]:
        for number in range(1, len(self) + 1):
            yield self.read(number).bytes_array()

    def remove(self) -> None:
        """Throws them away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def require_film(path: Path, fps: float = 24.0) -> None:
    """Checks that a film can be written.

    Args:
        path: Ends in .mp4, .gif or .webp.
        fps: Frames a second.

    Raises:
        UsageError: It ends in something else, or cannot be so fast.
        MissingError: What it needs is not installed.
        StorageError: Its folder is not there, or it is one itself.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise UsageError(f'--film ends in {", ".join(SUFFIXES)}; found "{path.name}"')
    if kind == ".gif" and fps > _GIF_FPS:
        raise UsageError(f"--fps of a GIF is at most {_GIF_FPS}, which is as fast as they are shown; found {fps:g}")
    require_place(path)
    if kind == ".mp4":
        _ffmpeg()


def require_frame(path: Path, size: tuple[int, int]) -> None:
    """Checks that a film can have frames of a size.

    Args:
        path: The film.
        size: Rows and columns.

    Raises:
        DataError: It cannot.
    """
    most = _MOST.get(path.suffix.lower(), max(size))
    if max(size) > most:
        raise DataError(f"a film in {path.suffix} has at most {most} rows and columns; this one would have {max(size)}")


def write_film(path: Path, frames: Frames, fps: float, count: int | None = None) -> None:
    """Writes a film that is either whole or not there.

    Args:
        path: Ends in .mp4, .gif or .webp.
        frames: Its frames, all of one size.
        fps: Frames a second.
        count: The first so many; all where None.

    Raises:
        StorageError: It cannot be written.
        RunError: The encoder failed.
    """
    remove_leftovers(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f"{HALF}{path.suffix.lower()}", dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        (_write_mp4 if path.suffix.lower() == ".mp4" else _write_pillow)(beside, islice(frames, count), fps)
        with beside.open("rb+") as written:
            os.fsync(written.fileno())
        beside.chmod(0o644)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror or error}", file=str(path)) from None
    finally:
        beside.unlink(missing_ok=True)


def _write_mp4(path: Path, frames: Iterator[Frame], fps: float) -> None:
    """H.264, whose colours come in squares of two pixels: an odd row or column is left out.

    The encoder is run by ourselves, since imageio_ffmpeg's writer does not tell when it failed.
    """
    first = next(frames)
    height, width = (length - length % 2 for length in first.shape[:2])
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    made = ["-an", "-vcodec", "libx264", "-pix_fmt", "yuv420p", "-crf", "16", "-fflags", "+bitexact", str(path)]
    command = [_ffmpeg().get_ffmpeg_exe(), "-y", "-v", "error", *raw, *made]
    with tempfile.TemporaryFile() as told:
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=told)  # noqa: S603
        with encoder:
            into = cast(IO[bytes], encoder.stdin)
            try:
                for frame in chain([first], frames):
                    into.write(np.ascontiguousarray(frame[:height, :width]).data)
                into.close()
            except BrokenPipeError:
                pass  # it has given up, and said why
            except BaseException:
                encoder.kill()
                raise
            code = encoder.wait()
        told.seek(0)
        lines = told.read().decode("utf-8", "replace").strip().splitlines()
    if code != 0:
        raise RunError(f"the film could not be encoded: {lines[-1] if lines else f'ffmpeg ended with {code}'}")


def _write_pillow(path: Path, frames: Iterator[Frame], fps: float) -> None:
    from PIL import Image

    kind = path.suffix[1:].upper()
    images = (Image.fromarray(frame) for frame in frames)
    if kind == "GIF":
        images = (image.quantize(256, method=Image.Quantize.MEDIANCUT) for image in images)
    settings = {"quality": 85} if kind == "WEBP" else {"disposal": 1}
    times = durations(fps, 10 if kind == "GIF" else 1)
    try:
        next(images).save(path, kind, save_all=True, append_images=images, duration=times, loop=0, **settings)
    except (RuntimeError, ValueError) as error:
        raise RunError(f"the film could not be encoded: {error}") from None


def durations(fps: float, unit: int, count: int = 100_000) -> list[int]:
    """How long each frame is shown, in milliseconds that a format knows, so that a film as a whole has its speed.

    Args:
        fps: Frames a second.
        unit: Milliseconds that it counts in.
        count: Frames.

    >>> durations(24.0, 10, 6)
    [40, 40, 40, 50, 40, 40]
    """
    ends = [round(1000 * number / fps / unit) * unit for number in range(count + 1)]
    return [after - before for before, after in pairwise(ends)]


def _ffmpeg() -> Any:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise MissingError(
            "films in .mp4 need imageio-ffmpeg: pip install 'foretell[dream]'; .gif and .webp go without",
            package="imageio-ffmpeg",
        ) from None
    return imageio_ffmpeg
