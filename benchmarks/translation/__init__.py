"""Translating, and learning to: tokens and sentences per second beside torch.nn.Transformer and CTranslate2."""

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foretell.data.joint import BEGIN, END, PADDING, SPECIAL
from foretell.decoding import Beam, beam_search
from foretell.exporting.pairs import to_ctranslate2
from foretell.nn import EncoderDecoder, TransformerPair
from foretell.nn.positions import positions_until
from foretell.nn.threads import usable_processors
from foretell.tasks.translate.config import EncoderDecoderSection
from foretell.tasks.translate.examples import filled
from foretell.tasks.translate.models import NetworkModel

from ..measure import Row, race, rows

TOKENS, WIDTH, HEADS, FORWARD, LAYERS = 8_000, 128, 4, 256, 4  # transformer-tiny
BATCH = 2500  # tokens of a step
DROPOUT = 0.3
SENTENCES, LONG = 1000, 128
ROWS = 320  # texts that are written side by side
_LOSS = nn.CrossEntropyLoss(ignore_index=PADDING, label_smoothing=0.1)


def measure() -> list[Row]:
    """All of it."""
    return [*_training(), *_decoding(1), *_decoding(5), *_decoding(1, long=True)]


def ours(dropout: float = 0.0) -> EncoderDecoder:
    """The network of transformer-tiny."""
    torch.manual_seed(0)
    network = EncoderDecoder(TOKENS, WIDTH, TransformerPair(WIDTH, HEADS, FORWARD, LAYERS, dropout), PADDING)
    network.smoothing = 0.1
    return network


