"""The weights of a network that come from a model folder, which is not trusted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from ..artefact import DOCUMENT, FILES, WEIGHTS
from ..errors import ConfigurationError, UnsafeFileError
from ..nn import GRU, load_torch_state
from ..numbers import usable

MOST_MEMBERS = 100


@contextmanager
def of_a_model_folder() -> Iterator[None]:
    """Inside a block whatever contradicts itself is told as damage of the model folder that it is read from.

    Raises:
        UnsafeFileError: Something does.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RuntimeError) as error:
        raise UnsafeFileError(f"the model folder is damaged: {_told(error)}") from None
    except ConfigurationError as error:
        raise UnsafeFileError(f"the model folder is damaged: {error.message}") from None


def _told(error: Exception) -> str:
    """What is wrong, as far as an error of Python's says it."""
    sentence = str(error).partition("\n")[0]
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"config in {DOCUMENT} must be options of its task; {'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]}"
    if isinstance(error, TypeError | AttributeError):
        files = " or ".join((DOCUMENT, *FILES))
        return f"{files} holds a value of another kind than belongs there ({sentence})"
    if isinstance(error, ValueError):
        return sentence
    return f"what {DOCUMENT} says and {WEIGHTS} hold contradict each other ({sentence})"


def require_few(members: Sequence[Any]) -> None:
    """Checks that a model of others is made of as many as any climb comes to.

    Raises:
        ValueError: They are none, or very many.
    """
    if not 1 <= len(members) <= MOST_MEMBERS:
        raise ValueError(f"a model of others has 1 to {MOST_MEMBERS} members; found {len(members)}")


def require_kinds(about: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Checks what a model folder says of the data that its model learned from, as far as anything reads it.

    Args:
        about: What it says.
        kinds: The type of each value by its name; one whose type allows None may be missing.

    Raises:
        ValueError: It says something else.
    """
    for name, kind in kinds.items():
        try:
            TypeAdapter(kind).validate_python(about.get(name), strict=True)
        except ValidationError as error:
            what = f"lacks {name}" if name not in about else f"has {name} of another kind"
            raise ValueError(
                f"it does not say what it learned from: data in {DOCUMENT} {what} ({error.errors()[0]['msg']})"
            ) from None


def require_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Checks that arrays hold finite numbers.

    Raises:
        ValueError: One does not.
    """
    for name, array in arrays.items():
        if not usable(array):
            raise ValueError(f"{name} must hold finite numbers")


def load_network(build: Callable[[], nn.Module], arrays: dict[str, np.ndarray]) -> nn.Module:
    """A network with stored weights; memory is taken only for weights that are there.

    Args:
        build: Makes the network that the folder describes.
        arrays: The weights.

    Raises:
        UnsafeFileError: They are of another network.
    """
    arrays = _as_of_now(arrays)
    with torch.device("meta"), torch.no_grad():
        network = build()
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: array.shape for name, array in arrays.items()}
    if expected != found:
        differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise UnsafeFileError(
            f"the stored weights are of another network than the folder describes: {', '.join(differing[:3])}"
        )
    whole = {name for name, tensor in network.state_dict().items() if not tensor.is_floating_point()}
    kinds = {name: np.int64 if name in whole else np.float32 for name in arrays}
    weights = {name: torch.from_numpy(array.astype(kinds[name])) for name, array in arrays.items()}
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()


def _as_of_now(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights with today's names; in format 1.0 the recurrent layer of a network was torch's GRU."""
    prefix = "recurrent."
    old = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    weights = old.get("weight_ih_l0")
    if weights is None or weights.ndim != 2 or not weights.size:
        return arrays
    units = max(len(weights) // 3, 1)
    if old.get("weight_hh_l0", weights).shape != (3 * units, units):
        raise UnsafeFileError("the stored weights are damaged: a GRU has as many rows of weights as units, three times")
    layer = GRU(weights.shape[1], units)
    try:
        load_torch_state(layer, {name: torch.from_numpy(array.astype(np.float32)) for name, array in old.items()})
    except ConfigurationError as error:
        raise UnsafeFileError(f"the stored weights are damaged: {error.message}") from None
    others = {name: array for name, array in arrays.items() if not name.startswith(prefix)}
    return others | {prefix + name: tensor.numpy() for name, tensor in layer.state_dict().items()}
