"""A network's weights and its optimiser's running means as a whole, also where each process holds shards of them.

Those of shards are put together by torch; all processes must ask for them together.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn


def weights_of(held: nn.Module) -> dict[str, Tensor]:
    """All weights of a network; those of shards are put together, for which all processes must ask."""
    if not _is_sharded(held):
        return held.state_dict()
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    found: Any = get_model_state_dict(held, options=StateDictOptions(full_state_dict=True))
    return cast("dict[str, Tensor]", found)


def give_weights(held: nn.Module, weights: dict[str, Tensor]) -> None:
    """Gives a network its weights, all of them, or of each process its shards."""
    if not _is_sharded(held):
        held.load_state_dict(weights)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

    set_model_state_dict(held, dict(weights), options=StateDictOptions(full_state_dict=True))


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
