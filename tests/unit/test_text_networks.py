"""Networks over texts: padding is invisible, n-grams and readers against plain loops, gradients, attention maps."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foretell.errors import ConfigurationError
from foretell.evaluation.calibration import probabilities
from foretell.nn import (
    AttentionReader,
    ConvolutionReader,
    MeanReader,
    NgramEmbedding,
    RecurrentReader,
    TextNetwork,
    TokenEmbedding,
)
from foretell.nn.embedding import PADDING, UNKNOWN, hashed
from foretell.nn.readers import Pooling, inside, pool
from foretell.tasks import get_task, task_configuration
from foretell.tasks.classify.config import RUNGS, Configuration, TextNetworkSection
from foretell.tasks.classify.rungs import ENSEMBLE, NETWORKS, TextShape, build_network, with_vectors
from foretell.tasks.interface import Attempt, Silent
from foretell.training.losses import class_loss
from foretell.training.optimisers import make_optimiser

from .made_layers import one_thread_of_torchs, with_biases  # noqa: F401 (for every test here)

TOKENS, LONGEST, WIDTH = 60, 40, 8
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
DIRECTIONS = ("forward", "backward", "both")
RECURRENT = ("rnn", "lstm", "gru", "lstm-bidirectional")
SMALL: dict[str, Any] = {"units": (6,), "embedding": WIDTH, "heads": 2, "feed_forward": 12}
BAGS = [rung for rung, found in NETWORKS.items() if found.counts]
Text = list[int]
Ngram = tuple[int, ...]
KNOWN: list[Ngram] = [pair for pair in product(range(2, TOKENS), repeat=2) if sum(pair) % 2]
KNOWN += [three for three in product(range(2, TOKENS, 3), repeat=3) if sum(three) % 2]


def own_options(rung: str, **changes: Any) -> TextNetworkSection:
    """The options that a rung has where nobody names any, but smaller, some of them changed."""
    return Configuration().of_rung(RUNGS[rung].options).network.model_copy(update={**SMALL, **changes})


def made(rung: str, seed: int = 0, outputs: int = 3, **changes: Any) -> TextNetwork:
    """A rung's network as it predicts, its biases not zero; where it counts n-grams, half of the pairs are known."""
    torch.manual_seed(seed)
    section = own_options(rung, **changes)
    known = [ngram for ngram in KNOWN if len(ngram) <= section.ngrams] if NETWORKS[rung].counts else []
    shape = TextShape(TOKENS, outputs, LONGEST, section.embedding, len(known))
    network = with_biases(build_network(rung, shape, section)).eval()
    if isinstance(network.embedding, NgramEmbedding):
        learn(network.embedding, known, weighted=section.weighting != "none")
    return network


def key_of(ngram: Sequence[int]) -> int:
    """The number that an n-gram has."""
    return int(hashed(torch.tensor([list(ngram)]), len(ngram))[-1][0, -1])


def learn(embedding: NgramEmbedding, known: Sequence[Ngram], *, weighted: bool = False) -> None:
    """Tells an embedding which n-grams have a vector, and weights of them."""
    found = [torch.zeros(0, dtype=torch.int64)]
    for length in {len(ngram) for ngram in known}:
        some = torch.tensor([ngram for ngram in known if len(ngram) == length])
        found.append(hashed(some, length)[-1][:, -1])
    embedding.table.copy_(torch.cat(found).sort().values)
    if weighted:
        embedding.factors.uniform_(0.2, 2)


def gradient_of(weight: Any) -> Tensor:
    """The gradient of a parameter, all of it."""
    assert weight.grad is not None
    return weight.grad.detach().clone().to_dense()


def filled(texts: Sequence[Text], more: int = 0) -> tuple[Tensor, Tensor]:
    """Texts filled up to the longest, and some places more."""
    lengths = [len(text) for text in texts]
    tokens = torch.full((len(texts), max(lengths) + more), PADDING)
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = torch.tensor(text)
    return tokens, torch.tensor(lengths)


