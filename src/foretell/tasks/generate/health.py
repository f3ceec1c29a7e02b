"""Whether a corpus can be learned from."""

from ...data.corpus_overview import health_of_corpus
from ..health import Health
from .config import Configuration


def health(source: object, configuration: Configuration) -> Health:
    """What there is of a corpus, and whether training could start.

    Args:
        source: Where it is.
        configuration: How it is read and cut.
    """
    document = health_of_corpus(source, configuration.corpus)
    lead = ""
    if document["characters"] is not None:
        many = f" in {document['documents']:,} texts" if document["documents"] > 1 else ""
        lead = (
            f"{document['source']}: {document['characters']:,} characters{many}, {document['different']:,} different "
            f"ones, {document['lines']:,} lines"
        )
    return Health(document, lead, (), document.get("spans", {}), "characters")
