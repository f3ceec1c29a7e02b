"""What a learning curve says, in a sentence: whether a model overfits, still learns, or has come to rest."""

from collections.abc import Mapping, Sequence
from typing import Any

_NOTABLE = 0.02  # of the loss: less is the noise of one epoch


def overfitting(history: Sequence[Mapping[str, Any]]) -> str:
    """A sentence on overfitting.

    Args:
        history: One record for each epoch.

    >>> losses = [(0.3, 0.3), (0.2, 0.4)]
    >>> overfitting([{"train": {"loss": train}, "validation": {"loss": validation}} for train, validation in losses])
    'It overfits: after epoch 1 of 2 training fell by 33 % more, while validation rose by 33 %.'
    """
    train = [float(record["train"]["loss"]) for record in history]
    validation = [float(record["validation"]["loss"]) for record in history]
    best = min(range(len(validation)), key=validation.__getitem__)
    epochs = len(history)
    if epochs == 1:
        return "One epoch tells nothing of overfitting."
    if best == epochs - 1:
        gained = 1 - validation[-1] / validation[-2] if validation[-2] else 0.0
        falling = f"fell by {gained:.1%} in the last epoch, so more of them may help".replace("%", " %")
        still = falling if gained > _NOTABLE / 4 else "has come to rest"
        return f"No overfitting within {epochs} epochs: validation was best after the last one and {still}."
    fell = 1 - train[-1] / train[best] if train[best] else 0.0
    rose = validation[-1] / validation[best] - 1 if validation[best] else 0.0
    if fell > _NOTABLE and rose > _NOTABLE:
        return (
            f"It overfits: after epoch {best + 1} of {epochs} training fell by {fell:.0%} more, while validation rose "
            f"by {rose:.0%}.".replace("%", " %")
        )
    if rose > _NOTABLE:
        return (
            f"Validation was best after epoch {best + 1} of {epochs} and rose by {rose:.0%} since, though training "
            "hardly fell: it is unsteady rather than overfitting.".replace("%", " %")
        )
    return (
        f"Hardly any overfitting: validation was best after epoch {best + 1} of {epochs} and has stayed within "
        f"{max(rose, 0):.1%} of that.".replace("%", " %")
    )
