"""The built wheel, installed into an environment of its own, runs the demo: nothing it needs is left in the checkout."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_it_needs_and_stays_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        data = archive.getinfo("foretell/data/builtin/nyc_weather_2013.parquet").compress_size
    assert {"foretell/py.typed", "foretell/recipes/demo.toml", "foretell/recipes/lecture/long-gap.toml"} <= set(names)
    page = {f"foretell/web/page/{name}" for name in ("index.html", "style.css", "app.js", "layers.webp")}
    assert page <= set(names), "the page is served from the package"
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]
    assert wheel.stat().st_size - data < 1_000_000


def test_the_wheel_runs_the_demo_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    bin_folder = environment / ("Scripts" if os.name == "nt" else "bin")
    site = subprocess.run(
        [bin_folder / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    # The dependencies are those of this environment; Foretell itself comes from the wheel alone.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (Path(site) / "dependencies.pth").write_text(here + "\n")
    settings = {**os.environ, "FORETELL_EPOCHS": "1", "FORETELL_STEPS_PER_EPOCH": "3", "PYTHONPATH": ""}
    where: list[str | Path] = [bin_folder / "python", "-c", "import foretell; print(foretell.__file__)"]
    assert (
        str(environment)
        in subprocess.run(where, capture_output=True, text=True, timeout=60, check=True, env=settings).stdout
    )
    done = subprocess.run(
        [bin_folder / "python", "-m", "foretell", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
        env=settings,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["rows"]) == 7
    assert (tmp_path / "runs" / "demo-1" / "report.html").exists()
