"""Pictures of all kinds in, pictures out; what is no picture, damaged, too small or too large is told."""

import io
import json
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from foretell.data.pictures import Picture, as_bytes, format_of, read_picture
from foretell.errors import DataError, ForetellError, UnsafeFileError, UsageError

from .made_pictures import made_picture

SHADES = as_bytes(made_picture(40, 60))


def write(path: Path, image: Image.Image, **settings: object) -> Path:
    image.save(path, **settings)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(SHADES)
    picture.save(tmp_path / f"out{suffix}", "{}")
    again = read_picture(tmp_path / f"out{suffix}")
    difference = np.abs(again.bytes_array().astype(int) - SHADES)
    assert difference.max() == 0 if suffix == ".png" else difference.mean() < 20


@given(st.integers(32, 50), st.integers(32, 50), st.integers(0, 1000))
def test_shades_come_back_exactly(height: int, width: int, seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert np.array_equal(read_picture(array).bytes_array(), array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_how_a_camera_was_held_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(SHADES)
    turned = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write(tmp_path / "held.png", turned, exif=exif)
    picture = read_picture(path)
    assert np.array_equal(picture.bytes_array(), SHADES)
    picture.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.getexif().get(0x0112) is None  # not turned twice


def test_what_is_transparent_stays_so(tmp_path: Path) -> None:
    alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
    image = Image.fromarray(SHADES)
    image.putalpha(Image.fromarray(alpha))
    picture = read_picture(write(tmp_path / "clear.png", image))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, alpha)
    picture.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.mode == "RGBA"
        assert np.array_equal(np.asarray(out), np.asarray(image))
    picture.save(tmp_path / "out.jpg")  # over white
    with Image.open(tmp_path / "out.jpg") as out:
        assert np.asarray(out)[:, 0].min() > 240
    opaque = Image.fromarray(SHADES).convert("RGBA")
    assert read_picture(write(tmp_path / "opaque.png", opaque)).alpha is None


def test_grey_palette_and_other_pictures_are_read(tmp_path: Path) -> None:
    image = Image.fromarray(SHADES)
    grey = np.asarray(image.convert("L"))
    for name, own in {
        "grey.png": image.convert("L"),
        "grey.jpg": image.convert("L"),
        "grey_alpha.png": image.convert("LA"),
    }.items():
        found = read_picture(write(tmp_path / name, own)).bytes_array()
        assert found.shape == (40, 60, 3)
        assert np.abs(found.astype(int) - grey[..., None]).mean() < 4
    few = image.quantize(16)
    assert np.array_equal(read_picture(write(tmp_path / "few.png", few)).bytes_array(), np.asarray(few.convert("RGB")))
    clear = read_picture(write(tmp_path / "clear.png", few, transparency=3))
    assert clear.alpha is not None
    assert (clear.alpha == 0).any()
    assert read_picture(write(tmp_path / "print.jpg", image.convert("CMYK"))).size == (40, 60)
    assert set(np.unique(read_picture(write(tmp_path / "bits.png", image.convert("1"))).pixels)) <= {0.0, 1.0}


def test_sixteen_bits_are_read_to_the_last(tmp_path: Path) -> None:
    deep = np.linspace(0, 65_535, 40 * 60).astype(np.uint16).reshape(40, 60)
    path = write(tmp_path / "deep.png", Image.fromarray(deep))
    found = read_picture(path).pixels
    np.testing.assert_allclose(found[..., 1], deep / 65_535, atol=1e-6)
    np.testing.assert_allclose(read_picture(deep).pixels[..., 0], deep / 65_535, atol=1e-6)
    assert len(np.unique(found)) > 2000


def test_one_grey_of_sixteen_bits_may_be_transparent(tmp_path: Path) -> None:
    deep = np.full((40, 60), 1000, np.uint16)
    deep[:, :7] = 5
    path = write(tmp_path / "deep.png", Image.fromarray(deep), transparency=5)
    alpha = read_picture(path).alpha
    assert alpha is not None
    assert (alpha[:, :7] == 0).all()
    assert (alpha[:, 7:] == 255).all()


def test_of_an_animation_the_first_frame_is_taken_and_told(tmp_path: Path) -> None:
    frames = [Image.fromarray(SHADES), Image.fromarray(SHADES[::-1].copy())]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match="moving.png is animated; its first frame is taken"):
        picture = read_picture(tmp_path / "moving.png")
    assert np.array_equal(picture.bytes_array(), SHADES)


def test_the_colour_profile_is_carried_along(tmp_path: Path) -> None:
    profile = bytes(16) + b"RGB " + bytes(100)
    path = write(tmp_path / "wide.png", Image.fromarray(SHADES), icc_profile=profile)
    read_picture(path).save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == profile
    of_grey = bytes(16) + b"GRAY" + bytes(100)
    grey = write(tmp_path / "grey.png", Image.fromarray(SHADES).convert("L"), icc_profile=of_grey)
    assert read_picture(grey).profile is None
    few = write(tmp_path / "few.png", Image.fromarray(SHADES).quantize(16), icc_profile=profile)
    assert read_picture(few).profile == profile