class Torchs(nn.Module):
    """The same made of torch.nn.Transformer: vectors and scores share weights, positions are the same."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(TOKENS, WIDTH) / WIDTH**0.5)
        self.bias = nn.Parameter(torch.zeros(TOKENS))
        sizes: dict[str, Any] = {"num_encoder_layers": LAYERS, "num_decoder_layers": LAYERS, "dim_feedforward": FORWARD}
        with warnings.catch_warnings():  # normalising first, torch goes without nested tensors, and says so
            warnings.simplefilter("ignore")
            self.transformer = nn.Transformer(WIDTH, HEADS, **sizes, dropout=dropout, batch_first=True, norm_first=True)
        self.dropout = nn.Dropout(dropout)

    def vectors(self, tokens: Tensor) -> Tensor:
        """Vectors of tokens, with their positions."""
        found = nn.functional.embedding(tokens, self.embedding) * WIDTH**0.5
        return self.dropout(found + positions_until(tokens.shape[1], WIDTH, found))

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """The scores of what comes after each token."""
        mask = nn.Transformer.generate_square_subsequent_mask(written.shape[1])
        padding = source == PADDING
        found = self.transformer(
            self.vectors(source),
            self.vectors(written),
            tgt_mask=mask,
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return nn.functional.linear(found, self.embedding, self.bias)


def _training() -> list[Row]:
    """A step of as many tokens, with dropout where each of them has it, and without any."""
    generator = np.random.default_rng(0)
    found = []
    for dropout in (DROPOUT, 0.0):
        lengths = [12, 14, 15, 17, 20]
        batches = [_batch(generator, BATCH // length, length) for length in lengths]
        network, torchs = ours(dropout), Torchs(dropout)
        optimisers = [torch.optim.Adam(own.parameters(), lr=1e-4, fused=True) for own in (network, torchs)]

        def fused(network: EncoderDecoder = network, optimiser: Any = optimisers[0], batches: Any = batches) -> None:
            for source, lengths, written, asked in batches:
                optimiser.zero_grad()
                (network(source, lengths, written, asked) / asked.numel()).backward()
                optimiser.step()

        def plain(torchs: Torchs = torchs, optimiser: Any = optimisers[1], batches: Any = batches) -> None:
            for source, _, written, asked in batches:
                optimiser.zero_grad()
                _LOSS(torchs(source, written).flatten(0, 1), asked.flatten()).backward()
                optimiser.step()

        times = race({"torch.nn.Transformer": plain, "foretell": fused}, repetitions=7)
        tokens = sum(int(batch[3].numel()) for batch in batches)
        what = f"training {tokens:,} target tokens, width {WIDTH}, {TOKENS:,} tokens known, dropout {dropout:g}"
        goal = ("no slower than torch.nn", lambda seconds, ratio: ratio >= 1)
        found += rows(what, times, "torch.nn.Transformer", {"foretell": goal}, (tokens, "tokens"))
    return found


def _batch(generator: np.random.Generator, count: int, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    texts = [[generator.integers(4, TOKENS, length - 1 - row % 2, np.int32) for row in range(count)] for _ in range(2)]
    source, lengths = filled(texts[0], end=True)
    return source, lengths, filled(texts[1], begin=True)[0], filled(texts[1], end=True)[0]


class Uncached:
    """A model that reads all that was written anew for each token, as one does who keeps nothing.

    Args:
        scores: Of what comes next, of sources and what was written.
    """

    def __init__(self, scores: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        self.scores = scores

    def begin(self, prompts: Sequence[np.ndarray]) -> Any:
        """What translations begin with."""
        source, lengths = filled(list(prompts), end=True)
        written = torch.full((len(prompts), 1), BEGIN)
        return self._said(source, lengths, written)

    def step(self, tokens: np.ndarray, state: Any) -> Any:
        """What follows one more token."""
        source, lengths, written = state
        return self._said(source, lengths, torch.cat([written, torch.from_numpy(tokens)[:, None]], 1))

    def chosen(self, state: Any, rows: np.ndarray) -> Any:
        """Some of them."""
        return tuple(part[torch.from_numpy(rows)] for part in state)

    def _said(self, source: Tensor, lengths: Tensor, written: Tensor) -> Any:
        with torch.inference_mode():
            return self.scores(source, lengths, written)[:, -1].numpy(), (source, lengths, written)


def _decoding(width: int, *, long: bool = False) -> list[Row]:
    """Sentences of Multi30k's lengths, or of sixty tokens and more, each translated into as many tokens."""
    generator = np.random.default_rng(1)
    count = LONG if long else SENTENCES
    lengths = np.full(count, 60) if long else np.clip(generator.normal(14, 4, count).round(), 5, 40).astype(int)
    texts = [generator.integers(4, TOKENS, length, np.int32) for length in sorted(lengths)[::-1]]
    network = ours().eval().requires_grad_(False)
    torchs = Torchs().eval().requires_grad_(False)
    model = NetworkModel(network, EncoderDecoderSection())

    def translated(model: Any, some: Sequence[np.ndarray] = texts) -> None:
        for start in range(0, len(some), ROWS // width):
            part = some[start : start + ROWS // width]
            # No translation ends by itself: END is never drawn, each is as long as its source.
            beam_search(model, part, Beam(width, [len(text) for text in part], never=(PADDING, BEGIN, END)))

    anew = Uncached(lambda source, _, written: torchs(source, written))
    contestants: dict[str, Callable[[], object]] = {
        "torch.nn.Transformer, read anew": lambda: translated(anew),
        "foretell, read anew": lambda: translated(Uncached(network)),
        "foretell": lambda: translated(model),
    }
    with tempfile.TemporaryDirectory() as folder:
        peer = _ctranslate2(network, Path(folder))
        if peer is not None:
            contestants["CTranslate2"] = lambda: peer(texts, width)
        times = race(contestants, repetitions=3, warm_up=1)
    least = 10 if long else 4
    name = "torch.nn.Transformer, read anew"
    what = f"{count:,} sentences of {'60' if long else '5 to 40'} tokens, {'greedy' if width == 1 else f'beam {width}'}"
    goal = (f"{least}× torch.nn read anew", lambda seconds, ratio: ratio >= least)
    return rows(what, times, name, {"foretell": goal}, (count, "sentences"))


def _ctranslate2(network: EncoderDecoder, folder: Path) -> Callable[[Sequence[np.ndarray], int], None] | None:
    """CTranslate2 with the same weights; nothing where it is not installed."""
    try:
        import ctranslate2
    except ImportError:
        return None
    tokens = [*SPECIAL, *(f"t{number}" for number in range(len(SPECIAL), TOKENS))]
    to_ctranslate2(network, tokens, SPECIAL[1:], folder)
    # At its best: texts are shared out among its workers, few at a time; sharing out each product is slower.
    workers = usable_processors()
    translator = ctranslate2.Translator(str(folder), device="cpu", inter_threads=workers, intra_threads=1)

    def translate(texts: Sequence[np.ndarray], width: int) -> None:
        size = 64 if width == 1 else 32
        waiting = []
        for start in range(0, len(texts), size):
            part = [[tokens[number] for number in text] for text in texts[start : start + size]]
            lengths = [len(text) for text in part]
            waiting += translator.translate_batch(
                part,
                beam_size=width,
                max_decoding_length=max(lengths),
                min_decoding_length=min(lengths),
                asynchronous=True,
            )
        for own in waiting:
            own.result()

    return translate
