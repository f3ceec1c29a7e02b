"""A little of everything that Foretell does, in one process: ``python -m tests.trust.offline_sample RUNS DATA``.

Each command of the command line is called as a person calls it; then the page is served, asked, and looked at.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from foretell.cli.main import main

from ..browser import CHROMIUM, QUIET
from ..service.client import Client

FORECAST = ["--target", "T (degC)", "--lookback", "24", "--ahead", "6"]
COMMANDS = [
    ["compare", "forecast", "hourly.csv", *FORECAST, "--rungs", "persistence,ridge,gru", "--units", "4", "--epochs", "1"],
    ["compare", "classify", "reviews.csv", "--rungs", "tfidf"],
    ["compare", "generate", "corpus.txt", "--rungs", "ngram"],
    ["compare", "translate", "days.en", "days.iso", "--rungs", "dictionary"],
    ["predict", "weather", "hourly.csv"],
    ["generate", "writer", "--prompt", "the ", "--length", "20"],
    ["export", "weather", "--to", "onnx"],
    ["export", "mood", "--to", "onnx"],
    ["inspect", "weather"],
    ["data", "plot", "hourly.csv", "--column", "T (degC)", "-o", "column.png"],
    ["runs", "list"],
    ["doctor"],
]  # fmt: skip


def called(arguments: list[str], runs: Path) -> int:
    """The exit code of a command."""
    further = [] if arguments[0] in ("doctor", "data") else ["--runs-dir", str(runs)]
    try:
        main([*arguments, *further])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def page(runs: Path) -> None:
    """The page served, a model asked, and looked at in a browser where there is one."""
    command = [sys.executable, "-m", "foretell", "ui", "--port", "0", "--no-browser", "--runs-dir", str(runs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    client = Client(process.stdout.readline().strip())
    client.wait()
    assert client.predict("mood", {"texts": ["a film"]}).status == 200
    if CHROMIUM is not None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            own = browser.new_page()
            asked: list[str] = []
            own.on("request", lambda request: asked.append(request.url))
            for part in ("runs", "forecast", "classify"):
                own.goto(f"{client.address}/#{part}")
                own.wait_for_selector("main h1", timeout=60_000)
            own.goto(f"{client.address}/v1/runs/weather/report")
            assert all(url.startswith((client.address, "data:", "blob:")) for url in asked), asked
            browser.close()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


if __name__ == "__main__":
    runs = Path("runs").absolute()
    shutil.copytree(sys.argv[1], runs)
    codes = {" ".join(command[:2]): called(command, runs) for command in COMMANDS}
    page(runs)
    print(json.dumps(codes))