def test_where_a_photo_was_taken_is_not_told(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "my garden"
    path = write(tmp_path / "photo.jpg", Image.fromarray(SHADES), exif=exif)
    read_picture(path).save(tmp_path / "out.jpg")
    assert b"my garden" not in (tmp_path / "out.jpg").read_bytes()


def test_arrays_and_images_are_pictures_too() -> None:
    assert np.array_equal(read_picture(Image.fromarray(SHADES)).bytes_array(), SHADES)
    assert np.array_equal(read_picture(SHADES.astype(np.float64) / 255).bytes_array(), SHADES)
    assert read_picture(SHADES[..., 0]).pixels.shape == (40, 60, 3)
    cleared = np.dstack([SHADES, np.full((40, 60), 7, np.uint8)])
    alpha = read_picture(cleared).alpha
    assert alpha is not None
    assert (alpha == 7).all()
    picture = read_picture(SHADES)
    assert read_picture(picture) is picture


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((40, 60, 2), np.uint8), "3 colours is needed"),
        (np.zeros((40, 60, 3), np.int64), "8 or 16 bits, or from 0 to 1, is needed; found int64"),
        (np.full((40, 60, 3), 255.0), "divide it by 255"),
        (np.full((40, 60, 3), np.nan), "between 0 and 1"),
        (np.zeros((1, 1, 3), np.uint8), "1×1 pixels; at least 32×32"),
        (np.zeros((0, 60, 3), np.uint8), "60×0 pixels"),
        ("nowhere.png", "there is no file nowhere.png"),
        (7, "found int"),
    ],
)
def test_what_is_no_picture_is_told(array: object, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_picture(array)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png() -> bytes:
    """20,000×20,000 pixels in some kilobytes."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(2501)) for _ in range(20_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_that_is_too_large_is_refused_with_the_memory_that_it_would_need(tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(huge_png())
    with pytest.raises(DataError, match=r"20000×20000 pixels, it would need about 28.8 GB of memory; --max-pixels"):
        read_picture(tmp_path / "huge.png", 64_000_000)
    before = Image.MAX_IMAGE_PIXELS
    assert before is not None  # Pillow's own limit is as it was
    with pytest.raises(DataError, match="allow 2400"):
        read_picture(SHADES, 2000)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_files_that_break_off_are_damaged_wherever_they_do(tmp_path: Path, suffix: str) -> None:
    read_picture(SHADES).save(tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    for length in (16, 40, len(content) // 2, len(content) - 60):
        (tmp_path / f"cut{suffix}").write_bytes(content[:length])
        with pytest.raises(UnsafeFileError, match="is damaged"):
            read_picture(tmp_path / f"cut{suffix}")


@pytest.mark.parametrize("content", [b"", b"hello, this is no picture", b"GIF89a" + bytes(50), b"%PDF-1.7" + bytes(50)])
def test_other_files_are_no_pictures(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.png").write_bytes(content)
    with pytest.raises(DataError, match="is no picture: PNG, JPEG or WebP is needed"):
        read_picture(tmp_path / "other.png")
    with pytest.raises(DataError, match="is a folder"):
        read_picture(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_damaged_bytes_end_in_a_sentence_or_a_picture(tmp_path: Path, suffix: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(SHADES).save(stream, {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[suffix])
    content, chance = stream.getvalue(), random.Random(0)
    path = tmp_path / f"mutated{suffix}"
    for _ in range(150):
        mutated = bytearray(content)
        for _ in range(chance.randint(1, 20)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        path.write_bytes(mutated)
        try:
            assert np.isfinite(read_picture(path, 1_000_000).pixels).all()
        except ForetellError as error:
            assert error.exit_code in (3, 5)


def test_what_is_written_beside_a_picture_can_be_read(tmp_path: Path) -> None:
    read_picture(SHADES).save(tmp_path / "out.png", json.dumps({"seed": 3, "what": "×"}))
    with Image.open(tmp_path / "out.png") as out:
        assert json.loads(out.info["foretell"]) == {"seed": 3, "what": "×"}


def test_only_known_formats_are_written(tmp_path: Path) -> None:
    assert [format_of(Path(name)) for name in ("a.PNG", "a.jpeg", "a.webp")] == ["PNG", "JPEG", "WEBP"]
    with pytest.raises(UsageError, match=r'ends in .png, .jpg, .jpeg, .webp; found "a.gif"'):
        format_of(Path("a.gif"))
    with pytest.raises(ForetellError, match="could not be written"):
        read_picture(SHADES).save(tmp_path / "nowhere" / "out.png")


def test_a_fingerprint_tells_pictures_apart() -> None:
    one, same = read_picture(SHADES), read_picture(SHADES.copy())
    other = Picture(one.pixels, np.zeros((40, 60), np.uint8))
    turned = read_picture(np.ascontiguousarray(SHADES[::-1]))
    assert one.fingerprint == same.fingerprint
    assert len({one.fingerprint, other.fingerprint, turned.fingerprint}) == 3
