"""The mean of the weights after the last epochs, which is what is judged and kept.

Vaswani et al. 2017, section 6.1, average the last checkpoints. Each epoch's weights are a file of their own, written
once, so that a stopped run goes on with the same mean.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import load
from torch import Tensor, nn

from ..errors import UnsafeFileError
from ..files import write_atomically
from ..untrusted import read_tensors
from .checkpoints import DAMAGE, LARGEST, packed
from .group import ALONE, Group
from .sharding import give_weights, weights_of


class Averaging:
    """The weights after the last epochs.

    Args:
        folder: Where they are kept.
        count: Of how many epochs; those of one are the network's own, and nothing is kept.
        group: Who trains together; the first one writes and reads.
    """

    def __init__(self, folder: Path, count: int, group: Group = ALONE) -> None:
        self.folder, self.count, self.group = folder, count, group

    def add(self, epoch: int, network: nn.Module) -> None:
        """Keeps the weights after an epoch, and those of older ones no longer."""
        if self.count == 1:
            return
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in weights_of(network).items()}
        if self.group.leads:
            write_atomically(self._file(epoch), packed(weights))
            self._file(epoch - self.count).unlink(missing_ok=True)

    @contextmanager
    def worn(self, epoch: int, network: nn.Module) -> Iterator[None]:
        """A block in which a network has the mean weights of the epochs up to one; then its own again.

        Raises:
            UnsafeFileError: The weights of an epoch are gone or damaged.
        """
        if self.count == 1:
            yield
            return
        own = {name: tensor.detach().clone() for name, tensor in weights_of(network).items()}
        give_weights(network, self._shared_mean(range(max(1, epoch - self.count + 1), epoch + 1), own))
        try:
            yield
        finally:
            give_weights(network, own)

    def _shared_mean(self, epochs: range, own: dict[str, Tensor]) -> dict[str, Tensor]:
        """The mean as the first process finds it."""
        if self.group.size == 1:
            return self._mean(epochs, own)
        return load(self.group.first(packed(self._mean(epochs, own)) if self.group.leads else b""))

    def _mean(self, epochs: range, own: dict[str, Tensor]) -> dict[str, Tensor]:
        kinds = {name: (tensor.shape, tensor.dtype) for name, tensor in own.items()}
        total: dict[str, Tensor] = {}
        for epoch in epochs:
            file = self._file(epoch)
            try:
                weights = load(read_tensors(file, LARGEST))
            except DAMAGE as error:
                raise UnsafeFileError(f"{file} is damaged: {error}", file=str(file)) from None
            if {name: (tensor.shape, tensor.dtype) for name, tensor in weights.items()} != kinds:
                raise UnsafeFileError(f"{file} is damaged, or holds the weights of another network", file=str(file))
            for name, tensor in weights.items():
                wide = tensor.double() if tensor.is_floating_point() else tensor
                total[name] = total[name] + wide if name in total and tensor.is_floating_point() else wide
        return {
            name: (tensor / len(epochs) if tensor.is_floating_point() else tensor).to(kinds[name][1])
            for name, tensor in total.items()
        }

    def _file(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:05d}.safetensors"
