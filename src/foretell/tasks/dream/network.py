"""The network that dreams: the built-in one, or any torch module with weights from a file that is not trusted."""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from ...dreaming import Backbone
from ...errors import ConfigurationError, DataError, MissingError, UnsafeFileError, UsageError, nearest
from ...nn.devices import device_of
from ...untrusted import open_plain, read_tensors
from . import builtin
from .config import BackboneSection

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LARGEST = 16 * 1024**3  # bytes of weights
_NAMED = 5  # of the weights that do not fit
_COUNTERS = "num_batches_tracked"


def open_backbone(section: BackboneSection, module: nn.Module | None = None) -> Backbone:
    """The network that options name.

    Args:
        section: The options.
        module: A network that is there already, in place of the one that they name.

    Raises:
        MissingError: A package is not installed.
        ConfigurationError: What is named is no network, or its weights are another one's.
        UnsafeFileError: The file of weights is damaged, or no safetensors.
    """
    device = device_of(section.device)
    usual = IMAGENET
    if module is None and section.model is None:
        name, usual = builtin.NAME, (builtin.MEAN, builtin.DEVIATION)
        module = builtin.network()
        if section.weights is None:
            builtin.give_weights(module, section.cache_dir)
        else:
            fit_weights(module, section.weights, name)
        builtin.fuse(module)
    else:
        name = section.model or type(module).__name__
        if module is None and section.weights is None:
            warnings.warn(f"{name} dreams with the weights that it is made with; --weights names others", stacklevel=2)
        module = _made(name) if module is None else module
        if section.weights is not None:
            fit_weights(module, section.weights, name)
    mean, deviation = usual if section.normalise is None else normalisation(section.normalise)
    return Backbone(module, mean, deviation, name, section.input_size, device)


def normalisation(text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of pixels from a text: a number for each, or one for each colour.

    Args:
        text: As ``--normalise`` has it.

    Raises:
        ConfigurationError: It is something else.

    >>> normalisation("0.5,0.25")
    ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    """
    numbers = []
    for part in re.split(r"[,\s]+", text.strip()):
        try:
            numbers.append(float(part))
        except ValueError:
            numbers.append(float("nan"))
    if len(numbers) == 2:
        numbers = [numbers[0]] * 3 + [numbers[1]] * 3
    if len(numbers) != 6 or not all(abs(number) < 1e6 for number in numbers) or min(numbers[3:]) <= 0:
        raise ConfigurationError(
            "--normalise needs MEAN,DEVIATION: two numbers, or three of each, as 0.485,0.456,0.406,0.229,0.224,0.225, "
            f'deviations above zero; found "{text}"',
            option="normalise",
        )
    return tuple(numbers[:3]), tuple(numbers[3:])


def _made(path: str) -> nn.Module:
    """What a callable of somebody's makes: PACKAGE:CALLABLE."""
    package, sign, attribute = path.partition(":")
    if not sign or not package or not attribute:
        raise UsageError(f'--model needs PACKAGE:CALLABLE, such as torchvision.models:resnet50; found "{path}"')
    with _here():
        return _called(path, package, attribute)


@contextmanager
def _here() -> Iterator[None]:
    """Inside a block modules are looked for in the current folder first, as by Python's own -m."""
    folder = os.getcwd()  # noqa: PTH109
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _called(path: str, package: str, attribute: str) -> nn.Module:
    try:
        found: Any = import_module(package)
    except ImportError as error:
        raise MissingError(f"--model {path}: {package} cannot be imported ({error}); install it", model=path) from None
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"--model {path}: importing {package} failed: {_said(error)}") from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(
                f'--model {path}: {package} has no "{part}"; {nearest(part, dir(found))}', model=path
            )
        found = getattr(found, part)
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise ConfigurationError(f"--model {path}: {attribute} is of type {type(found).__name__}; a callable is needed")
    try:
        module = found()
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"--model {path}: calling {attribute}() failed: {_said(error)}; it is called with no arguments"
        ) from None
    if not isinstance(module, nn.Module):
        raise ConfigurationError(
            f"--model {path}: {attribute}() gave a thing of type {type(module).__name__}; a torch.nn.Module is needed",
            model=path,
        )
    return module


def fit_weights(module: nn.Module, path: Path, name: str) -> None:
    """Gives a network the weights of a file.

    Args:
        module: The network; changed in place.
        path: A safetensors file.
        name: What the network is called.

    Raises:
        DataError: There is no such file.
        UnsafeFileError: It is no safetensors file, or a damaged one.
        ConfigurationError: The weights are another network's.
    """
    weights = _read(path)
    own = {key: tensor for key, tensor in module.state_dict().items() if isinstance(tensor, Tensor)}
    for key, tensor in own.items():
        # Of weights that two layers share, a file may hold one name only.
        same = [other for other in weights if other in own and _shared(tensor, own[other])]
        if key not in weights and same:
            weights[key] = weights[same[0]]
    missing = [key for key in own if key not in weights and not key.endswith(_COUNTERS)]
    unexpected = [key for key in weights if key not in own]
    shaped = [
        f"{key} of {_shape(weights[key])}, not {_shape(own[key])}"
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]
    told = [
        f"{words}: {', '.join(keys[:_NAMED])}{f' and {len(keys) - _NAMED} more' if len(keys) > _NAMED else ''}"
        for words, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", shaped))
        if keys
    ]
    if told:
        raise ConfigurationError(
            f"the weights in {path} are not those of {name}; {'; '.join(told)}",
            missing=missing or None,
            unexpected=unexpected or None,
            shapes=shaped or None,
        )
    for key, tensor in weights.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UnsafeFileError(f"{path} is damaged: {key} holds numbers that are not finite", file=str(path))
    # Counters of batches, which mean nothing where nothing learns, may be left out.
    counters = {key: torch.zeros((), dtype=own[key].dtype) for key in own if key not in weights}
    module.load_state_dict(
        {key: weights[key].to(own[key].dtype) for key in weights} | counters, assign=True, strict=False
    )


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, wherever a link leads to it."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; --weights is a .safetensors file", file=str(path))
    if not path.exists():
        raise DataError(f"there is no file {path}", file=str(path))
    file = path.resolve()
    try:
        return load(read_tensors(file, _LARGEST))
    except UnsafeFileError:
        if not _pickled(file):
            raise
        raise UnsafeFileError(
            f"{path} is a pickle, which can run code when it is read, so it is not; convert it where it comes "
            "from: safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW)",
            file=str(path),
        ) from None
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UnsafeFileError(f"{path} is damaged, or no safetensors file: {error}", file=str(path)) from None


def _pickled(file: Path) -> bool:
    """Whether a file begins as pickles do, or as zips of such."""
    try:
        with open_plain(file, _LARGEST) as (stream, _):
            return stream.read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK")
    except UnsafeFileError:
        return False


def _shared(one: Tensor, other: Tensor) -> bool:
    return not one.is_meta and one.data_ptr() == other.data_ptr() and one.shape == other.shape


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
