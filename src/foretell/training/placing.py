"""Networks on devices: one device, several that share the examples of a step, or several that share the weights too."""

import logging
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from ..config import TrainingSection
from ..errors import ConfigurationError, counted
from ..nn.devices import device_of
from ..nn.threads import usable_processors
from .group import PATIENCE, Group, started
from .sharding import weights_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_MOST = 8  # processes that share a processor
_PRECISION: dict[str, Literal["32-true", "64-true", "bf16-mixed"]] = {
    "32": "32-true",
    "64": "64-true",
    "bf16": "bf16-mixed",
}


def check_devices(section: TrainingSection) -> None:
    """Checks that there are as many devices here as the options ask for, and that they can be shared so.

    Raises:
        ConfigurationError: There are not, or they cannot.
    """
    kind, count = device_of(section.device), section.devices
    if section.strategy == "fsdp" and kind != "cuda":
        raise ConfigurationError(
            f"--strategy fsdp shares weights between CUDA devices; the device here is {kind}; say --strategy ddp",
            option="strategy",
        )
    there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(kind, count if started() else _MOST * usable_processors())
    if count > there:
        raise ConfigurationError(
            f"--devices {count} needs as many of {kind}; found {counted(there, 'device')} here"
            f"{f', {_MOST} for each processor' if kind == 'cpu' else ''}; say --devices {max(1, there)}"
            f"{'' if kind == 'cpu' else ', or --device cpu'}",
            option="devices",
        )


def fabric_of(section: TrainingSection, group: Group) -> "Fabric":
    """What places a network as the options say, ready for work.

    Args:
        section: The options.
        group: Who trains together.
    """
    from lightning_fabric import Fabric  # 3 s of imports that only training needs

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # of what options say it need not tell
    precision = _PRECISION[section.precision]
    if group.size == 1:
        return Fabric(accelerator=section.device, devices=1, precision=precision)
    strategy = strategy_of(section)
    fabric = Fabric(
        accelerator=section.device,
        devices=section.devices,
        num_nodes=section.nodes,
        strategy=strategy,
        precision=precision,
    )
    fabric.launch()
    return fabric


def strategy_of(section: TrainingSection) -> Any:
    """How several devices train one network.

    Args:
        section: The options.
    """
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.strategies.fsdp import FSDPStrategy

    if section.strategy == "fsdp":
        return FSDPStrategy(timeout=PATIENCE, state_dict_type="full", sync_module_states=True)
    return DDPStrategy(timeout=PATIENCE)


@dataclass(frozen=True)
class Placed:
    """A network where it trains, and its optimiser.

    Attributes:
        model: What is called.
        optimiser: Moves the weights.
        held: What holds the weights, or this process's shards of them.
        network: The network itself, which tasks look at.
        sparse: Weights whose gradients name the rows that a batch holds; nobody else averages them over processes.
    """

    model: Any
    optimiser: Any
    held: nn.Module
    network: nn.Module
    sparse: list[nn.Parameter]

    @property
    def sharded(self) -> bool:
        """Whether each process holds shards of the weights."""
        return self.held is not self.network

    def average_sparse(self, group: Group) -> None:
        """Averages over processes what torch does not."""
        for weight in self.sparse:
            if weight.grad is not None:
                weight.grad = group.average(weight.grad)

    def look(self) -> None:
        """Gives the network itself the weights as they are, where others hold them."""
        if self.sharded:
            self.network.load_state_dict(weights_of(self.held))


def place(fabric: "Fabric", network: nn.Module, make: Any, section: TrainingSection, group: Group) -> Placed:
    """Places a network, and makes its optimiser.

    Args:
        fabric: Places it.
        network: On the processor; under FSDP a copy is placed instead.
        make: Makes the optimiser of some parameters.
        section: The options.
        group: Who trains together.
    """
    sharded = group.size > 1 and section.strategy == "fsdp"
    own = deepcopy(network) if sharded else network
    sparse = _sparse(own) if group.size > 1 else {}
    if group.size > 1 and not sharded:
        # DistributedDataParallel takes sparse gradients of torch's own embeddings alone. It would send buffers around
        # whenever a network goes forward; ours never change, and in validation each process goes forward as it likes.
        ignored = [*sparse, *(name for name, _ in own.named_buffers())]
        ignore: Any = nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
        ignore(own, ignored)
    model, optimiser = fabric.setup(own, make(own.parameters()))
    return Placed(model, optimiser, model._forward_module if sharded else network, network, list(sparse.values()))


def _sparse(network: nn.Module) -> dict[str, nn.Parameter]:
    """The weights whose gradients are sparse, by name."""
    return {
        f"{path}.{name}".lstrip("."): weight
        for path, module in network.named_modules()
        if getattr(module, "sparse", False)
        for name, weight in module.named_parameters(recurse=False)
    }
