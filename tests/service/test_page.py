"""The page in a real browser: each part is clicked through on tiny models that were really trained, and looked at."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ..browser import NEEDED
from .client import Client

ACCESSIBLE = (Path(__file__).parent / "accessibility.js").read_text("utf-8")
PAGES = ("runs", "forecast", "classify", "generate", "translate", "dream")
PATIENCE = 60_000  # milliseconds
# What a browser itself says on the console of a request that was refused, as some tests mean it to be.
REFUSED = "error: Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"

pytestmark = NEEDED
Open = Callable[..., Any]


class Ui:
    """``foretell ui`` as a process of its own."""

    def __init__(self, runs_dir: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "foretell", "ui", "--port", "0", "--no-browser", "--runs-dir", str(runs_dir)]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://127.0.0.1:"), self.process.stderr and self.process.stderr.read()
        self.client = Client(self.address)
        self.client.wait()

    def close(self) -> str:
        """Ends it; what it said on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return str(said)


@pytest.fixture(scope="module")
def ui(runs_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The page over runs of every task."""
    folder = tmp_path_factory.mktemp("ui") / "runs"
    shutil.copytree(runs_dir, folder)
    running = Ui(folder)
    yield running
    assert "Traceback" not in running.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The page of an empty installation."""
    running = Ui(tmp_path_factory.mktemp("empty") / "runs")
    yield running
    running.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Opens parts of a page; when the test ends its console must be empty, and nobody outside may have been asked."""
    contexts: list[Any] = []
    said: list[str] = []
    asked: list[str] = []

    def open_(ui: Ui, part: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text} {message.location['url']}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{ui.address}/#{part}")
        page.wait_for_selector("main h1")
        page.refused = []
        return page

    yield open_
    own = [context.pages[0].url.partition("/#")[0] for context in contexts if context.pages]
    refused = [f"{message} " for context in contexts for message in context.pages[0].refused]
    for context in contexts:
        context.close()
    assert [message for message in said if not message.startswith(tuple(refused) or ("-",))] == []
    outside = [url for url in asked if not url.startswith((*own, "blob:", "data:"))]
    assert asked and outside == [], "no request leaves the machine"


def until(page: Any, expression: str) -> None:
    """Waits until something is so; the page's policy forbids what playwright waits with."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def drawn(page: Any, place: str = ".plot") -> None:
    """Waits for a figure."""
    until(page, f"document.querySelectorAll({json.dumps(place + ' .main-svg')}).length > 0")


def test_runs_are_listed_with_their_curves_and_reports(ui: Ui, opened: Open) -> None:
    page = opened(ui, "runs")
    rows = page.get_by_role("region", name="All runs").locator("tbody tr")
    until(page, "document.querySelectorAll('main tbody tr').length >= 4")
    texts = rows.all_inner_texts()
    assert {"weather", "mood", "writer", "days"} <= {text.split("\t")[1].strip() for text in texts}
    assert any("bits" in text for text in texts) and any("degC" in text for text in texts)
    drawn(page)
    page.get_by_label("Curves of weather").check()
    page.get_by_label("Curves of mood").check()
    until(page, "document.querySelector('.plot').getAttribute('aria-label').includes('mood')")
    label = page.locator(".plot").get_attribute("aria-label")
    assert "weather" in label and "mood" in label
    until(page, "document.querySelectorAll('.plot .scatterlayer .trace').length >= 4")
    page.get_by_role("button", name="weather", exact=True).click()
    board = page.get_by_role("region", name="Leaderboard")
    board.wait_for()
    assert "gru" in board.inner_text() and "persistence" in board.inner_text()
    report = page.frame_locator("iframe")
    report.locator("h1").wait_for()
    assert report.locator(".plot .main-svg").first.is_visible() or report.locator("h2").count() > 2


def test_a_text_is_classified_and_the_words_are_shown(ui: Ui, opened: Open) -> None:
    page = opened(ui, "classify")
    page.get_by_label("Text").fill("a great and lovely film, but dull")
    page.get_by_label("Text").press("Control+Enter")
    page.get_by_role("region", name="Words that moved").wait_for()
    said = ui.client.predict("mood", {"texts": ["a great and lovely film, but dull"], "explain": True}).document
    own = said["answers"][0]
    answer = page.get_by_role("region", name="Answer", exact=True)
    assert answer.locator("h2").inner_text().startswith(own["label"])
    assert f"{100 * own['probabilities']['pos']:.1f} %" in answer.inner_text()
    shaded = page.get_by_role("region", name="Words", exact=True).locator(".text mark").all_inner_texts()
    assert shaded == [piece["text"] for piece in own["pieces"] if abs(piece["strength"]) >= 0.05]
    page.get_by_label("Text").fill("   ")
    page.get_by_role("button", name="Classify").click()
    page.get_by_text("nothing to classify").wait_for()


def test_texts_are_written_side_by_side_and_stop(ui: Ui, opened: Open) -> None:
    page = opened(ui, "generate")
    page.get_by_label("Prompt").fill("the sun ")
    page.get_by_label("Length").fill("60")
    page.get_by_label("Temperature").fill("0.7")
    page.get_by_role("button", name="Write").click()
    until(page, "document.querySelectorAll('section[aria-label=\"Temperature 0.7\"] mark').length === 60")
    written = page.locator("section[aria-label='Temperature 0.7'] .text").inner_text()
    asked = {"prompts": ["the sun "], "length": 60, "temperature": 0.7, "on_unknown": "skip"}
    expected = ui.client.predict("writer", asked).document["answers"][0]["text"]
    assert written == f"the sun {expected}".rstrip("\n")
    colours = page.eval_on_selector_all("main mark", "marks => marks.map((mark) => mark.style.background)")
    assert len(set(colours)) > 3, "each is coloured by its probability"
    page.get_by_label("How many").select_option("three")
    page.get_by_role("button", name="Write").click()
    until(page, "document.querySelectorAll('main section.x, main .columns section').length === 3")
    until(
        page,
        "[...document.querySelectorAll('.columns section')].every((own) => own.querySelectorAll('mark').length === 60)",
    )
    texts = page.locator(".columns .text").all_inner_texts()
    assert len(set(texts)) == 3
    page.get_by_label("Length").fill("5000")
    page.get_by_label("How many").select_option("one")
    page.get_by_role("button", name="Write").click()
    until(page, "document.querySelectorAll('main mark').length > 20")
    page.get_by_role("button", name="Stop").click()
    until(page, "!document.querySelector('main form button').disabled")
    assert 20 < page.locator("main mark").count() < 5000


def test_a_sentence_is_translated_and_its_attention_looked_at(ui: Ui, opened: Open) -> None:
    page = opened(ui, "translate")
    page.get_by_label("Sentence").fill("June 4th, 1988")
    page.get_by_role("button", name="Translate", exact=True).click()
    translation = page.get_by_role("region", name="Translation")
    translation.wait_for()
    own = ui.client.predict("days", {"texts": ["June 4th, 1988"], "attention": True}).document["answers"][0]
    assert own["translation"] in translation.inner_text()
    squares = page.locator(".map svg rect")
    weights = own["attention"][0]["maps"][0]["weights"]
    assert squares.count() == len(weights) * len(weights[0])
    words = page.locator(".words button")
    words.nth(2).click()
    assert words.nth(2).get_attribute("aria-pressed") == "true"
    assert page.locator(".map svg rect.on").count() == len(weights[2])
    shown = page.locator("section[aria-label='Attention'] .text mark").nth(0).get_attribute("title")
    assert shown == f"{100 * weights[2][0]:.1f} %"
    squares.last.click()
    assert words.last.get_attribute("aria-pressed") == "true"


def test_a_photo_is_dreamt_over_and_downloaded(ui: Ui, opened: Open, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    from PIL import Image

    generator = __import__("numpy").random.default_rng(0)
    Image.fromarray(generator.integers(0, 255, (72, 96, 3), "uint8")).save(tmp_path / "photo.png")
    page = opened(ui, "dream")
    page.set_input_files("input[type=file]", str(tmp_path / "photo.png"))
    page.get_by_text("eyes", exact=True).click()
    page.get_by_label("Steps").fill("2")
    page.get_by_label("Octaves").fill("2")
    page.get_by_role("button", name="Dream").click()
    page.get_by_role("button", name="Download").wait_for()
    assert "layer(_blocks.8)" in page.get_by_role("region", name="Dream").inner_text()
    size = page.eval_on_selector(".dreams img", "image => [image.naturalWidth, image.naturalHeight]")
    assert size == [96, 72]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "photo-dream.png"
    with Image.open(download.value.path()) as dream, Image.open(tmp_path / "photo.png") as photo:
        assert dream.size == photo.size and dream.tobytes() != photo.tobytes()
    page.get_by_text("Or a layer").click()
    assert page.locator("fieldset").last.locator(".shot").count() >= 15
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.set_input_files("input[type=file]", str(tmp_path / "broken.png"))
    page.get_by_role("button", name="Dream").click()
    page.refused.append(REFUSED)
    page.get_by_role("alert").filter(has_text="no picture").wait_for()


def test_a_file_is_dropped_compared_on_and_forecast(ui: Ui, opened: Open, hourly_csv: Path, tmp_path: Path) -> None:
    page = opened(ui, "forecast")
    page.set_input_files("input[type=file]", str(hourly_csv))
    health = page.get_by_role("region", name="Health")
    health.wait_for()
    assert "1200 rows every 1h" in health.inner_text()
    drawn(page, "section[aria-label='Health'] .plot")
    assert page.get_by_label("Target").input_value() == "T (degC)"
    assert page.get_by_label("Ahead").input_value() and page.get_by_label("Lookback").input_value()
    page.get_by_label("Lookback").fill("24")
    page.get_by_label("Ahead").fill("1:6")
    page.get_by_label("Epochs").fill("3")
    page.get_by_label("Lookback").fill("25x")
    page.get_by_role("button", name="Start the comparison").click()
    failing = page.get_by_role("region", name="Progress")
    failing.get_by_text(re.compile("lookback")).wait_for()
    page.get_by_label("Lookback").fill("24")
    page.get_by_role("button", name="Start the comparison").click()
    page.get_by_text("Done.").wait_for()
    board = page.get_by_role("region", name="Leaderboard").inner_text()
    assert all(rung in board for rung in ("persistence", "ridge", "gru")) and "degC" in board
    drawn(page, "section[aria-label='Forecast'] .plot")
    traces = page.evaluate(
        "document.querySelector(\"section[aria-label='Forecast'] .plot\").data.map((own) => own.name)"
    )
    assert [name for name in traces if name] == ["T (degC)", "T (degC), forecast"] and len(traces) == 4
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    table = pl.read_csv(download.value.path())
    assert len(table) == 6 and {"forecast T (degC)", "low 80% T (degC)", "high 80% T (degC)"} <= set(table.columns)
    assert page.locator("table").last.is_visible()


def test_jobs_outlive_a_reload_and_can_be_cancelled_and_gone_on_with(ui: Ui, opened: Open, hourly_csv: Path) -> None:
    about = ui.client.post("/v1/data?name=long.csv", hourly_csv.read_bytes(), "application/octet-stream").document
    options = {
        "target": "T (degC)",
        "lookback": "24",
        "ahead": "6",
        "rungs": "persistence,gru",
        "epochs": 50_000,
        "patience": 0,
    }
    wish = {"task": "forecast", "data": about["id"], "options": options}
    first, second = (ui.client.post("/v1/jobs", wish).document for _ in range(2))
    page = opened(ui, "runs")
    jobs = page.get_by_role("region", name="Jobs")
    jobs.locator("tr", has_text=first["run"]).get_by_text("running").wait_for()
    jobs.locator("tr", has_text=second["run"]).get_by_text("waiting").wait_for()
    page.get_by_text(re.compile(r"gru, epoch \d+")).first.wait_for()
    page.reload()
    jobs.locator("tr", has_text=first["run"]).get_by_text("running").wait_for()
    page.get_by_role("button", name=first["run"], exact=True).click()
    page.get_by_role("progressbar").wait_for()
    jobs.get_by_role("button", name=f"Cancel {second['run']}").click()
    jobs.get_by_role("button", name=f"Cancel {first['run']}").click()
    jobs.get_by_role("button", name=f"Go on with {first['run']}").wait_for()
    assert {ui.client.get(f"/v1/jobs/{own['id']}").document["state"] for own in (first, second)} == {"cancelled"}
    before = len((ui.client.get(f"/v1/runs/{first['run']}").document["curves"] or [{"epochs": []}])[0]["epochs"])
    jobs.get_by_role("button", name=f"Go on with {first['run']}").click()
    jobs.locator("tr", has_text=first["run"]).get_by_text("running").first.wait_for()
    until(
        page,
        f"fetch('/v1/runs/{first['run']}').then((own) => own.json()).then((own) => own.curves[0]?.epochs.length > {before})",
    )
    jobs.get_by_role("button", name=f"Cancel {first['run']}").click()
    jobs.get_by_role("button", name=f"Go on with {first['run']}").wait_for()


def test_an_empty_installation_shows_something_to_do(empty: Ui, opened: Open) -> None:
    page = opened(empty, "runs")
    page.get_by_role("button", name="Compare on the weather of New York").wait_for()
    for part, told in (("classify", "foretell compare classify"), ("generate", "foretell compare generate")):
        page = opened(empty, part)
        page.get_by_text(told).wait_for()
    page = opened(empty, "forecast")
    page.get_by_label("Or data at hand").select_option("nyc-weather")
    page.get_by_text("Series are told apart by").wait_for()
    assert page.get_by_label("Target").input_value() == "temperature (degC)"
    page = opened(empty, "translate")
    page.get_by_role("button", name="Learn to read dates").click()
    page.get_by_text("running").wait_for()
    job = empty.client.get("/v1/jobs").document["jobs"][0]
    assert job["recipe"] == "dates"
    page.get_by_role("button", name=f"Cancel {job['run']}").click()
    page.get_by_role("button", name=f"Go on with {job['run']}").or_(page.get_by_text("cancelled")).first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("part", PAGES)
def test_everybody_can_read_it(ui: Ui, opened: Open, part: str, scheme: str) -> None:
    page = opened(ui, part, color_scheme=scheme)
    page.wait_for_load_state("networkidle")
    if part == "classify":
        page.get_by_label("Text").fill("a great and lovely film, but dull")
        page.get_by_role("button", name="Classify").click()
        page.get_by_role("region", name="Words", exact=True).wait_for()
    elif part == "generate":
        page.get_by_label("Length").fill("40")
        page.get_by_role("button", name="Write").click()
        until(page, "document.querySelectorAll('main mark').length === 40")
    elif part == "translate":
        page.get_by_label("Sentence").fill("June 4th, 1988")
        page.get_by_role("button", name="Translate", exact=True).click()
        page.locator(".words button").first.wait_for()
    elif part == "forecast":
        page.get_by_label("Or data at hand").select_option("nyc-weather")
        page.get_by_role("button", name="Start the comparison").wait_for()
    assert page.evaluate(ACCESSIBLE) == []


@pytest.mark.parametrize("part", PAGES)
def test_it_fits_on_a_phone(ui: Ui, opened: Open, part: str) -> None:
    page = opened(ui, part, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    small = page.evaluate(
        "[...document.querySelectorAll('main button, main select, nav a')].filter((own) => own.checkVisibility() "
        "&& own.getBoundingClientRect().height < 30).map((own) => own.textContent)"
    )
    assert small == [], "what is touched is large enough"


def test_the_keyboard_reaches_everything(ui: Ui, opened: Open) -> None:
    page = opened(ui, "classify")
    page.get_by_label("Text").wait_for()
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.tagName"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached[-1]
        if reached[-1] == "Classify" and "TEXTAREA" in reached:
            break
    assert reached[0] == "Skip to the content"
    assert [own for own in reached if own in ("Runs", "Forecast", "Translate", "Dream")] == [
        "Runs",
        "Forecast",
        "Translate",
        "Dream",
    ]
    assert reached[-1] == "Classify" and "TEXTAREA" in reached


def test_colours_change_and_stay(ui: Ui, opened: Open) -> None:
    page = opened(ui, "runs", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark colours").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.get_by_role("button", name="Light colours").wait_for()
    assert page.evaluate(ground) == dark


def test_a_token_is_asked_for_on_the_page(runs_dir: Path, browser: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef0123456789abcdef\n")
    shutil.copytree(runs_dir, tmp_path / "runs")
    own = Ui(tmp_path / "runs", "--token-file", str(tmp_path / "token"))
    page = browser.new_page()
    page.goto(f"{own.address}/#runs")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Token").fill("wrong")
    dialog.get_by_role("button", name="Open").click()
    dialog.get_by_role("alert").wait_for()
    dialog.get_by_label("Token").fill("0123456789abcdef0123456789abcdef")
    dialog.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="weather", exact=True).click()
    page.frame_locator("iframe").locator("h1").wait_for()
    assert page.evaluate("document.cookie") == "", "no script can read it"
    page.close()
    own.close()
