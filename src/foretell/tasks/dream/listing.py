"""Which layers a network has, and what each is good for."""

from typing import Any

from ...dreaming import PROBED, Backbone, Layer
from . import builtin

_BY_STRIDE = (
    (2, "edges and colours"),
    (4, "hatching, fine textures"),
    (8, "textures, weaves"),
    (16, "patterns and parts: eyes, scales, fur"),
    (32, "parts and whole things: faces, leaves"),
)
_SHALLOW = 1  # dots in a name


def listing(backbone: Backbone) -> list[dict[str, Any]]:
    """All layers in the order in which they speak.

    Args:
        backbone: The network.

    Returns:
        Of each its ``name``, ``kind``, ``shape`` (for a picture of ``picture`` rows and columns), what it is
        ``good_for``, whether it has a ``gradient``, and whether it is one of the ``outer`` ones.
    """
    own = builtin.GOOD_FOR if backbone.name == builtin.NAME else {}
    side = backbone.size or PROBED
    found = []
    for layer in backbone.layers.values():
        inner = layer.name.count(".") > _SHALLOW or (bool(own) and layer.name not in own)
        found.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "shape": list(layer.shape),
                "picture": side,
                "gradient": layer.reachable,
                "good_for": _good_for(layer, own, side) if layer.reachable else "nothing: it gives no gradient",
                "outer": not inner,
            }
        )
    return found


def _good_for(layer: Layer, own: dict[str, str], side: int) -> str:
    """What is seen where it is made large: seen by eye, or guessed from how much of a picture a place stands for."""
    parts = layer.name.split(".")
    above = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    known = next((own[name] for name in above if name in own), None)
    if known is not None:
        return known if layer.name in own else f"as {next(name for name in above if name in own)}: {known}"
    if len(layer.shape) < 3 or min(layer.shape[1:]) <= 1:
        return "whole pictures: classes, or what they are made of"
    stride = side / layer.shape[1]
    return next((words for most, words in _BY_STRIDE if stride <= most * 1.2), "whole things")
