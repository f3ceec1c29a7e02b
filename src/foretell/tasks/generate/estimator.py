"""``foretell.Generator``: writing on from Python."""

from collections.abc import Sequence
from typing import Any

from ..estimator import Estimator


class Generator(Estimator):
    """A generator of one rung; what it learns ends in an underscore.

    Args:
        rung: Its name on the ladder: ``ngram``, ``lstm``, ``transformer`` ...
        tokens: What the text is cut into: ``characters``, ``bytes``, ``words`` or ``bpe``.
        **options: Any option of ``foretell config render generate``, such as ``epochs=5`` or ``lowercase=True``.

    Example:
        >>> verses = ["one for sorrow, two for joy, three for a girl, four for a boy"] * 20
        >>> generator = Generator("ngram").fit(verses)
        >>> generator.write("two for ", length=16, temperature=0)
        'joy, three for a'
        >>> generator.evaluate()["bits_per_character"] < 0.2
        True
    """

    task_name = "generate"

    def __init__(self, rung: str = "lstm", tokens: str = "characters", **options: Any) -> None:
        super().__init__(rung, **options)
        self.tokens = tokens

    def write(self, prompt: str = "", **options: Any) -> str:
        """A text that goes on from a prompt, without the prompt.

        Args:
            prompt: What it begins with; the beginning of a line where empty.
            **options: How it is written: ``length``, ``temperature``, ``top_k``, ``top_p``, ``seed``, ``stop`` ...
        """
        self._must_be_fitted()
        text: str = self.learned_.write([prompt], **options)[0].text
        return text

    def predict(self, data: Any, **options: Any) -> Any:
        """Texts that go on from many prompts, as the kind of frame that came in.

        Args:
            data: A path, any data frame, or a list of prompts.
            **options: How they are written.
        """
        return self._predicted(data, **options)

    def score(self, text: str | Sequence[str]) -> float:
        """Bits per character of a text.

        Args:
            text: It, or several.
        """
        self._must_be_fitted()
        found = self.learned_.score_text(text) if isinstance(text, str) else self.learned_.score(list(text))
        return float(found.metrics["bits_per_character"])

    def _flags(self) -> dict[str, Any]:
        return {"tokens": self.tokens, **super()._flags()}
