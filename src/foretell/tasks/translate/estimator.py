"""``foretell.Translator``: translating from Python."""

from typing import Any

from ..estimator import Estimator


class Translator(Estimator):
    """A translator of one rung; what it learns ends in an underscore.

    Args:
        rung: Its name on the ladder: ``dictionary``, ``gru-attention``, ``transformer-tiny`` ...
        source: Column with the sources; found where None.
        target: Column with the targets; found where None.
        **options: Any option of ``foretell config render translate``, such as ``epochs=5`` or ``tokens="characters"``.

    Example:
        >>> pairs = [(f"a {animal}", f"ein {tier}") for animal, tier in [("dog", "Hund"), ("fish", "Fisch")]] * 40
        >>> pairs += [(f"{number} dogs", f"{number} Hunde") for number in range(40)]
        >>> translator = Translator("dictionary").fit(pairs)
        >>> translator.translate("a fish")
        'ein Fisch'
    """

    task_name = "translate"

    def __init__(
        self, rung: str = "transformer-tiny", source: str | None = None, target: str | None = None, **options: Any
    ) -> None:
        super().__init__(rung, **options)
        self.source = source
        self.target = target

    def translate(self, text: str, **options: Any) -> str:
        """The translation of a text.

        Args:
            text: What is translated.
            **options: How: ``beam``, ``greedy``, ``length_penalty``, ``max_length`` ...
        """
        self._must_be_fitted()
        found: str = self.learned_.answer([text], **options)["translation"][0]
        return found

    def predict(self, data: Any, **options: Any) -> Any:
        """The translations of many texts, as the kind of frame that came in.

        Args:
            data: A path, any data frame, or a list of texts.
            **options: How they are translated.
        """
        return self._predicted(data, **options)

    def _flags(self) -> dict[str, Any]:
        own = {"source": self.source, "target": self.target}
        return {name: value for name, value in (own | self.options).items() if value not in (None, ())}
