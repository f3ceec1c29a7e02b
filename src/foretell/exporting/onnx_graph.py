"""Layers as ONNX's own nodes, one for a whole sequence: a recurrent layer stays one GRU or LSTM, whatever its length.

A tracing exporter would write every step of time as nodes of its own, for one length. The names of inputs and outputs
are those of ONNX's operators (opset 17).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor, nn

from ..errors import ConfigurationError, MissingError
from ..files import write_atomically
from ..nn import LSTM, RNN, Bidirectional
from ..nn.cells import Cell, GRUCell
from ..nn.recurrent import Recurrent

OPSET = 17
Kind = Literal["single", "double", "whole", "yes or no"]
"""What an input or output consists of: numbers of 32 or 64 bits, whole numbers of 64 bits, truth values."""
SINGLE, DOUBLE, WHOLE, SHORT = 1, 11, 7, 6  # ONNX's numbers of its types; SHORT are whole numbers of 32 bits
_KINDS: dict[str, int] = {"single": SINGLE, "double": DOUBLE, "whole": WHOLE, "yes or no": 9}
_RELU = {"LSTM": ["Sigmoid", "Relu", "Relu"], "GRU": ["Sigmoid", "Relu"], "RNN": ["Relu"]}
# Which of our gates stands at each place of ONNX's: reset, update, candidate → update, reset, candidate; and input,
# forget, candidate, output → input, output, forget, candidate.
_ORDER = {1: (0,), 3: (1, 0, 2), 4: (0, 3, 1, 2)}


class Graph:
    """A graph that grows node by node; every method gives the name of what comes of it.

    Args:
        name: The graph's name.

    Raises:
        MissingError: ONNX is not installed.
    """

    def __init__(self, name: str) -> None:
        try:
            import onnx
        except ImportError:
            raise MissingError("--to onnx needs onnx: pip install 'foretell[export]'", extra="export") from None
        self.onnx, self.name = onnx, name
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def input(self, name: str, shape: Sequence[str | int], kind: Kind = "single") -> str:
        """An input; a size that varies has a name."""
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, _KINDS[kind], list(shape)))
        return name

    def output(self, name: str, own: str, shape: Sequence[str | int], kind: Kind = "single") -> None:
        """An output, under a name of its own."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [own], [name]))
        self.outputs.append(self.onnx.helper.make_tensor_value_info(name, _KINDS[kind], list(shape)))

    def constant(self, array: np.ndarray | Tensor) -> str:
        """Weights, or other numbers that stay."""
        values = array.detach().numpy() if isinstance(array, Tensor) else array
        name = f"constant_{len(self.constants)}"
        self.constants[name] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def whole(self, *numbers: int) -> str:
        """A list of whole numbers: a shape, axes, places."""
        return self.constant(np.array(numbers, np.int64))

    def size(self, own: str, axis: int) -> str:
        """How long an axis is: a list of one number."""
        return str(self.add("Slice", self.add("Shape", own), self.whole(axis), self.whole(axis + 1)))

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node: the name of its output, or names of several."""
        names = [f"{operator.lower()}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, own: str, layer: nn.Linear) -> str:
        """A dense layer over the last axis."""
        found = self.add("MatMul", own, self.constant(layer.weight.t()))
        return found if layer.bias is None else str(self.add("Add", found, self.constant(layer.bias)))

    def recurrent(
        self, own: str, layer: Recurrent | Bidirectional, lengths: str = "", state: Sequence[str] = ()
    ) -> tuple[str, list[str]]:
        """A recurrent layer over sequences, (batch, time, feature).

        Args:
            own: The sequences.
            layer: One layer, in one direction or in both; what it returns and how it merges is left aside.
            lengths: Steps of each, 32-bit whole numbers; all where empty.
            state: The parts of the state that it begins with, (batch, unit); zeros where empty.

        Returns:
            The states at every step, those of both directions end to end, (batch, time, unit), and the parts of the
            last state, (direction, batch, unit).

        Raises:
            ConfigurationError: ONNX has no such layer.
        """
        pair = [layer.ahead, layer.back] if isinstance(layer, Bidirectional) else [layer]
        first = pair[0]
        if first.layers > 1 or (len(pair) == 2 and first.reversed):
            raise ConfigurationError(
                f"ONNX knows single recurrent layers, the first of two directions ahead; found {first.layers} layers"
                f"{', read backwards first' if first.reversed else ''}; put one layer upon the other instead"
            )
        cells = [one.each[0] for one in pair]
        kind = "LSTM" if isinstance(first, LSTM) else "RNN" if isinstance(first, RNN) else "GRU"
        direction = "bidirectional" if len(pair) == 2 else "reverse" if first.reversed else "forward"
        attributes: dict[str, Any] = {"hidden_size": first.units, "direction": direction}
        if cells[0].activation != "tanh":
            attributes["activations"] = _RELU[kind] * len(pair)
        if isinstance(cells[0], GRUCell):
            attributes["linear_before_reset"] = int(cells[0].reset == "after")
        weights = [self.constant(np.stack([_gates(array, cell) for cell in cells])) for array in ("input", "state")]
        bias = self.constant(np.stack([_biases(cell) for cell in cells]))
        begins = [self.add("Unsqueeze", part, self.whole(0)) for part in state]
        time_first = self.add("Transpose", own, perm=[1, 0, 2])
        found = self.add(
            kind, time_first, *weights, bias, lengths, *begins, outputs=3 if kind == "LSTM" else 2, **attributes
        )
        # (time, direction, batch, unit) → (batch, time, direction · unit)
        steps = self.add("Transpose", found[0], perm=[2, 0, 1, 3])
        flat = self.whole(0, 0, len(pair) * first.units)
        return str(self.add("Reshape", steps, flat)), list(found[1:])

    def save(self, path: Path, told: Mapping[str, Any] | None = None) -> None:
        """Checks the graph and writes it.

        Args:
            path: Where.
            told: What the model says of itself, as its metadata: texts as they are, all else as JSON.
        """
        graph = self.onnx.helper.make_graph(
            self.nodes, self.name, self.inputs, self.outputs, list(self.constants.values())
        )
        opset = [self.onnx.helper.make_opsetid("", OPSET)]
        model = self.onnx.helper.make_model(graph, producer_name="foretell", opset_imports=opset)
        for key, value in (told or {}).items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            model.metadata_props.add(key=key, value=text)
        model.ir_version = 8  # read by runtimes that are older than this onnx
        self.onnx.checker.check_model(model)
        write_atomically(path, model.SerializeToString())


def _gates(which: str, cell: Cell) -> np.ndarray:
    """A cell's weights with gates in ONNX's order, (gate · unit, input)."""
    weights = cell.input_weights if which == "input" else cell.state_weights
    parts = weights.detach().t().numpy().reshape(cell.gates, cell.units, -1)
    return np.concatenate([parts[gate] for gate in _ORDER[cell.gates]])


def _biases(cell: Cell) -> np.ndarray:
    """A cell's biases, those that inputs add and those that the state adds, in ONNX's order."""
    both = [bias.detach().numpy().reshape(cell.gates, cell.units) for bias in cell.torch_biases()]
    return np.concatenate([bias[gate] for bias in both for gate in _ORDER[cell.gates]])
