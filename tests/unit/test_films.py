"""Films from frames that are kept one by one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foretell.data.films import Frames, durations, require_film, require_frame, write_film
from foretell.data.pictures import read_picture
from foretell.errors import DataError, InputError, MissingError, RunError, StorageError, UnsafeFileError, UsageError


def frames_in(folder: Path, count: int = 5, height: int = 41, width: int = 63) -> Frames:
    """Frames whose grey tells their number."""
    frames = Frames.opened(folder / "film.mp4", {"of": "greys"})
    for number in range(1, count + 1):
        frames.add(number, read_picture(np.full((height, width, 3), 40 * number, np.uint8)))
    return frames


def test_frames_are_kept_exactly_and_counted_up_to_the_first_that_lacks(tmp_path: Path) -> None:
    frames = frames_in(tmp_path)
    assert len(frames) == 5
    assert [int(frame[0, 0, 0]) for frame in frames] == [40, 80, 120, 160, 200]
    frames.path(3).unlink()
    assert len(Frames.opened(tmp_path / "film.mp4", {"of": "greys"})) == 2
    with pytest.raises(InputError, match="frames of another film"):
        Frames.opened(tmp_path / "film.mp4", {"of": "reds"})
    (frames.folder / "film.json").unlink()  # as if the kill had come before it was written, and no frame yet
    frames.path(1).unlink()
    assert len(Frames.opened(tmp_path / "film.mp4", {"of": "reds"})) == 0
    frames.path(1).write_bytes(frames.path(2).read_bytes()[:60])
    with pytest.raises(UnsafeFileError, match=r"delete .*film.mp4.frames"):
        frames.read(1)
    frames.remove()
    assert not frames.folder.exists()


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_films_of_pillow_hold_every_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    write_film(path, frames_in(tmp_path), 20.0)
    with Image.open(path) as film:
        assert film.n_frames == 5  # type: ignore[attr-defined]
        assert film.size == (63, 41)
        shades = []
        for number in range(5):
            film.seek(number)
            film.load()
            assert film.info["duration"] == 50
            shades.append(int(np.asarray(film.convert("RGB"))[20, 30, 0]))
    assert np.allclose(shades, [40, 80, 120, 160, 200], atol=3)


def test_an_mp4_holds_every_frame_less_an_odd_row_and_column(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    path = tmp_path / "film.mp4"
    write_film(path, frames_in(tmp_path), 10.0)
    raw = ["-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run([ffmpeg, "-i", str(path), *raw], capture_output=True, check=True).stdout
    frames = np.frombuffer(decoded, np.uint8).reshape(-1, 40, 62, 3)
    assert np.allclose(frames.mean(axis=(1, 2, 3)), [40, 80, 120, 160, 200], atol=4)
    again = tmp_path / "again.mp4"
    write_film(again, Frames(tmp_path / "film.mp4.frames"), 10.0)
    assert again.read_bytes() == path.read_bytes()


def test_an_encoder_that_fails_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    frames = frames_in(tmp_path)
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(failing))
    with pytest.raises(RunError, match="no space left"):
        write_film(tmp_path / "film.mp4", frames, 10.0)
    assert not (tmp_path / "film.mp4").exists()
    assert len(frames) == 5


def test_what_a_kill_left_beside_a_film_goes_with_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".film.gif.abc.half.gif").touch()
    write_film(tmp_path / "film.gif", frames_in(tmp_path), 20.0)
    assert not (tmp_path / ".film.gif.abc.half.gif").exists()


@pytest.mark.parametrize(("fps", "unit"), [(24.0, 10), (24.0, 1), (7.0, 10), (50.0, 10)])
def test_a_film_as_a_whole_has_its_speed(fps: float, unit: int) -> None:
    shown = durations(fps, unit, 500)
    assert all(time > 0 and time % unit == 0 for time in shown)
    assert abs(sum(shown) - 500_000 / fps) <= unit


def test_the_first_so_many_frames_are_taken(tmp_path: Path) -> None:
    write_film(tmp_path / "film.gif", frames_in(tmp_path), 20.0, 2)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 2  # type: ignore[attr-defined]


def test_a_film_that_cannot_be_written_is_told_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"--film ends in .mp4, .gif, .webp"):
        require_film(tmp_path / "film.avi")
    with pytest.raises(StorageError, match="there is no folder"):
        require_film(tmp_path / "nowhere" / "film.gif")
    with pytest.raises(UsageError, match="at most 50"):
        require_film(tmp_path / "film.gif", 60.0)
    with pytest.raises(DataError, match=r"at most 16383 rows and columns; this one would have 20000"):
        require_frame(tmp_path / "film.webp", (100, 20_000))
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(StorageError, match="it is a folder"):
        require_film(tmp_path / "folder.gif")
    (tmp_path / "folder.gif").rmdir()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingError, match="pip install 'foretell"):
        require_film(tmp_path / "film.mp4")
    require_film(tmp_path / "film.gif")
    write_film(tmp_path / "film.gif", frames_in(tmp_path), 20.0)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["film.gif", "film.mp4.frames"]
