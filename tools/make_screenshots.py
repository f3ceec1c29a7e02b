"""Makes the pictures of docs/serve.md: ``python tools/make_screenshots.py [PHOTO]``.

It trains small models of real data, opens the page and photographs it, which takes some minutes on two cores. Needs
Debian's chromium and playwright.
"""

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "serve"
SHARED = ROOT.parent / "shared" / "data"
CORPUS = SHARED / "generate" / "nietzsche.txt"
REVIEWS = SHARED / "classify" / "aclImdb_labelled.tar.gz"
WINDOWS = "--lookback 2d --every 1h --ahead 1d --rungs persistence,ridge,mlp,gru-change --epochs 8"
TRAININGS = [
    f'compare forecast nyc-weather --series station --target "temperature (degC)" {WINDOWS} --name weather',
    f'train classify "{REVIEWS}" --rung bag --epochs 2 --name reviews',
    f'train generate "{CORPUS}" --rung gru --epochs 3 --name nietzsche',
    "train --recipe dates --rung gru-attention --epochs 5 --name dates",
]


def main(arguments: list[str]) -> None:
    """Makes all of them."""
    photo = Path(arguments[0]) if arguments else SHARED / "dream" / "chelsea.png"
    TARGET.mkdir(exist_ok=True)
    browser = shutil.which("chromium") or "/usr/bin/chromium"
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        for training in TRAININGS:
            print(f"foretell {training}", flush=True)  # noqa: T201
            words = [sys.executable, "-m", "foretell", *shlex.split(training), "--runs-dir", str(runs), "--quiet"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        command = [sys.executable, "-m", "foretell", "ui", "--no-browser", "--port", "0", "--runs-dir", str(runs)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        address = (server.stdout.readline() if server.stdout else "").strip()
        try:
            with sync_playwright() as playwright:
                running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                page = running.new_page(viewport={"width": 1100, "height": 760})
                page.set_default_timeout(120_000)
                for take in (runs_page, classify, generate, translate, dream, forecast):
                    page.goto(f"{address}/#{take.__name__.removesuffix('_page')}")
                    take(page, photo)
                    page.add_style_tag(content="header { position: static !important }")
                    # A photo is ten times smaller as JPEG, all else as PNG.
                    kind = "jpg" if take is dream else "png"
                    page.screenshot(path=TARGET / f"{take.__name__.removesuffix('_page')}.{kind}", full_page=True)
                    page.reload()
                running.close()
        finally:
            server.terminate()
            server.wait()


def runs_page(page: Any, photo: Path) -> None:
    """Learning curves of several runs."""
    for name in ("nietzsche", "weather"):
        page.get_by_label(f"Curves of {name}").check()
    page.locator(".plot .main-svg").first.wait_for()
    page.wait_for_timeout(1500)


def classify(page: Any, photo: Path) -> None:
    """A review with a change of mind."""
    page.get_by_label("Text").fill(
        "The first half is slow, even dull, and I nearly left. Then it becomes wonderful: the actors are superb, "
        "the music is lovely, and the ending is one of the best I have seen."
    )
    page.get_by_role("button", name="Classify").click()
    page.get_by_role("region", name="Words", exact=True).wait_for()


def generate(page: Any, photo: Path) -> None:
    """Three temperatures side by side."""
    page.get_by_label("Prompt").fill("The nature of ")
    page.get_by_label("How many").select_option("three")
    page.get_by_role("button", name="Write").click()
    page.wait_for_timeout(4000)


def translate(page: Any, photo: Path) -> None:
    """A date and what it looked at."""
    page.get_by_label("Sentence").fill("Saturday, June 4th, 1988")
    page.get_by_role("button", name="Translate", exact=True).click()
    page.locator(".words button").nth(5).click()


def dream(page: Any, photo: Path) -> None:
    """A photo and its dream."""
    page.set_input_files("input[type=file]", str(photo))
    page.get_by_role("button", name="Dream").click()
    page.get_by_role("button", name="Download").wait_for()


def forecast(page: Any, photo: Path) -> None:
    """From the built-in weather to a forecast."""
    page.get_by_label("Or data at hand").select_option("nyc-weather")
    page.get_by_label("Ahead").fill("1:24")
    page.get_by_role("button", name="Start the comparison").click()
    page.get_by_role("button", name="Download as CSV").wait_for()
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main(sys.argv[1:])