def drawn(count: int, lengths: Sequence[int], seed: int = 1) -> list[Text]:
    """Texts of random tokens, of the lengths in turn."""
    generator = np.random.default_rng(seed)
    return [generator.integers(1, TOKENS, lengths[number % len(lengths)]).tolist() for number in range(count)]


def likely(network: TextNetwork, batch: tuple[Tensor, Tensor]) -> np.ndarray:
    with torch.inference_mode():
        return probabilities(network(*batch).double().numpy())


def loss(network: TextNetwork, batch: tuple[Tensor, Tensor]) -> Any:
    """Of texts whose labels are 0, 1, 2, 0 ..."""
    return class_loss(3, exclusive=True)(network(*batch), torch.arange(len(batch[1])) % 3)


def words(shortest: int = 1, longest: int = LONGEST) -> st.SearchStrategy[Text]:
    return st.lists(st.integers(1, TOKENS - 1), min_size=shortest, max_size=longest)


def test_every_rung_that_learns_by_itself_has_a_network() -> None:
    assert {*NETWORKS, ENSEMBLE} == {name for name, rung in RUNGS.items() if rung.kind == "model"}
    for rung, found in NETWORKS.items():
        assert found.reads <= TextNetworkSection.model_fields.keys(), rung


# Padding


def assert_padding_is_invisible(network: TextNetwork, asked: Text, longer: list[Text], others: list[Text]) -> None:
    """A text's probabilities alone, with longer texts, and elsewhere in another batch."""
    alone = likely(network, filled([asked]))
    assert np.isfinite(alone).all()
    batches = {"longer": ([*longer, asked], len(longer)), "others": ([asked, *others], 0)}
    for name, (texts, place) in batches.items():
        found = likely(network, filled(texts))[place]
        np.testing.assert_allclose(found, alone[0], atol=1e-6, rtol=0, err_msg=name)
    for more in (1, LONGEST - len(asked)):
        np.testing.assert_allclose(likely(network, filled([asked], more)), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rung", NETWORKS)
@settings(max_examples=20)
@given(data=st.data(), asked=words(), seed=st.integers(0, 2**31))
def test_a_text_gives_the_same_alone_and_in_any_batch(rung: str, data: st.DataObject, asked: Text, seed: int) -> None:
    longer = data.draw(st.lists(words(len(asked)), min_size=1, max_size=3))
    others = data.draw(st.lists(words(), min_size=1, max_size=5))
    changes: dict[str, Any] = {"pooling": data.draw(st.sampled_from(POOLINGS))}
    if "direction" in NETWORKS[rung].reads:
        changes["direction"] = data.draw(st.sampled_from(DIRECTIONS))
    if "pool_size" in NETWORKS[rung].reads:
        changes["pool_size"] = data.draw(st.integers(1, 9))
    if "kernel_size" in NETWORKS[rung].reads:
        sizes = st.lists(st.integers(1, 9), min_size=1, max_size=1 if rung == "conv-gru" else 3)
        changes["kernel_size"] = tuple(data.draw(sizes))
    if "layers" in NETWORKS[rung].reads:
        changes["layers"] = data.draw(st.integers(1, 2))
    if NETWORKS[rung].counts:
        changes["ngrams"] = data.draw(st.integers(1, 4))
    assert_padding_is_invisible(
        made(rung, seed, outputs=data.draw(st.integers(1, 4)), **changes), asked, longer, others
    )


@pytest.mark.parametrize(
    ("rung", "pooling", "direction"),
    [
        (rung, pooling, direction)
        for rung, found in NETWORKS.items()
        for pooling in POOLINGS[: None if "pooling" in found.reads else 1]
        for direction in DIRECTIONS[: None if "direction" in found.reads else 1]
    ],
)
def test_so_does_a_text_of_one_token_however_it_is_pooled(rung: str, pooling: Pooling, direction: str) -> None:
    network = made(rung, pooling=pooling, direction=direction)
    long = drawn(3, [LONGEST, 17, 9])
    for asked in ([7], [1], [7, 8, 9]):
        assert_padding_is_invisible(network, asked, long, [[3], [4, 5]])


@pytest.mark.parametrize("rung", NETWORKS)
def test_a_batch_gives_what_its_texts_give_with_the_options_that_a_rung_has(rung: str) -> None:
    """At full size, as nobody names any options."""
    torch.manual_seed(0)
    section = Configuration().of_rung(RUNGS[rung].options).network
    network = build_network(rung, TextShape(500, 2, 120, section.embedding), section).eval()
    generator = np.random.default_rng(3)
    texts = [generator.integers(1, 500, length).tolist() for length in (1, 2, 3, 4, 5, 11, 60, 120)]
    found = likely(network, filled(texts))
    for row, text in enumerate(texts):
        np.testing.assert_allclose(found[row], likely(network, filled([text]))[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("rung", NETWORKS)
def test_texts_that_differ_get_scores_that_differ(rung: str) -> None:
    """What the tests of padding would not see: a network that reads nothing."""
    network = made(rung)
    found = likely(network, filled([[3, 4, 5], [3, 4, 6], [8, 4, 5], [3, 4, 5, 9]]))
    assert len(np.unique(found.round(9), axis=0)) == 4


@pytest.mark.parametrize("rung", NETWORKS)
def test_padding_is_invisible_to_gradients_too(rung: str) -> None:
    """The gradient of a text's loss is the same however far it is filled up."""
    network, text = made(rung), drawn(1, [13])
    found = []
    for more in (0, 20):
        network.zero_grad()
        loss(network, filled(text, more)).backward()
        found.append({name: gradient_of(weight) for name, weight in network.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-4, msg=name)


# Learning


def step_of(network: TextNetwork, texts: list[Text], **options: Any) -> None:
    """One step of training."""
    section = Configuration.build({"learning_rate": 0.01, **options}, environment={}).training
    optimiser = make_optimiser(section, network.parameters(), 0.01)
    network.train()
    network.zero_grad()
    loss(network, filled(texts)).backward()
    optimiser.step()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("rung", NETWORKS)
def test_gradients_reach_every_parameter(rung: str, pooling: Pooling) -> None:
    network = made(rung, pooling=pooling, layers=1 if rung == "conv-gru" else 2, head=(9,), direction="both")
    texts = drawn(24, [30, 12, 25, 40])
    network.zero_grad()
    loss(network, filled(texts)).backward()
    for name, weight in network.named_parameters():
        gradient = gradient_of(weight)
        assert gradient.isfinite().all(), name
        if not name.endswith("attention.key.bias"):  # which moves all scores of a query alike, and so nothing
            assert gradient.abs().max() > 1e-7, name
    gradient = gradient_of(network.embedding.weight)
    if (rung, pooling) != ("conv", "last"):  # which sees the last places alone
        for token in {token for text in texts for token in text}:
            assert gradient[token].any(), f"token {token} learns nothing"


OPTIMISERS: dict[str, dict[str, Any]] = {"rmsprop": {}, "adamw": {"weight_decay": 0.5}, "lazy-adam": {}}


@pytest.mark.parametrize(
    ("rung", "optimiser"),
    [(rung, own) for rung in NETWORKS for own in OPTIMISERS if rung not in BAGS or own == "lazy-adam"],
)
def test_the_vector_of_padding_stays_zero_through_training(rung: str, optimiser: str) -> None:
    network = made(rung)
    before = network.embedding.weight.detach().clone()
    for _ in range(3):
        step_of(network, drawn(12, [1, 2, 9, 30]), optimiser=optimiser, **OPTIMISERS[optimiser])
        assert not gradient_of(network.embedding.weight)[PADDING].any()
        assert not network.embedding.weight[PADDING].any()
    assert not torch.equal(network.embedding.weight, before)


@pytest.mark.parametrize(
    "options",
    [{"optimiser": "rmsprop"}, {"optimiser": "adamw"}, {"clip": 0.5}, {"learning_rate": "auto"}],
    ids=lambda options: "-".join(map(str, *options.items())),
)
@pytest.mark.parametrize("rung", BAGS)
def test_what_counts_ngrams_learns_with_options_of_ones_own(rung: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Such as a comparison of all rungs with one optimiser names; its own have been made for sparse gradients."""
    generator = np.random.default_rng(0)
    labels = generator.random(90) < 0.5
    texts = [" ".join(f"w{own}" for own in generator.integers(10 * label, 20 + 10 * label, 9)) for label in labels]
    task = get_task("classify")
    configuration = task_configuration("classify").build({"epochs": 1, "batch_size": 8, **options}, environment={})
    prepared = task.prepare(pl.DataFrame({"text": texts, "label": labels.astype(int)}), configuration)
    fitted = task.fit(prepared, rung, Attempt(tmp_path, Silent()))
    assert np.isfinite(task.evaluate(prepared, fitted, "test").metrics["log_loss"])


@pytest.mark.parametrize("rung", NETWORKS)
def test_dropout_acts_in_training_alone(rung: str) -> None:
    network = made(rung, dropout=0.5, recurrent_dropout=0.2 if rung in RECURRENT else 0.0)
    batch = filled(drawn(4, [9, 14]))
    assert torch.equal(network(*batch), network(*batch))
    network.train()
    assert not torch.equal(network(*batch), network(*batch))


# N-grams


def rows_by_hand(embedding: NgramEmbedding, known: set[Ngram], text: Text, place: int) -> list[int]:
    """The rows of the vectors at a place of a text: a token's, and for each n that of the n-gram that ends there."""
    places = {key: TOKENS + row for row, key in enumerate(embedding.table.tolist())}
    found = [text[place]]
    for length in range(2, embedding.ngrams + 1):
        ngram = tuple(text[place - length + 1 : place + 1]) if place + 1 >= length else ()
        found.append(places[key_of(ngram)] if ngram in known else PADDING)
    return found


ngrams_known = st.sets(st.lists(st.integers(2, 12), min_size=2, max_size=4).map(tuple), max_size=40)
short_texts = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=12), min_size=1, max_size=4)


def made_embedding(ngrams: int, known: set[Ngram], seed: int) -> NgramEmbedding:
    """One whose vectors are large enough to be told apart, and weighted."""
    torch.manual_seed(seed)
    embedding = NgramEmbedding(TOKENS, 4, ngrams, len(known), spread=1.0)
    learn(embedding, sorted(known), weighted=True)
    return embedding


@given(
    texts=short_texts, known=ngrams_known, ngrams=st.integers(1, 4), more=st.integers(0, 2), seed=st.integers(0, 2**31)
)
def test_a_place_has_the_vectors_of_its_token_and_of_the_known_ngrams_that_end_there(
    texts: list[Text], known: set[Ngram], ngrams: int, more: int, seed: int
) -> None:
    """A plain loop in which an n-gram has one vector, wherever it stands and whatever stands around it."""
    embedding = made_embedding(ngrams, known, seed)
    vectors = embedding.weight.detach().double().numpy() * embedding.factors.double().numpy()[:, None]
    tokens, _ = filled(texts, more)
    rows, found = embedding.rows(tokens), embedding(tokens).detach().numpy()
    assert rows.shape == (len(texts), ngrams, tokens.shape[1])
    for row, text in enumerate(texts):
        for place in range(tokens.shape[1]):
            inside_it = place < len(text)
            expected = rows_by_hand(embedding, known, text, place) if inside_it else [PADDING] * ngrams
            assert rows[row, :, place].tolist() == expected
            np.testing.assert_allclose(found[row, place], vectors[expected].sum(0), atol=1e-5)
    own = {key_of(ngram) for ngram in known}
    assert len(own) == len(known), "n-grams share a vector"
    assert sorted(own) == embedding.table.tolist()


def test_an_ngram_with_an_unknown_token_has_no_vector() -> None:
    embedding = made_embedding(3, {(2, 3), (3, 8), (2, 3, 8), (8, 9)}, 0)
    (rows,) = embedding.rows(torch.tensor([[2, UNKNOWN, 3, 8, UNKNOWN, UNKNOWN, 2, 3, 8]])).tolist()
    assert rows[0] == [2, UNKNOWN, 3, 8, UNKNOWN, UNKNOWN, 2, 3, 8]
    assert [place for place, row in enumerate(rows[1]) if row] == [3, 7, 8]
    assert [place for place, row in enumerate(rows[2]) if row] == [8]
    assert rows[1][3] == rows[1][8]
    for ngram in ([UNKNOWN, 3], [3, UNKNOWN], [PADDING, 3], [3, UNKNOWN, 4]):
        assert key_of(ngram) == 0


def test_an_embedding_of_tokens_is_torchs() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(TOKENS, 4)
    tokens, _ = filled(drawn(3, [5, 9]))
    assert torch.equal(embedding(tokens), torch.nn.functional.embedding(tokens, embedding.weight))
    assert not embedding.weight[PADDING].any()
    assert embedding.weight.abs().max() <= 0.05
    alone = NgramEmbedding(TOKENS, 4, ngrams=3, known=0)
    torch.testing.assert_close(alone(tokens), torch.nn.functional.embedding(tokens, alone.weight), atol=1e-7, rtol=0)


@pytest.mark.parametrize(("length", "frequent"), [(2, 300), (3, 40), (4, 16)])
def test_different_ngrams_have_different_numbers(length: int, frequent: int) -> None:
    """All of the most frequent tokens, and as many of a large vocabulary; none has a number that stands for none."""
    ngrams = torch.cartesian_prod(*(torch.arange(2, 2 + frequent),) * length)
    spread = torch.cartesian_prod(*(torch.arange(2, 2 + 997 * frequent, 997),) * length)
    keys = np.concatenate([hashed(own, length)[-1][:, -1].numpy() for own in (ngrams, spread)])
    different = len({tuple(own) for own in torch.cat([ngrams, spread]).tolist()})
    assert len(np.unique(keys)) == different
    assert (keys != 0).all()


# Readers


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 3), st.sampled_from(POOLINGS))
def test_pooling_looks_at_a_texts_own_places(lengths: list[int], more: int, pooling: Pooling) -> None:
    places = max(lengths) + more
    generator = torch.Generator().manual_seed(places)
    sequences = torch.randn(len(lengths), places, 3, generator=generator) - 2
    found = pool(sequences, torch.tensor(lengths), pooling)
    own = inside(torch.tensor(lengths), places)
    for row, length in enumerate(lengths):
        assert own[row].tolist() == [place < length for place in range(places)]
        states = sequences[row, :length].double().numpy()
        expected = {"last": states[-1], "maximum": states.max(axis=0), "average": states.mean(axis=0)}[pooling]
        np.testing.assert_allclose(found[row].numpy(), expected, atol=1e-6)
    sequences[~own] = 1e6
    assert torch.equal(pool(sequences, torch.tensor(lengths), pooling), found), "what lies beyond has a part in it"


@given(texts=short_texts, known=ngrams_known, ngrams=st.integers(1, 3), root=st.booleans(), seed=st.integers(0, 2**31))
def test_a_mean_reader_adds_the_vectors_of_all_words_and_known_ngrams_and_divides_by_places(
    texts: list[Text], known: set[Ngram], ngrams: int, root: bool, seed: int
) -> None:
    embedding = made_embedding(ngrams, known, seed)
    tokens, lengths = filled(texts, more=1)
    found = MeanReader(4, root=root)(embedding(tokens), lengths)
    vectors = embedding.weight.detach().double().numpy() * embedding.factors.double().numpy()[:, None]
    for row, text in enumerate(texts):
        every = [own for place in range(len(text)) for own in rows_by_hand(embedding, known, text, place)]
        expected = vectors[every].sum(axis=0) / (len(text) ** 0.5 if root else len(text))
        np.testing.assert_allclose(found[row].detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@settings(max_examples=20)
@given(text=words(), sizes=st.lists(st.integers(1, 8), min_size=1, max_size=3), more=st.integers(0, 5), data=st.data())
def test_a_convolution_reader_is_torchs_convolution_of_the_text_alone(
    pooling: Pooling, text: Text, sizes: list[int], more: int, data: st.DataObject
) -> None:
    """Zeros stand before and after the text, as many as leave its length; what follows the text has no part in it."""
    torch.manual_seed(data.draw(st.integers(0, 2**31)))
    embedding, reader = TokenEmbedding(TOKENS, 4, 1.0), with_biases(ConvolutionReader(4, 5, sizes, pooling)).eval()
    assert reader.width == 5 * len(sizes)
    found = reader(embedding(filled([text], more)[0]), torch.tensor([len(text)]))[0]
    vectors = embedding.weight[torch.tensor(text)].T[None]
    expected = []
    for size, branch in zip(sizes, reader.branches, strict=True):
        layer: Any = next(module for module in branch.modules() if isinstance(module, torch.nn.Conv1d))
        before = (size - 1) // 2
        read = torch.cat([torch.zeros(1, 4, before), vectors, torch.zeros(1, 4, size - 1 - before)], dim=2)
        seen = torch.nn.functional.conv1d(read, layer.weight, layer.bias).clamp(min=0)[0]
        assert seen.shape == (5, len(text))
        expected.append({"last": seen[:, -1], "maximum": seen.amax(1), "average": seen.mean(1)}[pooling])
    torch.testing.assert_close(found, torch.cat(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("rung", RECURRENT)
def test_a_recurrent_reader_pools_the_states_of_its_layers(rung: str, direction: str, pooling: Pooling) -> None:
    """Against the same layers called on one text alone, without lengths."""
    network = made(rung, direction=direction, pooling=pooling, layers=2)
    reader = network.reader
    assert isinstance(reader, RecurrentReader)
    texts = drawn(5, [11, 1, 4])
    embedded, lengths = network.embedding(filled(texts)[0]), torch.tensor([len(text) for text in texts])
    found = reader(embedded, lengths)
    for row, text in enumerate(texts):
        read = network.embedding(torch.tensor([text]))
        for layer in reader.layers:
            read = layer(read)
        whole = {"last": read, "maximum": read.amax(1), "average": read.mean(1)}[pooling]
        torch.testing.assert_close(found[row], whole[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("length", [1, 3, 4, 5, 13])
def test_a_convolution_and_a_recurrent_layer_read_one_after_the_other(length: int) -> None:
    """By hand: convolution, ReLU, the maximum of each four places (of what is left at the end), states, pooling."""
    network = made("conv-gru", pool_size=4, pooling="average")
    reader: Any = network.reader
    (text,) = drawn(1, [length])
    layer = reader.convolution.layers[0]
    read = torch.nn.functional.pad(network.embedding(torch.tensor([text])).transpose(1, 2), (2, 2))
    seen = torch.nn.functional.conv1d(read, layer.weight, layer.bias).relu()[0].T
    shorter = torch.stack([seen[start : start + 4].amax(0) for start in range(0, length, 4)])[None]
    (recurrent,) = reader.recurrent.layers
    expected = network.head(recurrent(shorter).mean(1))
    for more in (0, 1, 6):
        torch.testing.assert_close(network(*filled([text], more)), expected, atol=1e-5, rtol=0)


def test_what_options_contradict_is_told() -> None:
    shape = TextShape(TOKENS, 2, LONGEST, WIDTH)
    with pytest.raises(ConfigurationError, match="name one size in units"):
        build_network("conv", shape, own_options("conv", units=(6, 7)))
    with pytest.raises(ConfigurationError, match="conv-gru has one convolution; kernel_size names 2"):
        build_network("conv-gru", shape, own_options("conv-gru", kernel_size=(3, 5)))


# Attention


@settings(max_examples=25)
@given(
    texts=st.lists(words(), min_size=1, max_size=5),
    layers=st.integers(1, 3),
    heads=st.sampled_from([1, 2, 4]),
    pooling=st.sampled_from(POOLINGS),
    seed=st.integers(0, 2**31),
)
def test_attention_goes_to_a_texts_own_tokens_and_sums_to_one(
    texts: list[Text], layers: int, heads: int, pooling: Pooling, seed: int
) -> None:
    network = made("transformer", seed, layers=layers, heads=heads, pooling=pooling)
    tokens, lengths = filled(texts)
    with torch.inference_mode():
        weights = network.attention(tokens, lengths)
    assert weights is not None
    assert weights.shape == (layers, len(texts), heads, tokens.shape[1], tokens.shape[1])
    assert (weights >= 0).all()
    for row, text in enumerate(texts):
        own = weights[:, row, :, :, : len(text)]
        torch.testing.assert_close(own.sum(-1), torch.ones(own.shape[:-1]), atol=1e-5, rtol=0)
        assert not weights[:, row, :, :, len(text) :].any(), "padding is attended to"
        alone = network.attention(*filled([text]))
        assert alone is not None
        torch.testing.assert_close(own[:, :, : len(text)], alone[:, 0], atol=1e-5, rtol=0)


@settings(max_examples=25)
@given(texts=st.lists(words(), min_size=1, max_size=5), pooling=st.sampled_from(POOLINGS), seed=st.integers(0, 2**31))
def test_asking_for_attention_changes_no_score(texts: list[Text], pooling: Pooling, seed: int) -> None:
    network = made("transformer", seed, layers=2, pooling=pooling)
    batch = filled(texts)
    with torch.inference_mode():
        read, _ = network.reader(network.embedding(batch[0]), batch[1], return_attention=True)
        torch.testing.assert_close(network.head(read), network(*batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rung", [rung for rung in NETWORKS if rung != "transformer"])
def test_where_nothing_attends_there_is_no_attention(rung: str) -> None:
    assert made(rung).attention(*filled([[3, 4]])) is None


@pytest.mark.parametrize(("heads", "found"), [(4, 2), (3, 1), (6, 6), (30, 30)])
def test_heads_are_as_many_as_divide_the_width_evenly(heads: int, found: int) -> None:
    torch.manual_seed(0)
    shape = TextShape(TOKENS, 1, LONGEST, 30 if heads in (6, 30) else 10)
    reader = build_network("transformer", shape, own_options("transformer", heads=heads)).reader
    assert isinstance(reader, AttentionReader)
    assert {module.heads for module in reader.modules() if hasattr(module, "heads")} == {found}


# Order


@settings(max_examples=30)
@given(text=words(2), seed=st.integers(0, 100))
def test_the_mean_of_words_knows_no_order(text: Text, seed: int) -> None:
    network = made(BAGS[seed % len(BAGS)], seed, ngrams=1)
    found = likely(network, filled([text, text[::-1], sorted(text)]))
    np.testing.assert_allclose(found[1:], found[[0, 0]], atol=1e-6)


@pytest.mark.parametrize("rung", NETWORKS)
def test_order_matters_to_all_others_and_with_ngrams_to_the_mean_too(rung: str) -> None:
    network = made(rung)
    found = likely(network, filled([[5, 9, 20, 33, 41, 50], [50, 41, 33, 20, 9, 5], [9, 5, 20, 33, 41, 50]]))
    for other in (1, 2):
        assert np.abs(found[0] - found[other]).max() > 1e-5


def test_a_transformer_without_positions_would_know_no_order() -> None:
    """Positions are all that tells it: the average of what is found is the same for a text read backwards."""
    network = made("transformer")
    reader: Any = network.reader
    reader.positions.zero_()
    found = likely(network, filled([[5, 9, 20, 33], [33, 20, 9, 5]]))
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)


# Shapes


@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("rung", NETWORKS)
def test_there_is_a_score_for_each_output(rung: str, outputs: int) -> None:
    network = made(rung, outputs=outputs, head=(7, 4))
    assert network(*filled(drawn(3, [4, 30]))).shape == (3, outputs)


def test_vectors_from_a_file_take_the_place_of_those_that_are_known() -> None:
    network = made("lstm")
    before = network.embedding.weight.detach().clone()
    values = np.random.default_rng(0).normal(size=(TOKENS, WIDTH)).astype(np.float32)
    known = np.arange(TOKENS) % 3 == 2
    with_vectors(network, values, known)
    after = network.embedding.weight.detach()
    assert torch.equal(after[torch.from_numpy(known)], torch.from_numpy(values[known]))
    assert torch.equal(after[torch.from_numpy(~known)], before[torch.from_numpy(~known)])
