"""Translators in the formats of other programs, and whether these say the same."""

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.joint import BEGIN, END, PADDING, SPECIAL, UNKNOWN
from ...data.storage import TokenArray
from ...errors import ConfigurationError
from ...exporting.pairs import to_ctranslate2, to_onnx
from ...exporting.session import comparable, runtime
from ...files import write_atomically
from ...nn.threads import usable_processors
from ...training.seeds import steady
from ..interface import Exported
from .examples import filled
from .learned import VOCABULARY, LearnedTranslator
from .models import Asked, NetworkModel

FORMS = ("onnx", "ctranslate2")
_SIDE_BY_SIDE = 128  # texts
Greedy = Callable[[Sequence[TokenArray]], list[list[int]]]


def export(fitted: LearnedTranslator, form: str, folder: Path, texts: Sequence[str]) -> Exported:
    """Writes a translator for another program, and has both translate some texts, always the likeliest token.

    Args:
        fitted: The translator.
        form: One of ``FORMS``.
        folder: Where; it exists and is empty.
        texts: What both translate.

    Raises:
        ConfigurationError: Its network has no counterpart there.
        MissingError: The other program is not installed.
    """
    model = fitted.model
    if not isinstance(model, NetworkModel):
        raise ConfigurationError(f"{fitted.rung} is no network; there is nothing to export")
    tokens = fitted.vocabulary.tokens
    if form == "onnx":
        files = to_onnx(model.network, folder)
    else:
        files = to_ctranslate2(model.network, tokens, (SPECIAL[UNKNOWN], SPECIAL[BEGIN], SPECIAL[END]), folder)
    write_atomically(
        folder / VOCABULARY, (json.dumps(fitted.vocabulary.document(), ensure_ascii=False) + "\n").encode()
    )
    write_atomically(folder / "README.md", _USAGE[form].encode())
    told, written = ("translations", "always the likeliest token"), [*files, VOCABULARY, "README.md"]
    if not texts or (form == "onnx" and not comparable()):
        return Exported(written, 0, 0, 0.0, 0.0, *told)
    theirs = _onnx(folder, fitted.longest) if form == "onnx" else _ctranslate2(folder, tokens, fitted.longest)
    sources = sorted(fitted.vocabulary.encode(" ".join(text.split()) for text in texts), key=len, reverse=True)
    asked = Asked(1, 0.0, fitted.longest)

    def ours(some: Sequence[TokenArray]) -> list[list[int]]:
        return [list(each[0].tokens) if each else [] for each in model.likeliest(some, asked)]

    with steady(fitted.parameters):
        own, seconds = _timed(ours, sources)
        other, their_seconds = _timed(theirs, sources)
    same = sum(one == two for one, two in zip(own, other, strict=True))
    return Exported(written, len(sources), same, seconds, their_seconds, *told)


def _timed(translate: Greedy, sources: Sequence[TokenArray]) -> tuple[list[list[int]], float]:
    """The tokens of all translations, and the seconds that they took after the first few."""
    parts = [sources[start : start + _SIDE_BY_SIDE] for start in range(0, len(sources), _SIDE_BY_SIDE)]
    if parts:
        translate(parts[-1])
    started = time.perf_counter()
    found = [own for part in parts for own in translate(part)]
    return found, time.perf_counter() - started


def _ctranslate2(folder: Path, tokens: Sequence[str], length: int) -> Greedy:
    import ctranslate2

    # Texts are shared out among threads, which is faster than sharing out each product.
    workers = usable_processors()
    translator = ctranslate2.Translator(str(folder), device="cpu", inter_threads=workers, intra_threads=1)
    numbers = {token: number for number, token in enumerate(tokens)}
    never = [[SPECIAL[PADDING]], [SPECIAL[BEGIN]]]

    def translate(sources: Sequence[TokenArray]) -> list[list[int]]:
        texts = [[tokens[number] for number in own] for own in sources]
        results = translator.translate_batch(
            texts,
            beam_size=1,
            max_batch_size=math.ceil(len(texts) / workers),
            max_decoding_length=length,
            suppress_sequences=never,
            max_input_length=0,
        )
        return [[numbers[token] for token in result.hypotheses[0]] for result in results]

    return translate


def _onnx(folder: Path, length: int) -> Greedy:
    onnxruntime = runtime()
    encoder, decoder = (
        onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
        for name in ("encoder.onnx", "decoder.onnx")
    )
    memories = [output.name for output in encoder.get_outputs()]
    states = [entry for entry in decoder.get_inputs() if entry.name.startswith("state_")]
    sizes = [int(entry.shape[1]) for entry in states]
    wanted = {entry.name for entry in decoder.get_inputs()}

    def translate(sources: Sequence[TokenArray]) -> list[list[int]]:
        source, lengths = (own.numpy() for own in filled(sources, end=True))
        memory: dict[str, Any] = dict(
            zip(memories, encoder.run(None, {"source": source, "lengths": lengths}), strict=True)
        )
        asked = {name: own for name, own in {**memory, "lengths": lengths}.items() if name in wanted}
        parts = np.split(memory["first"], np.cumsum(sizes)[:-1], axis=1)
        tokens = np.full((len(sources), 1), BEGIN, np.int64)
        found: list[list[int]] = [[] for _ in sources]
        going = np.ones(len(sources), bool)
        for _ in range(length):
            begun = {entry.name: part for entry, part in zip(states, parts, strict=True)}
            scores, *parts = decoder.run(None, {"tokens": tokens, **begun, **asked})
            scores[:, -1, [PADDING, BEGIN]] = -np.inf
            tokens = scores[:, -1].argmax(axis=1)[:, None]
            going &= tokens[:, 0] != END
            for row in np.flatnonzero(going).tolist():
                found[row].append(int(tokens[row, 0]))
            if not going.any():
                break
        return found

    return translate


_USAGE = {
    "ctranslate2": """# A translator for CTranslate2

```python
import json

import ctranslate2
from foretell.data.joint import JointVocabulary

vocabulary = JointVocabulary.restore(json.load(open("vocabulary.json")))
translator = ctranslate2.Translator(".")
cut = vocabulary.cut("A dog runs.")
result = translator.translate_batch([[vocabulary.tokens[number] for number in cut.tokens]], beam_size=5)
print(vocabulary.text(vocabulary.tokens.index(token) for token in result[0].hypotheses[0]))
```
""",
    "onnx": """# A translator in ONNX

`encoder.onnx` reads `source` (batch, place), the numbers of a text's tokens with 3 at their end and 0 behind that,
and `lengths` (batch). It gives `first`, the decoder's first state, all parts side by side, and with attention `read`
and `keys`. `decoder.onnx` reads `tokens` (batch, place), beginning with 2, the parts of a state `state_0`, `state_1`,
and with attention `read`, `keys` and `lengths`. It gives `scores` (batch, place, token) and the parts of the state
after, `state_0_after` and so on. A translation ends with token 3. `vocabulary.json` says what the tokens stand for.
""",
}
