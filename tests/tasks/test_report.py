"""The report in a real browser: it draws everything, says nothing on the console, and asks no network."""

from pathlib import Path
from typing import Any

import pytest

from foretell.cli.main import main

from ..browser import NEEDED

pytestmark = NEEDED


@pytest.fixture(scope="module")
def report(hourly_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    rungs = "persistence,seasonal,climatology,ridge,mlp,gru,conv,ensemble"
    options = ["--target", "T (degC)", "--lookback", "24", "--ahead", "1:6", "--epochs", "3", "--units", "4"]
    options += ["--rungs", rungs, "--intervals", "0.8", "--learning-rate", "auto"]
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "forecast", str(hourly_csv), *options, "--runs-dir", str(folder), "--name", "run", "--quiet"])
    assert stopped.value.code == 0
    return folder / "run" / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_the_report_draws_everything_and_asks_nobody(report: Path, browser: Any, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_function("document.querySelectorAll('.plot .main-svg').length >= 2")
    assert said == []
    assert asked == [report.as_uri()]
    places = page.locator(".plot")
    titles = [places.nth(number).get_attribute("aria-label") for number in range(places.count())]
    assert {"mlp", "gru", "By hour of day", "By lead", "Residuals"} <= set(titles)
    assert page.evaluate("[...document.querySelectorAll('.plot')].every(place => place.querySelector('.main-svg'))")
    assert page.evaluate("document.querySelectorAll('canvas').length") == 0, "no WebGL"
    # Lines have as many points as there are epochs: three of each curve.
    assert page.evaluate("document.getElementById('plot-1-0').data.map(line => line.y.length)") == [3, 3]
    headings = page.locator("h2").all_inner_texts()
    assert headings[:4] == ["Leaderboard", "Learning curves", "Learning rates", "Forecast and truth"]
    assert page.locator("table").first.locator("tbody tr").count() == 8
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "it scrolls sideways"
    page.close()
