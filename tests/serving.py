"""Tiny models of every task, trained once, and services over them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from foretell.cli.main import main
from foretell.config.serving import Serving
from foretell.data.builtin.dates import dates
from foretell.web.application import Service
from foretell.web.models import Models
from foretell.web.server import address_of, configured, open_socket

from .service.client import Client
from .tasks.made_texts import frame

OPTIONS = {
    "weather": [
        "forecast",
        "hourly.csv",
        "--rung",
        "gru",
        "--target",
        "T (degC)",
        "--lookback",
        "24",
        "--ahead",
        "1:6",
    ],
    "mood": ["classify", "reviews.csv", "--rung", "lstm"],
    "writer": ["generate", "corpus.txt", "--rung", "lstm"],
    "days": ["translate", "days.en", "days.iso", "--rung", "gru-attention", "--tokens", "characters"],
}
FURTHER = {
    "weather": ["--units", "4", "--intervals", "0.8"],
    "mood": ["--units", "6", "--embedding", "8"],
    "writer": ["--units", "12", "--embedding", "8"],
    "days": ["--units", "24", "--embedding", "16", "--batch-tokens", "600", "--beam", "2", "--warmup-steps", "5"],
}
EPOCHS = {"weather": 2, "mood": 4, "writer": 2, "days": 3}


@pytest.fixture(scope="session")
def runs_dir(hourly_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs, each with a model."""
    folder = tmp_path_factory.mktemp("service")
    frame(240).write_csv(folder / "reviews.csv")
    (folder / "corpus.txt").write_text("the sun rose over the hills and the birds began to sing\n" * 60)
    pairs = [(written, day) for written, day, _ in dates(400)]
    for place, language in enumerate(("en", "iso")):
        (folder / f"days.{language}").write_text("".join(f"{pair[place]}\n" for pair in pairs))
    for name, (task, *rest) in OPTIONS.items():
        own = [
            str(hourly_csv if part == "hourly.csv" else folder / part if (folder / part).exists() else part)
            for part in rest
        ]
        further = [*FURTHER[name], "--epochs", str(EPOCHS[name]), "--runs-dir", str(folder / "runs"), "--name", name]
        with pytest.raises(SystemExit) as stopped:
            main(["train", task, *own, *further, "--quiet"])
        assert stopped.value.code == 0, name
    return folder / "runs"


@pytest.fixture(scope="session")
def models(runs_dir: Path) -> Models:
    """The models of these runs, loaded."""
    return Models({name: runs_dir / name / "model" for name in OPTIONS})


Serve = Callable[..., Client]


@pytest.fixture
def serve(models: Models) -> Iterator[Serve]:
    """Starts services in this process, with options; they end with the test."""
    begun: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(own: Models | None = None, token: str | None = None, **options: object) -> Client:
        section = Serving.build({"deadline": "20s", **options}, environment={}).serving
        service = Service(own or models, section, token, own=token is None)
        listening = open_socket("127.0.0.1", 0)
        server = uvicorn.Server(configured(service))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        begun.append((server, thread))
        client = Client(address_of(listening), service, server)
        client.wait()
        return client

    yield start
    for server, thread in begun:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
