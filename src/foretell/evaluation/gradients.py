"""How the gradient of a loss fades or grows on its way back through time, for every recurrent layer of a network.

Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient descent is difficult" (1994).
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor, nn

from ..errors import counted
from ..nn.cells import Cell
from ..nn.ways import Walk, watching
from ..training.losses import Loss

HELD = 8_000_000  # numbers of gates at all steps that are held at once, for autograd each about five times
FADED, GROWN = 0.01, 100.0
PARTS = ("state", "cell")


@dataclass(frozen=True)
class StateGradients:
    """The norm of the gradient of a window's loss by a layer's state, step by step back in time.

    Attributes:
        module: The cell's name in the network.
        layer: Which one of those that read in the same direction, counted from 1.
        backwards: Whether it reads sequences from their ends.
        part: ``state``, or ``cell`` for what an LSTM carries past its matrices.
        norms: The Euclidean norm over the units, mean over the windows; the first one belongs to the state after the
            step that was read last.
    """

    module: str
    layer: int
    backwards: bool
    part: str
    norms: Float64[np.ndarray, " step"]

    @property
    def ratio(self) -> float | None:
        """The norm furthest back as a multiple of that at the end; None where the latter is zero."""
        end, furthest = float(self.norms[0]), float(self.norms[-1])
        return furthest / end if end > 0 and np.isfinite([end, furthest]).all() else None

    @property
    def fades_after(self) -> int | None:
        """Steps back at which it is first under 1 % of its value at the end."""
        return _first(self.norms < FADED * self.norms[0])

    @property
    def grows_after(self) -> int | None:
        """Steps back at which it is first above a hundred times its value at the end."""
        return _first(~(self.norms <= GROWN * self.norms[0])) if self.norms[0] > 0 else None

    @property
    def words(self) -> str:
        """What becomes of it, in a few words.

        >>> def said(*norms): return StateGradients("", 1, False, "state", np.array(norms)).words
        >>> said(2.0, 0.2, 0.01), said(2.0, 1.0, 0.1), said(2.0, 4.0, 6.0), said(1.0, 20.0, 400.0), said(0.0, 0.0)
        ('fades to 1 % after 2 steps', 'still 5 % after 2 steps', 'grows 3-fold in 2 steps',
         'grows 100-fold after 2 steps', 'zero at the end')
        >>> said(2.0, 0.01, 0.8)
        'fades to 1 % after 1 step, is 40 % after 2 steps'
        """
        end, back = float(self.norms[0]), counted(len(self.norms) - 1, "step")
        faded, grown = self.fades_after, self.grows_after
        if not 0 < end < np.inf:
            return "zero at the end" if end == 0 else "beyond all numbers at the end"
        if len(self.norms) == 1:
            return "one step only"
        if faded is not None and (grown is None or faded < grown):
            ratio = float(self.norms[-1]) / end
            words = f"fades to 1 % after {counted(faded, 'step')}"
            return f"{words}, is {100 * ratio:.0f} % after {back}" if ratio >= 10 * FADED else words
        if grown is not None:
            return f"grows 100-fold after {counted(grown, 'step')}"
        ratio = float(self.norms[-1]) / end
        return f"grows {ratio:.2g}-fold in {back}" if ratio >= 1.5 else f"still {100 * ratio:.0f} % after {back}"


def state_gradients(
    network: nn.Module, inputs: tuple[Tensor, ...], targets: Tensor, loss: Loss
) -> tuple[float, list[StateGradients]]:
    """Follows the gradient of each window's loss back through a network's recurrent layers; the network stays as it is.

    Args:
        network: As it predicts. A copy is run in double precision, in which a gradient fades far before it is lost.
        inputs: Windows of one length, along the first axis; all that the network reads.
        targets: What comes next in each.
        loss: A mean over windows.

    Returns:
        The mean loss; and the gradients of each recurrent layer that was run, two of them for an LSTM.
    """
    copied = deepcopy(network).double().requires_grad_(True).eval()
    total = 0.0
    sums: list[np.ndarray] = []
    walks: list[Walk] = []
    chunk = _chunk(copied, inputs[0])
    for *some, wanted in zip(*(torch.split(part, chunk) for part in (*inputs, targets)), strict=True):
        with torch.enable_grad(), watching() as watched:
            # The sum over windows: what reaches the state of a window is then the gradient of its own loss.
            summed = loss(copied(*map(_double, some)), _double(wanted)) * len(wanted)
        walks = [walk for walk in watched if walk.states]
        total += summed.item()
        norms = _summed_norms(summed, walks)
        sums = [before + now for before, now in zip(sums, norms, strict=True)] if sums else norms
    return total / len(targets), _described(copied, walks, [norms / len(targets) for norms in sums])


def _chunk(network: nn.Module, inputs: Tensor) -> int:
    """How many windows are read at once, so that memory stays within bounds."""
    gates = sum(cell.gates * cell.units for cell in network.modules() if isinstance(cell, Cell))
    return max(1, HELD // max(1, gates * inputs.shape[1]))


def _summed_norms(loss: Tensor, walks: list[Walk]) -> list[np.ndarray]:
    """The norms of the gradients by each state, summed over windows: one array for each walk and part, from its end."""
    paths = [[state[part] for state in reversed(walk.states)] for walk in walks for part in range(walk.cell.parts)]
    states = [state for path in paths for state in path]
    if not states:
        return []
    found = iter(torch.autograd.grad(loss, states, allow_unused=True, materialize_grads=True))
    return [torch.stack([next(found) for _ in path]).norm(dim=-1).sum(1).numpy() for path in paths]


def _described(network: nn.Module, walks: list[Walk], norms: list[np.ndarray]) -> list[StateGradients]:
    names = {module: name for name, module in network.named_modules()}
    remaining, described = iter(norms), []
    read = {True: 0, False: 0}
    for walk in walks:
        read[walk.backwards] += 1
        for part in PARTS[: walk.cell.parts]:
            layer = read[walk.backwards]
            described.append(StateGradients(names[walk.cell], layer, walk.backwards, part, next(remaining)))
    return described


def _first(found: Bool[np.ndarray, " step"]) -> int | None:
    return int(found.argmax()) if found.any() else None


def _double(values: Tensor) -> Tensor:
    return values.double() if values.is_floating_point() else values
