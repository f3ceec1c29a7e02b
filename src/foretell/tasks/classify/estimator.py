"""``foretell.Classifier``: labelling texts from Python."""

from typing import Any

from ..estimator import Estimator


class Classifier(Estimator):
    """A classifier of one rung; what it learns ends in an underscore.

    Args:
        rung: Its name on the ladder: ``nb-svm``, ``bag``, ``lstm`` ...
        text: Column with the texts; found where None.
        label: Column with the labels, or several of 0 and 1; found where not named.
        **options: Any option of ``foretell config render classify``, such as ``epochs=5`` or ``vocabulary=5000``.

    Example:
        >>> import polars as pl
        >>> words = {"good": ["fine", "lovely", "great"], "bad": ["dull", "awful", "poor"]}
        >>> pairs = [(word, label) for label in words for word in words[label]]
        >>> rows = [(f"a {word} film {number}", label) for word, label in pairs for number in range(20)]
        >>> reviews = pl.DataFrame(rows, schema=["text", "label"], orient="row")
        >>> classifier = Classifier("bag", epochs=20, steps_per_epoch=20, batch_size=16, buckets=50, embedding=8)
        >>> classifier.fit(reviews).evaluate()["accuracy"]
        1.0
        >>> classifier.predict(["such a lovely film", "what a dull film"])["label"].to_list()
        ['good', 'bad']
    """

    task_name = "classify"

    def __init__(
        self, rung: str = "bag", text: str | None = None, label: str | tuple[str, ...] = (), **options: Any
    ) -> None:
        super().__init__(rung, **options)
        self.text = text
        self.label = label

    def predict(self, data: Any, *, text: str | None = None) -> Any:
        """Labels and probabilities, beside the columns of a table, as the kind of frame that came in.

        Args:
            data: A path, any data frame, or a list of texts.
            text: The column with the texts; that of the training where None.
        """
        return self._predicted(data, text=text)

    def _flags(self) -> dict[str, Any]:
        own = {"text": self.text, "label": self.label}
        return {name: value for name, value in (own | self.options).items() if value not in (None, ())}
