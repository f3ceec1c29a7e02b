"""What a translation looked at: the weights of attention as maps, layer by layer and head by head."""

from collections.abc import Sequence

import torch

from ...data.joint import SPECIAL, JointVocabulary
from ...errors import InputError
from ...evaluation.panels import Maps, Panel
from .models import Asked, NetworkModel

_BEGIN, _END = SPECIAL[2], SPECIAL[3]
_KINDS = {
    "cross": (
        "Cross-attention",
        "Each row is a piece that was written; it shows which pieces of the source were looked at for it.",
    ),
    "encoder": (
        "Self-attention of the encoder",
        "Each row is a piece of the source; it shows which pieces of the source it took from.",
    ),
    "decoder": (
        "Self-attention of the decoder",
        "Each row is a piece that was read while writing, the beginning first; it takes from those before it.",
    ),
}


def attention_panels(model: NetworkModel, vocabulary: JointVocabulary, text: str, asked: Asked) -> list[Panel]:
    """The maps of a text's translation: the means of each layer, then each head.

    Args:
        model: What translates.
        vocabulary: What cuts texts.
        text: What is translated.
        asked: How translations are looked for; the best one is shown.

    Raises:
        InputError: The model attends to nothing.
    """
    cut = vocabulary.cut(text)
    (found,) = model.likeliest([cut.tokens], asked)
    tokens = found[0].tokens if found else ()
    copies = model.copies(cut, tokens)
    maps = model.look(cut.tokens, tokens)
    if not maps:
        raise InputError("this model attends to nothing: its decoder knows a source by one state alone")
    written = [copies.get(place, vocabulary.tokens[token]) for place, token in enumerate(tokens)]
    source = [*cut.pieces, _END]
    sides = {"cross": ([*written, _END], source), "encoder": (source, source)}
    sides["decoder"] = ([_BEGIN, *written], [_BEGIN, *written])
    lead = f'"{text}" → "{vocabulary.text(tokens, copies)}"'
    panels = []
    for kind, (heading, prose) in _KINDS.items():
        if kind in maps:
            rows, columns = sides[kind]
            items = [_drawn("Means over all heads, layer by layer", rows, columns, _means(maps[kind]))]
            if maps[kind][0].shape[1] > 1:
                items += [
                    _drawn(f"Layer {number}, head by head", rows, columns, _heads(layer))
                    for number, layer in enumerate(maps[kind], 1)
                ]
            panels.append(Panel(heading, f"{lead}. {prose}", list(items)))
    return panels


def _means(layers: Sequence[torch.Tensor]) -> list[tuple[str, torch.Tensor]]:
    return [(f"layer {number}", layer[0].mean(0)) for number, layer in enumerate(layers, 1)]


def _heads(layer: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    return [(f"head {number}", head) for number, head in enumerate(layer[0], 1)]


def _drawn(title: str, rows: list[str], columns: list[str], maps: list[tuple[str, torch.Tensor]]) -> Maps:
    shown = [_shown(names) for names in (rows, columns)]
    return Maps(title, shown[0], shown[1], [(name, weights.tolist()) for name, weights in maps])


def _shown(pieces: Sequence[str]) -> list[str]:
    """Pieces as they are shown: a blank before a word as it is, one alone as a sign."""
    return [piece.replace("▁", " ").strip() or "␣" for piece in pieces]
