"""Whether labelled texts can be learned from."""

from collections.abc import Iterator
from importlib.util import find_spec

from ...data.corpora import Texts
from ...data.text_overview import health_of_texts
from ...evaluation.words import Parts
from ..health import Health
from .config import Configuration

_MOST = 50  # labels that are listed


def health(source: object, configuration: Configuration) -> Health:
    """What there is of texts and labels, and whether training could start.

    Args:
        source: Where they are.
        configuration: How they are read and shared out.
    """
    seed = configuration.training.seed

    def doubt(texts: Texts) -> Iterator[str]:
        yield from _doubts(texts, seed)

    document = health_of_texts(source, configuration.texts, configuration.spans, seed, doubt)
    if document["texts"] is None:
        return Health(document, "", (), {}, "texts")
    lengths = document["bytes"]
    lead = (
        f"{document['source']}: {document['texts']:,} texts, {lengths['median']:,} bytes in the middle, "
        f"{lengths['longest']:,} at most"
    )
    rows = [[own["label"], f"{own['texts']:,}", f"{own['share']:.1%}"] for own in document["labels"][:_MOST]]
    return Health(document, lead, (Parts(["label", "texts", "share"], rows, (1, 2)),), document["spans"], "texts")


def _doubts(texts: Texts, seed: int) -> Iterator[str]:
    """Labels that a linear classifier contradicts."""
    if find_spec("sklearn") is None:
        yield "labels were not doubted, as that needs scikit-learn: pip install 'foretell[classify]'"
        return
    from .doubts import doubts_of

    found = doubts_of(texts, seed)
    if found is None:
        return
    shown = "; ".join(f'{texts.places[own]} ("{texts.labels[int(texts.targets[own])]}")' for own in found.surest)
    if found.stretch is not None:
        first, last = (texts.places[own] for own in found.stretch)
        yield f"most labels look wrong from {first} to {last}"
    if found.share:
        yield (
            f"about {found.share:.0%} of labels look wrong: where a linear classifier is surest, they contradict it as "
            f"often as elsewhere; the surest first: {shown}"
        )
