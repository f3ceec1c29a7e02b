"""The card of a forecaster: what it reads and says, how good it is, and what it cannot do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...data.covariates import cycles
from ...errors import counted
from ..cards import Card, card, source_name
from .config import MEASURE, RUNGS

if TYPE_CHECKING:
    from .learned import LearnedForecaster


def forecaster_card(learned: "LearnedForecaster", metrics: dict[str, Any]) -> str:
    """The model card.

    Args:
        learned: The forecaster.
        metrics: How good it is.
    """
    about, frequency = learned.about, learned.frequency
    units = zip(learned.scaling.targets, about["units"], strict=True)
    series = about.get("series")
    own = Card(
        heading=f"Forecaster: {', '.join(learned.scaling.targets)}",
        facts={
            "Forecasts": ", ".join(f"{name} (in {unit})" if unit else name for name, unit in units),
            "Ahead": _ahead(learned),
            "Reads": _reads(learned),
            **({"Reads beside": beside} if (beside := _beside(learned)) else {}),
        },
        data={
            "Source": f"{source_name(about['source'])}, {about['rows']:,} rows every {frequency}",
            **({"Series": f"{len(series):,}"} if series else {}),
            "Range": f"{about['first']} to {about['last']}",
            **({"Borders of the spans": ", ".join(map(str, about["spans"]))} if about.get("spans") else {}),
        },
        spans=about.get("windows", {}),
        dropped=about.get("dropped", {}),
        limits=[*_limits(learned), *_coverage(learned, metrics)],
        command="foretell predict FOLDER rows.csv -o forecasts.csv",
        answer='"rows.csv"',
        body=("text/csv", "--data-binary @rows.csv"),
        measured={"MAE, scaled": "mae_scaled", "RMSE": "rmse", "MASE": "mase"},
    )
    return card(learned, RUNGS[learned.rung], own, MEASURE, metrics)


def _ahead(learned: "LearnedForecaster") -> str:
    """How far it forecasts, in rows and in time."""
    first, last = learned.shape.leads
    shortest, longest = (learned.frequency.stretch(lead) for lead in (first, last))
    if last > first:
        return f"{first} to {last} rows ahead ({shortest} to {longest})"
    return f"{counted(first, 'row')} ahead ({longest})"


def _reads(learned: "LearnedForecaster") -> str:
    """Which columns it reads, how far back, and how densely."""
    shape, frequency = learned.shape, learned.frequency
    own_past = not learned.learns_from_columns or getattr(learned.model, "own_past", False)
    columns = learned.scaling.targets if own_past else learned.scaling.features
    stride = f", one every {frequency.stretch(shape.every)}" if shape.every > 1 else ""
    rows = f"{counted(shape.lookback, 'row')} every {frequency}{stride}"
    return f"{counted(shape.steps, 'input')} over {rows}: {', '.join(columns)}"


def _beside(learned: "LearnedForecaster") -> str:
    """What it reads beside columns; nothing where it is a rule on each target's own past."""
    if not learned.learns_from_columns:
        return ""
    covariates = learned.covariates
    statics = ", ".join(own.name for own in covariates.statics)
    parts = [
        f"the calendar ({', '.join(cycles(learned.frequency))})" if covariates.calendar else "",
        f"of each series {statics}" if statics else "",
        f"known ahead {', '.join(covariates.known)}" if covariates.known else "",
    ]
    return "; ".join(part for part in parts if part)


def _limits(learned: "LearnedForecaster") -> list[str]:
    about, share = learned.about, learned.configuration.data.max_missing
    needed = f"For one forecast it needs {about['rows_needed']} rows or more, {learned.frequency} apart"
    known = f"It knows what was from {about['first']} to {about['last']}, and forecasts well only what is like that"
    limits = [
        f"{needed}, of the same columns in the same units.",
        f"{known}; `foretell score` tells whether inputs or errors have drifted since.",
        f"Where more than {share:.0%} of its inputs are missing it forecasts nothing.",
    ]
    if about.get("series"):
        scaled = ", scaled as all of training together" if learned.scaling.series else ""
        limits.append(f"A series that it never saw is forecast as those it knows{scaled}: its errors were not judged.")
    if learned.covariates.known:
        names = ", ".join(learned.covariates.known)
        limits.append(f"It must be told {names} up to the last forecast; where these are wrong, so is the forecast.")
    return limits


def _coverage(learned: "LearnedForecaster", metrics: Mapping[str, Any]) -> list[str]:
    """What intervals are worth."""
    if learned.intervals is None:
        return ["It gives no intervals; `--intervals 0.8,0.95` in training makes some."]
    test = (metrics.get("test") or {}).get("intervals") or {}
    held = [f"those of {100 * float(level):g} % held {own['coverage']:.1%} of the truth" for level, own in test.items()]
    told = f"; on test {', '.join(held)}" if held else ""
    return [f"Its intervals are as wide as errors on validation ask for, and hold where the future is like that{told}."]
