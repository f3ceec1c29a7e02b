"""Whatever a user may bring to a dream: one sentence, the right exit code, and nothing half-written."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from foretell.data.pictures import as_bytes

from ..unit.made_pictures import made_picture
from ..unit.test_pictures import huge_png
from .commands import Run
from .made_network import network

HERE = "tests.tasks.made_network"
OWN = ["photo.png", "--model", f"{HERE}:network", "--layers", "2", "--octaves", "1", "--steps", "1"]
NEEDS_PACKAGE = "the built-in network needs foretell[dream]"


@pytest.fixture(autouse=True)
def files(run: Run) -> None:
    """A photo, and files that are wrong in their own ways."""
    shades = Image.fromarray(as_bytes(made_picture(48, 64)))
    shades.save("photo.png")
    shades.save("photo.jpg")
    content = Path("photo.jpg").read_bytes()
    Path("cut.jpg").write_bytes(content[: len(content) // 2])
    Path("text.png").write_text("hello, this is no picture")
    Path("empty.png").touch()
    Image.new("RGB", (1, 1)).save("one.png")
    Path("huge.png").write_bytes(huge_png())
    Image.new("L", (50, 100)).save("tall.png")
    weights = network().state_dict()
    torch.save(weights, "pickle.safetensors")
    torch.save(weights, "old.pt", _use_new_zipfile_serialization=False)
    save_file(weights | {"9.extra": torch.zeros(2)}, "more.safetensors")
    save_file({name: own for name, own in weights.items() if name != "0.bias"}, "less.safetensors")
    save_file(weights | {"0.weight": torch.zeros(8, 3, 5, 5)}, "shaped.safetensors")
    save_file(weights | {"0.bias": torch.full((8,), torch.nan)}, "nan.safetensors")
    Path("cut.safetensors").write_bytes(Path("less.safetensors").read_bytes()[:60])
    Path("long.safetensors").write_bytes(b"\xff" * 7 + b"\x7f{}")


CASES: dict[str, tuple[list[str], int, str]] = {
    "no picture named": ([], 2, "dream needs a picture"),
    "no such file": (["nowhere.png"], 3, "there is no file nowhere.png"),
    "a folder": (["."], 3, "is a folder; name the pictures in it"),
    "not a picture": (["text.png"], 3, "text.png is no picture: PNG, JPEG or WebP is needed"),
    "an empty file": (["empty.png"], 3, "found nothing (0 bytes)"),
    "a truncated JPEG": (["cut.jpg"], 5, "cut.jpg is damaged"),
    "one pixel": (["one.png"], 3, "one.png has 1×1 pixels; at least 32×32 are needed"),
    "20,000×20,000": (["huge.png"], 3, "20000×20000 pixels, it would need about 28.8 GB of memory; --max-pixels"),
    "above --max-pixels": (["photo.png", "--max-pixels", "2000"], 3, "--max-pixels allows 2,000"),
    "a layer that is not there": ([*OWN, "--layers", "22"], 3, 'has no layer "22"; did you mean "2"?'),
    "a weight that is none": ([*OWN[:3], "--layers", "2:much"], 2, 'found "2:much"'),
    "a weight that is no number": ([*OWN[:3], "--layers", "2:nan"], 2, 'found "2:nan"'),
    "no layers of a model": (OWN[:3], 2, "--layers, --channel or --neuron is needed"),
    "a channel that is not there": ([*OWN, "--channel", "2:12"], 3, "2 has 12 channels, from 0 to 11; found 12"),
    "a channel without a number": ([*OWN, "--channel", "2"], 2, "--channel LAYER:NUMBER"),
    "half a channel": ([*OWN, "--channel", "2:1.5"], 2, "channels have whole numbers"),
    "a neuron outside": ([*OWN, "--neuron", "2:1:0.5:2"], 3, "shares of the picture"),
    "half a place": ([*OWN, "--neuron", "2:1:0.5"], 2, "a row without a column"),
    "a layer without gradient": (
        ["photo.png", "--model", f"{HERE}:Choosing", "--layers", "choice"],
        3,
        "gives no gradient: nothing that it says can be changed through the picture's pixels",
    ),
    "a pickle as weights": ([*OWN, "--weights", "pickle.safetensors"], 5, "is a pickle, which can run code"),
    "an old pickle as weights": ([*OWN, "--weights", "old.pt"], 5, "is a pickle"),
    "weights that lack one": ([*OWN, "--weights", "less.safetensors"], 3, "missing: 0.bias"),
    "weights with one more": ([*OWN, "--weights", "more.safetensors"], 3, "unexpected: 9.extra"),
    "weights of another shape": ([*OWN, "--weights", "shaped.safetensors"], 3, "0.weight of 8×3×5×5, not 8×3×3×3"),
    "weights that are not finite": ([*OWN, "--weights", "nan.safetensors"], 5, "0.bias holds numbers that are not"),
    "weights that break off": ([*OWN, "--weights", "cut.safetensors"], 5, "is damaged, or no safetensors file"),
    "a header that is too long": ([*OWN, "--weights", "long.safetensors"], 5, "is damaged, or no safetensors file"),
    "weights that are a picture": ([*OWN, "--weights", "photo.png"], 5, "is damaged, or no safetensors file"),
    "weights that are not there": ([*OWN, "--weights", "nowhere"], 3, "there is no file nowhere"),
    "a model without a callable": ([*OWN, "--model", HERE], 2, "--model needs PACKAGE:CALLABLE"),
    "a package that is not there": ([*OWN, "--model", "nowhere:network"], 4, "nowhere cannot be imported"),
    "a callable that is not there": ([*OWN, "--model", f"{HERE}:netwrok"], 3, 'did you mean "network"?'),
    "a callable that fails": ([*OWN, "--model", f"{HERE}:failing"], 3, "RuntimeError: there is no such device"),
    "a callable that is a number": ([*OWN, "--model", f"{HERE}:number"], 3, "is of type int; a callable is needed"),
    "a callable that gives a number": ([*OWN, "--model", f"{HERE}:of_numbers"], 3, "a torch.nn.Module is needed"),
    "a mood that is none": (["photo.png", "--mood", "flower"], 2, "flowers"),
    "a mood and layers": ([*OWN, "--mood", "eyes"], 2, "--mood is a choice of layers"),
    "a mood of a model": ([*OWN[:3], "--mood", "eyes"], 2, "made of layers of the built-in network"),
    "a picture and noise": ([*OWN, "--from-noise"], 2, "has no picture"),
    "a size that is none": (["--from-noise", *OWN[1:], "--size", "big"], 3, "--size needs SIDE or WIDTHxHEIGHT"),
    "a size of a picture": ([*OWN, "--size", "64"], 2, "--size goes with --from-noise"),
    "a grid of many layers": (["--grid", "4", *OWN[1:]], 2, "--grid shows filters of one layer"),
    "a grid that is too large": (["--grid", "13", *OWN[1:3], "--channel", "2"], 3, "2 has 12 channels"),
    "a film of another kind": ([*OWN, "--film", "out.avi"], 2, "--film ends in .mp4, .gif, .webp"),
    "a film into nowhere": ([*OWN, "--film", "nowhere/out.gif"], 1, "there is no folder nowhere"),
    "a zoom without a film": ([*OWN, "--zoom", "5"], 2, "--zoom goes with --film"),
    "frames a second of nothing": ([*OWN, "--fps", "5"], 2, "--fps goes with --film"),
    "a film of two": (["photo.jpg", *OWN, "--film", "out.gif"], 2, "--film is of one picture"),
    "a mask of another shape": ([*OWN, "--only", "tall.png"], 3, "has 50×100 pixels, another shape"),
    "a mask that is none": ([*OWN, "--only", "text.png"], 3, "text.png is no picture"),
    "a guide that is none": ([*OWN, "--guide", "cut.jpg"], 5, "cut.jpg is damaged"),
    "a guide without layers": (
        [*OWN[:3], "--channel", "2:1", "--guide", "photo.jpg"],
        2,
        "--guide says what layers shall see",
    ),
    "an output of another kind": ([*OWN, "-o", "out.bmp"], 2, "--output ends in .png"),
    "an output into nowhere": ([*OWN, "-o", "nowhere/out.png"], 1, "there is no folder nowhere"),
    "a preview of another kind": ([*OWN, "--preview", "out.txt"], 2, "--preview ends in .png"),
    "an overlap of more than half": ([*OWN, "--tile", "64", "--overlap", "40"], 3, "at most half a tile of 64"),
    "a negative rate": ([*OWN, "--rate", "-1"], 3, "rate from the option --rate breaks its rule"),
    "a scale that does not grow": ([*OWN, "--scale", "1"], 3, "scale from the option --scale"),
    "pixels that are not normal": ([*OWN, "--normalise", "0.5"], 3, "--normalise needs MEAN,DEVIATION"),
    "a deviation of zero": ([*OWN, "--normalise", "0.5,0"], 3, "deviations above zero"),
    "an output over the photo": (["photo.png", "-o", "photo.png"], 2, "would be written over photo.png"),
    "a folder of photos": (["photo.png", "tall.png", "-o", "."], 2, "photo.png would be written over photo.png"),
    "a preview over the mask": (
        [*OWN, "--only", "photo.jpg", "--preview", "photo.jpg"],
        2,
        "would be written over photo.jpg",
    ),
    "a film over the output": ([*OWN, "--film", "o.webp", "-o", "o.webp"], 2, "would be written over o.webp"),
    "a preview of a grid": (["--grid", "4", *OWN[1:3], "--channel", "2", "--preview", "p.png"], 2, "--preview shows"),
    "a list and a picture": (["photo.png", "--list-layers"], 2, "--list-layers dreams of nothing"),
    "a GIF that is too fast": ([*OWN, "--film", "out.gif", "--fps", "60"], 2, "--fps of a GIF is at most 50"),
    "a WebP that is too wide": (
        ["--from-noise", *OWN[1:], "--size", "16384x32", "--film", "out.webp"],
        3,
        "at most 16383 rows and columns",
    ),
    "noise above --max-pixels": (["--from-noise", *OWN[1:], "--max-pixels", "1024"], 3, "--max-pixels allows 1,024"),
    "a weight of nothing": ([*OWN[:3], "--layers", "2:0"], 2, "a weight of 0 asks for nothing"),
    "a loss that is no number": ([*OWN, "--max-loss", "nan"], 3, "max_loss from the option --max-loss"),
    "a gradient that is no number": (
        ["photo.png", "--model", f"{HERE}:Breaking", "--layers", "breaking"],
        1,
        "the gradient by the picture is not finite",
    ),
    "a grid whose gradient is no number": (
        ["--grid", "2", "--size", "40", "--model", f"{HERE}:Breaking", "--channel", "breaking"],
        1,
        "the gradient by the picture is not finite",
    ),
    "an option that is none": ([*OWN, "--moods"], 2, "--moods"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_a_sentence_with_its_exit_code_and_leaves_nothing(run: Run, name: str) -> None:
    arguments, code, told = CASES[name]
    before = {path.name for path in Path().iterdir()}
    done = run("dream", *arguments)
    assert done.code == code, done.err
    assert told in done.err
    assert "Traceback" not in done.err
    assert "Error: " in done.err
    assert {path.name for path in Path().iterdir()} == before
    told_to_a_program = json.loads(run("dream", *arguments, "--json").out)["error"]
    assert told in told_to_a_program["message"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_dream_on_a_cuda_device_is_like_one_on_the_processor(run: Run) -> None:
    shades = []
    for device in ("cpu", "cuda"):
        assert run("dream", *OWN, "--device", device, "-o", f"{device}.png").code == 0
        shades.append(np.asarray(Image.open(f"{device}.png")).astype(int))
    assert np.abs(shades[0] - shades[1]).mean() < 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told(run: Run) -> None:
    done = run("dream", *OWN, "--device", "cuda")
    assert done.code == 3
    assert "torch finds none" in done.err


def test_a_layer_of_the_built_in_network_that_is_not_there(run: Run) -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason=NEEDS_PACKAGE)
    done = run("dream", "photo.png", "--layers", "_block.10")
    assert done.code == 3
    assert 'did you mean "_blocks.10"' in done.err
    pickled = run("dream", "photo.png", "--weights", "pickle.safetensors")
    assert pickled.code == 5
    other = run("dream", "photo.png", "--weights", "less.safetensors", "--json")
    assert other.code == 3
    details = other.document["error"]["details"]
    assert "_conv_stem.weight" in details["missing"]
    assert "0.weight" in details["unexpected"]
