"""Networks on devices: one device, several that share the examples of a step, or several that share the weights too."""

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from ..config import TrainingSection
from ..errors import ConfigurationError, counted
from ..nn.devices import device_of
from .group import PATIENCE, Group

if TYPE_CHECKING:
    from lightning_fabric import Fabric

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
    there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(kind, count)
    if count > there:
        raise ConfigurationError(
            f"--devices {count} needs as many of {kind}; there {'is' if there == 1 else 'are'} {counted(there, 'device')} "
            f"here; say --devices {max(1, there)}, or --device cpu",
            option="devices",
        )


def fabric_of(section: TrainingSection, group: Group) -> "Fabric":
    """What places a network as the options say, ready for work.

    Args:
        section: The options.
        group: Who trains together.
    """
    from lightning_fabric import Fabric  # 3 s of imports that only training needs

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
    from lightning_fabric.strategies import DDPStrategy, FSDPStrategy

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
        nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(own, ignored)
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


def weights_of(held: nn.Module) -> dict[str, Tensor]:
    """All weights of a network; those of shards are put together, for which all processes must ask."""
    if not _is_sharded(held):
        return held.state_dict()
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(held, options=StateDictOptions(full_state_dict=True))


def give_weights(held: nn.Module, weights: dict[str, Tensor]) -> None:
    """Gives a network its weights, all of them, or of each process its shards."""
    if not _is_sharded(held):
        held.load_state_dict(weights)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

    set_model_state_dict(held, weights, options=StateDictOptions(full_state_dict=True))


def means_of(held: nn.Module, optimiser: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """An optimiser's running means, by the number of the weight; those of shards are put together."""
    if not _is_sharded(held):
        return optimiser.state_dict()["state"]
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    found: Any = get_optimizer_state_dict(held, optimiser, options=StateDictOptions(full_state_dict=True))
    return {number: found["state"][name] for number, name in enumerate(_names(held)) if name in found["state"]}


def give_means(held: nn.Module, optimiser: torch.optim.Optimizer, means: dict[int, dict[str, Tensor]]) -> None:
    """Gives an optimiser its running means, by the number of the weight."""
    groups = optimiser.state_dict()["param_groups"]
    if not _is_sharded(held):
        optimiser.load_state_dict({"state": means, "param_groups": groups})
        return
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    options, names = StateDictOptions(full_state_dict=True), _names(held)
    whole: Any = get_optimizer_state_dict(held, optimiser, options=options)
    whole["state"] = {names[number]: state for number, state in means.items()}
    set_optimizer_state_dict(held, optimiser, whole, options=options)


def _names(held: nn.Module) -> list[str]:
    """The names of weights as the network itself has them, in its order."""
    return [name.replace("_fsdp_wrapped_module.", "") for name, _ in held.named_parameters()]


def _is_sharded(held: nn.Module) -> bool:
    return any("_fsdp_wrapped_module" in name for name, _ in held.named_modules())
