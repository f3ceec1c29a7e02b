"""Earlier forecasts beside what came: errors by lead, coverage, and whether inputs or errors have drifted."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...data.appending import frame_of
from ...data.sources import read_frame
from ...data.tables import Table
from ...errors import DataError
from ...evaluation.panels import Figure, Grid, Item, Line, Number, Panel
from .following import logged_forecasts
from .learned import LearnedForecaster
from .predicting import MADE

_LOW = re.compile(r"low (?P<level>[0-9.]+)% (?P<target>.*)")


@dataclass(frozen=True)
class Scored:
    """How earlier forecasts fared.

    Attributes:
        document: As ``score --json`` prints it.
        panels: What its page shows.
    """

    document: dict[str, Any]
    panels: list[Panel]


def score_rows(learned: LearnedForecaster, source: object, live: Path, forecasts: Path | None) -> Scored:
    """Compares earlier forecasts with the rows that came.

    Args:
        learned: The forecaster.
        source: A path or data frame with the rows.
        live: The folder of the series that is followed, where forecasts may have been kept.
        forecasts: A file with forecasts; where None those that were kept, and where none were, what the forecaster says
            of each window of the rows.
    """
    table = learned.read(source).whole()
    if forecasts is not None:
        named = (table.series_column,) if table.series_column else ()
        return score_forecasts(learned, read_frame(forecasts, named), table, f"read from {forecasts.name}")
    kept = logged_forecasts(live)
    if kept is not None:
        return score_forecasts(learned, kept, table, "made by predict --update")
    said = learned.predict_table(table, anchors="all")
    return score_forecasts(learned, said, table, "made now from each window, as none were kept")


def score_forecasts(learned: LearnedForecaster, forecasts: pl.DataFrame, table: Table, origin: str) -> Scored:
    """Compares forecasts with what came.

    Args:
        learned: The forecaster.
        forecasts: As :meth:`LearnedForecaster.predict` gives them.
        table: What came, as the forecaster reads it.
        origin: Where the forecasts come from, in words.

    Raises:
        DataError: They are no forecasts of this model, or nothing has come of what they were about.
    """
    keys = [name for name in (table.series_column, table.time_column) if name]
    made = next((name for name in MADE if name in forecasts.columns), "")
    needed = (*keys, *(f"forecast {target}" for target in learned.scaling.targets))
    absent = [name for name in needed if name not in forecasts.columns]
    if absent or not made:
        raise DataError(f'these are no forecasts of this model: they have no column "{(absent or [MADE[0]])[0]}"')
    came = frame_of(table).select(*keys, *learned.scaling.targets)
    if table.series_column:
        forecasts = forecasts.with_columns(_as_names(forecasts[table.series_column]))
    forecasts = _as_numbers(forecasts, learned.scaling.targets, {*keys, made})
    forecasts = _as_times(forecasts, came.schema[table.time_column], (table.time_column, made))
    # A forecast that was told again, as new rows came, counts once: the last time.
    forecasts = forecasts.unique(subset=[*keys, made], keep="last", maintain_order=True)
    joined = forecasts.join(came, on=keys, how="inner", validate="m:1")
    joined = joined.filter(pl.any_horizontal(pl.col(name).is_not_nan() for name in learned.scaling.targets))
    if not joined.height:
        first, last = forecasts[table.time_column].min(), forecasts[table.time_column].max()
        raise DataError(
            f"{table.source}: nothing has come yet of what was forecast: the forecasts are for {first!s} to {last!s}",
            file=table.source,
        )
    leads = _leads(learned, table, joined, made)
    scales = learned.scaling.target_scales(table)[1][_codes(table, joined)]
    targets = [
        _target(learned, number, joined, leads, scales[:, number]) for number in range(len(learned.scaling.targets))
    ]
    inputs = learned.drift.inputs(table)
    scaled = np.concatenate([entry["scaled"][~np.isnan(entry["scaled"])] for entry in targets])
    errors = learned.drift.errors(scaled, joined.select(*keys, made).n_unique())
    document = {
        "forecasts": forecasts.height,
        "scored": joined.height,
        "origin": origin,
        "targets": {entry["target"]: entry["metrics"] for entry in targets},
        "drift": {"inputs": inputs, "errors": errors},
        "warnings": _warnings(inputs, errors),
    }
    return Scored(document, _panels(learned, targets, document))


def _as_names(column: pl.Series) -> pl.Series:
    """Names of series as text, whole numbers without a fraction."""
    whole = column.dtype.is_float() and bool((column.drop_nulls() % 1 == 0).all())
    return (column.cast(pl.Int64) if whole else column).cast(pl.String)


def _as_numbers(frame: pl.DataFrame, targets: tuple[str, ...], keys: set[str]) -> pl.DataFrame:
    """Forecasts of the targets and the ends of their intervals as numbers."""
    told = re.compile(rf"(forecast|(low|high) [0-9.]+%) ({'|'.join(map(re.escape, targets))})")
    for name in (name for name in frame.columns if name not in keys and told.fullmatch(name)):
        column = frame[name]
        numbers = column.cast(pl.Float64, strict=False)
        if (wrong := numbers.is_null() & column.is_not_null()).any():
            row = wrong.arg_true()[0]
            raise DataError(f'forecasts, row {row + 1}, column "{name}": a number is needed; found "{column[row]}"')
        frame = frame.with_columns(numbers.fill_null(float("nan")))
    return frame


def _codes(table: Table, joined: pl.DataFrame) -> np.ndarray:
    """The series of each forecast."""
    if not table.series_column:
        return np.zeros(joined.height, np.int64)
    codes = {name: code for code, name in enumerate(table.series)}
    return joined[table.series_column].replace_strict(codes, return_dtype=pl.Int64).to_numpy()


def _as_times(frame: pl.DataFrame, wanted: Any, names: tuple[str, ...]) -> pl.DataFrame:
    """Times that were written as text, in the zone of the table."""
    for name in names:
        column = frame[name]
        if column.dtype == pl.String:
            zone = getattr(wanted, "time_zone", None)
            parsed = column.str.to_datetime(time_unit="us", time_zone="UTC" if zone else None, strict=False)
            if (wrong := parsed.is_null() & column.is_not_null()).any():
                row = wrong.arg_true()[0]
                raise DataError(f'forecasts, row {row + 1}, column "{name}": a time is needed; found "{column[row]}"')
            frame = frame.with_columns((parsed.dt.convert_time_zone(zone) if zone else parsed).alias(name))
        frame = frame.with_columns(pl.col(name).cast(wanted))
    return frame


def _leads(learned: LearnedForecaster, table: Table, joined: pl.DataFrame, made: str) -> np.ndarray:
    """How many rows ahead each forecast was."""
    times, moments = (joined[name].dt.epoch("us").to_numpy() for name in (table.time_column, made))
    leads = np.empty(len(times), np.int64)
    for moment in np.unique(moments):
        own = moments == moment
        leads[own] = learned.frequency.index(times[own], int(moment))[0]
    return leads


def _target(
    learned: LearnedForecaster, number: int, joined: pl.DataFrame, leads: np.ndarray, deviation: np.ndarray
) -> dict[str, Any]:
    """How one target fared; its errors are scaled as training scaled its series."""
    name, unit = learned.scaling.targets[number], learned.about["units"][number]
    truth = joined[name].to_numpy().astype(np.float64)
    errors = np.abs(joined[f"forecast {name}"].to_numpy() - truth)
    seen = ~np.isnan(errors)
    known = np.unique(leads[seen])
    by_lead = [float(errors[seen & (leads == lead)].mean()) for lead in known]
    coverage = {}
    for column in joined.columns:
        match = _LOW.fullmatch(column)
        if match and match["target"] == name and seen.any():
            low, high = (joined[f"{end} {match['level']}% {name}"].to_numpy() for end in ("low", "high"))
            inside = ((low <= truth) & (truth <= high))[seen]
            coverage[f"{float(match['level']) / 100:g}"] = {
                "coverage": float(inside.mean()),
                "width": float((high - low)[seen].mean()),
            }
    some = bool(seen.any())  # of several targets one may not have come yet
    metrics = {
        "mae": float(errors[seen].mean()) if some else None,
        "rmse": float(np.sqrt(np.square(errors[seen]).mean())) if some else None,
        "unit": unit,
        "count": int(seen.sum()),
        "by_lead": {str(int(lead)): error for lead, error in zip(known, by_lead, strict=True)},
        "intervals": coverage,
    }
    return {"target": name, "metrics": metrics, "scaled": errors / deviation, "leads": known, "by_lead": by_lead}


def _warnings(inputs: list[dict[str, Any]], errors: dict[str, Any]) -> list[str]:
    told = [
        f'"{entry["column"]}" has drifted: its stability index is {entry["index"]:.2f}, in training stretches as long '
        f"stay below {entry['limit']:.2f}"
        for entry in inputs
        if entry["drifted"]
    ]
    told += [
        f'"{entry["column"]}": {entry["beyond"]:.0%} of its values lie beyond all that training saw'
        for entry in inputs
        if entry["beyond"] > 0.01
    ]
    if errors["drifted"]:
        told.append(
            f"the errors have drifted: {errors['mae_scaled']:.3g} scaled, in validation stretches as long stay below "
            f"{errors['limit']:.3g}; train again with: foretell train --from"
        )
    return told


def _panels(learned: LearnedForecaster, targets: list[dict[str, Any]], document: dict[str, Any]) -> list[Panel]:
    rows: list[list[str | Number]] = []
    figures: list[Item] = []
    for entry in targets:
        metrics, unit = entry["metrics"], entry["metrics"]["unit"]
        covered = ", ".join(
            f"{own['coverage']:.0%} of {float(level):.0%}" for level, own in metrics["intervals"].items()
        )
        rows.append([entry["target"], metrics["mae"], metrics["rmse"], unit or "", metrics["count"], covered])
        if len(entry["leads"]) > 1:
            leads: list[Number] = [int(lead) for lead in entry["leads"]]
            label = f"mean absolute error ({unit})" if unit else "mean absolute error"
            line = Line(learned.rung, leads, entry["by_lead"])
            figures.append(Figure("lines", f"{entry['target']}, by lead", "rows ahead", label, [line]))
    header = ["target", "MAE", "RMSE", "unit", "forecasts", "covered"]
    drift: list[list[str | Number]] = [
        [own["column"], own["index"], own["limit"], own["beyond"], "drifted" if own["drifted"] else ""]
        for own in document["drift"]["inputs"]
    ]
    return [
        Panel(
            "Errors",
            f"{document['scored']} forecasts, {document['origin']}.",
            [Grid("Targets", header, rows), *figures],
        ),
        Panel(
            "Drift",
            _sentences(document["warnings"]) or "Neither inputs nor errors have drifted.",
            [Grid("Inputs", ["column", "stability index", "limit", "share beyond training", ""], drift)],
        ),
    ]


def _sentences(warnings: list[str]) -> str:
    return " ".join(f"{warning[0].upper()}{warning[1:]}." for warning in warnings)
