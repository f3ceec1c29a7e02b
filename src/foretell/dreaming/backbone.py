"""A network that pictures are shown to: which layers it has, and what they say of a picture.

Hooks are set for a single look and closed whatever happens. A look ends where the last layer that is asked for has
spoken, since nothing behind it counts.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from ..errors import ConfigurationError, ForetellError, RunError, nearest
from .tensors import Pixels

_FEW = 30  # layers
PROBED = 224  # rows and columns of the picture that layers are asked about


class _EnoughError(BaseException):
    """All that was asked for is known. No ``except Exception`` of a network's own may hold it."""


@dataclass(frozen=True)
class Layer:
    """A module whose output is a tensor.

    Attributes:
        name: Its path in the network.
        kind: Its class.
        shape: Of its output, without the batch.
        calls: How often it is called for a picture; the last one counts.
        reachable: Whether its gradient reaches the picture.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    calls: int
    reachable: bool


@dataclass
class Backbone:
    """A network, and how it likes its pixels.

    Args:
        module: Any module that reads (batch, colour, height, width); a copy of it is kept, for looking only.
        mean: Of each colour, taken away from pixels between 0 and 1.
        deviation: What they are divided by then.
        name: What it is called.
        size: Rows and columns of what it reads, where it reads nothing else.
        device: Where it works.

    Raises:
        ConfigurationError: The module cannot be copied.
    """

    module: nn.Module
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    name: str = "network"
    size: int | None = None
    device: str = "cpu"
    _known: dict[str, Layer] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        try:
            self._prepare(copy.deepcopy(self.module))
        except Exception as error:  # whatever a module of somebody's does
            raise ConfigurationError(f"{self.name} cannot be made ready to look: {_first_line(error)}") from None

    def _prepare(self, own: nn.Module) -> None:
        for part in own.modules():
            if getattr(part, "inplace", False) is True:
                part.__dict__["inplace"] = False  # what a layer said shall stay as it was
        # Convolutions on processors are fastest where a pixel's channels lie side by side.
        self.module = own.eval().requires_grad_(False).to(self.device)
        for tensor in self.module.parameters():
            if tensor.dim() == 4:
                tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
        self._mean, self._scale = self._constant(self.mean), self._constant([1 / own for own in self.deviation])

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers that speak when a picture is shown, in the order in which they do.

        Raises:
            ConfigurationError: The network cannot read a picture.
        """
        if not self._known:
            self._known = {own.name: own for own in self._probe()}
        return self._known

    @cached_property
    def fingerprint(self) -> str:
        """A digest of its weights."""
        digest = hashlib.sha256()
        for name, tensor in self.module.state_dict().items():
            if not isinstance(tensor, Tensor):
                continue
            digest.update(f"{name} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def require(self, names: Sequence[str]) -> None:
        """Checks that layers can be dreamt with.

        Args:
            names: Of the layers.

        Raises:
            ConfigurationError: There is no such layer, or no gradient comes from it.
        """
        for name in names:
            if name not in self.layers:
                raise ConfigurationError(
                    f'{self.name} has no layer "{name}"; {_nearest_layers(name, list(self.layers))} '
                    "(foretell dream --list-layers shows all)",
                    layer=name,
                )
            if not self.layers[name].reachable:
                raise ConfigurationError(
                    f"{name} of {self.name} gives no gradient: nothing that it says can be changed through the "
                    "picture's pixels; take a layer before it",
                    layer=name,
                )

    def activations(self, pixels: Pixels, names: Sequence[str]) -> dict[str, Tensor]:
        """What layers say of a picture.

        Args:
            pixels: Between 0 and 1.
            names: Of the layers; they exist.
        """
        found: dict[str, Tensor] = {}
        left = {name: self.layers[name].calls for name in names}

        def heard(name: str, _module: nn.Module, _given: object, output: object) -> None:
            left[name] -= 1
            enough = all(calls <= 0 for calls in left.values())
            tensor = _tensor(output)
            if tensor is not None:
                # What comes after a layer may write into its output.
                found[name] = tensor if enough else tensor.clone()
            if enough:
                raise _EnoughError

        with _hooks(self.module, {name: partial(heard, name) for name in names}):
            try:
                self.module((pixels - self._mean) * self._scale)
            except _EnoughError:
                pass
            except Exception as error:  # whatever a module of somebody's does
                raise self._unreadable(pixels, error) from None
        for name in left.keys() - found.keys():
            height, width = pixels.shape[-2:]
            raise ConfigurationError(
                f"{name} of {self.name} says nothing of a picture of {width}×{height} pixels, though it does of others",
                layer=name,
            )
        return found

    def _constant(self, numbers: Sequence[float]) -> Tensor | float:
        """A number for each colour; one alone where they are the same, which is faster."""
        if len(set(numbers)) == 1:
            return numbers[0]
        return torch.tensor(numbers, device=self.device).view(1, -1, 1, 1)

    def _probe(self) -> Iterator[Layer]:
        """Shows a grey picture and notes who says what."""
        seen: dict[str, Layer] = {}

        def heard(name: str, module: nn.Module, _given: object, output: object) -> None:
            tensor = _tensor(output)
            if tensor is None:
                return
            calls = seen.pop(name).calls if name in seen else 0
            seen[name] = Layer(name, type(module).__name__, tuple(tensor.shape[1:]), calls + 1, tensor.requires_grad)

        modules = {name: partial(heard, name) for name, _ in self.module.named_modules() if name}
        side = self.size or PROBED
        pixels = torch.full((1, len(self.mean), side, side), 0.5, device=self.device, requires_grad=True)
        with _hooks(self.module, modules), torch.enable_grad():
            try:
                self.module((pixels - self._mean) * self._scale)
            except Exception as error:
                raise self._unreadable(pixels, error) from None
        yield from seen.values()

    def _unreadable(self, pixels: Tensor, error: Exception) -> ForetellError:
        height, width = pixels.shape[-2:]
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            return RunError(f"a tile of {width}×{height} pixels needs more memory than there is; name a smaller --tile")
        return ConfigurationError(
            f"{self.name} cannot read a picture of {width}×{height} pixels ({_first_line(error)}); it must read three "
            "colours in 32 bits, and if it reads one size only, --input-size names that"
        )


@contextmanager
def _hooks(module: nn.Module, heard: Mapping[str, Callable[..., None]]) -> Iterator[None]:
    """Inside a block modules report what they say."""
    handles = []
    try:
        for name, hook in heard.items():
            handles.append(module.get_submodule(name).register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensor(output: object) -> Tensor | None:
    """The numbers that a module says, where it says any: the first tensor of several."""
    parts = output if isinstance(output, tuple | list) else output.values() if isinstance(output, dict) else [output]
    found = next((part for part in parts if isinstance(part, Tensor)), None)
    return found if found is not None and found.dim() > 0 else None


def _nearest_layers(name: str, known: list[str]) -> str:
    """The clause that helps after an unknown layer; all names only where they are few."""
    told = nearest(name, known)
    return told if "?" in told or len(known) <= _FEW else f"it has {len(known)} others"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
