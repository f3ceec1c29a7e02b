"""Whether labelled texts can be learned from."""

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
    document = health_of_texts(source, configuration.texts, configuration.spans, configuration.training.seed)
    if document["texts"] is None:
        return Health(document, "", (), {}, "texts")
    lengths = document["bytes"]
    lead = (
        f"{document['source']}: {document['texts']:,} texts, {lengths['median']:,} bytes in the middle, "
        f"{lengths['longest']:,} at most"
    )
    rows = [[own["label"], f"{own['texts']:,}", f"{own['share']:.1%}"] for own in document["labels"][:_MOST]]
    return Health(document, lead, (Parts(["label", "texts", "share"], rows, (1, 2)),), document["spans"], "texts")
