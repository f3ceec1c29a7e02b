"""A service under load: ``python -m benchmarks.http`` serves a forecaster and asks it from another process.

First at 50 requests a second; then at higher rates until it can do no more; then at ten times that for a minute. It
writes what it measured into docs/serve.md.
"""

import json
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.request
from datetime import date
from pathlib import Path
from typing import Any

from ..measure import machine

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"
MARK = re.compile(r"(?<=<!-- load -->\n).*\Z", re.DOTALL)
TRAINING = (
    'train forecast nyc-weather --series station --target "temperature (degC)" --rung gru --lookback 48h --ahead 1:24 '
    "--intervals 0.8 --epochs 1 --name weather"
)
RATES = (100, 150, 200, 250, 300, 350, 400, 500, 600)
CALM, LONG = 30.0, 60.0  # seconds


def foretell(*arguments: str) -> list[str]:
    """The command of this checkout."""
    return [sys.executable, "-m", "foretell", *arguments]


def asked(port: int, body: Path, rate: float, seconds: float) -> dict[str, Any]:
    """What a client in another process came to."""
    command = [sys.executable, "-m", "benchmarks.http.client", str(port), "weather", str(body), str(rate), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def anonymous(process: int) -> float:
    """The memory of a process that is its own, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1000


def main() -> None:
    """Measures, prints, writes."""
    with tempfile.TemporaryDirectory() as folder:
        runs = ["--runs-dir", f"{folder}/runs"]
        subprocess.run(foretell(*shlex.split(TRAINING), *runs, "--quiet"), check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen(
            foretell("serve", "weather", *runs, "--port", "0", "--json"), stdout=subprocess.PIPE, text=True
        )
        try:
            lines = measured(server, Path(folder))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    text = "\n".join(lines) + "\n"
    print(text)
    PAGE.write_text(MARK.sub(lambda _: text, PAGE.read_text("utf-8")), "utf-8")


def measured(server: "subprocess.Popen[str]", folder: Path) -> list[str]:
    """The whole of it, as Markdown."""
    text = ""
    for line in server.stdout or ():
        text += line
        if line.startswith("}"):
            break
    address = json.loads(text)["address"]
    port = int(address.rpartition(":")[2])
    with urllib.request.urlopen(f"{address}/v1/models/weather") as reply:
        body = folder / "body.json"
        body.write_text(json.dumps(json.load(reply)["example"]))
    asked(port, body, 50, 3)
    rows = [("50 a second", asked(port, body, 50, CALM))]
    most = 50
    for rate in RATES:
        found = asked(port, body, rate, 8)
        if found.keys() != {"200"} or found["200"]["p99"] > 100:
            break
        most = rate
        rows.append((f"{rate} a second", found))
    del rows[1:-1]
    begin = anonymous(server.pid)
    memory = [begin]
    for _ in range(3):
        found = asked(port, body, 10 * most, LONG / 3)
        memory.append(anonymous(server.pid))
    rows.append((f"{10 * most} a second, ten times as many, for {LONG:.0f} s (the last third)", found))
    head = f"{date.today()}, {machine()}, a body of {body.stat().st_size:,} bytes, server and client on one machine"
    lines = [f"{head}:", "", "| asked | answered | p50 | p99 | most | refused | p50 | p99 | most |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, found in rows:
        lines.append(f"| {name} | {cells(found, '200')} | {cells(found, '429')} |")
    shown = " → ".join(f"{own:.0f}" for own in memory)
    lines += ["", f"Memory of the server (RssAnon) before, and after each third of the flood: {shown} MB."]
    others = {
        status: own["count"] for _, found in rows for status, own in found.items() if status not in ("200", "429")
    }
    lines.append(f"Other responses: {others or 'none'}.")
    return lines


def cells(found: dict[str, Any], status: str) -> str:
    """The cells of answers of a status."""
    own = found.get(status)
    if own is None:
        return "0 | | |"
    return " | ".join([f"{own['count']:,}", *(f"{own[name]:.1f} ms" for name in ("p50", "p99", "most"))])


if __name__ == "__main__":
    main()
