"""Errors summed batch by batch, against numpy over all of them at once; units are never pooled."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.evaluation.metrics import ErrorSums


class Case:
    """Some forecasts of several series."""

    def __init__(self, seed: int, windows: int, leads: int, targets: int, series: int) -> None:
        generator = np.random.default_rng(seed)
        self.names = tuple(f"target {number} (m)" for number in range(targets))
        self.units: tuple[str | None, ...] = ("m",) * targets
        self.deviation = generator.uniform(0.5, 20, (series, targets))
        self.truths = generator.normal(0, 5, (windows, leads, targets))
        self.forecasts = self.truths + generator.normal(0, 1, self.truths.shape) * 10.0 ** np.arange(targets)
        self.codes = generator.integers(0, series, windows)
        self.hours = generator.integers(0, 24, (windows, leads))
        self.naive = generator.uniform(0.1, 9, targets)

    @property
    def errors(self) -> np.ndarray:
        return self.forecasts - self.truths

    @property
    def scaled(self) -> np.ndarray:
        return self.errors / self.deviation[self.codes][:, None]

    def sums(self, *cuts: int) -> ErrorSums:
        sums = ErrorSums(self.deviation, self.truths.shape[1])
        bounds = [0, *cuts, len(self.truths)]
        for start, stop in pairwise(bounds):
            rows = slice(start, stop)
            sums.add(self.forecasts[rows], self.truths[rows], self.codes[rows], self.hours[rows])
        return sums

    def metrics(self, *cuts: int) -> dict[str, Any]:
        return self.sums(*cuts).metrics(self.names, self.units, self.naive)


cases = st.builds(
    lambda *numbers: numbers,
    st.integers(0, 2**32 - 1),
    st.integers(2, 30),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
)


@given(cases, st.integers(1, 29))
def test_sums_give_the_metrics_that_all_errors_at_once_give(numbers: tuple[int, ...], cut: int) -> None:
    case = Case(*numbers)
    found = case.metrics(min(cut, len(case.truths) - 1))
    entries = found["targets"] if len(case.names) > 1 else {case.names[0]: found}
    for number, name in enumerate(case.names):
        errors, scaled = case.errors[:, :, number], case.scaled[:, :, number]
        assert entries[name] == {
            "mae": pytest.approx(np.abs(errors).mean()),
            "unit": "m",
            "mae_scaled": pytest.approx(np.abs(scaled).mean()),
            "mse": pytest.approx(np.square(errors).mean()),
            "mse_scaled": pytest.approx(np.square(scaled).mean()),
            "rmse": pytest.approx(np.sqrt(np.square(errors).mean())),
            "mase": pytest.approx(np.abs(errors).mean() / case.naive[number]),
            "count": len(case.truths),
        }


def test_units_are_never_pooled() -> None:
    case = Case(0, 40, 3, 2, 2)
    case.units = ("degC", "mbar")
    found = case.metrics()
    assert (found["mae"], found["unit"]) == (None, None)
    assert not {"mse", "rmse", "mase"} & set(found)
    assert found["mae_scaled"] == pytest.approx(np.abs(case.scaled).mean())
    assert found["mse_scaled"] == pytest.approx(np.square(case.scaled).mean())
    assert found["count"] == 40
    assert [entry["unit"] for entry in found["targets"].values()] == ["degC", "mbar"]
    assert list(found["targets"]) == list(case.names)


def test_one_target_has_its_unit() -> None:
    found = Case(0, 40, 3, 1, 1).metrics()
    assert found["unit"] == "m"
    assert "targets" not in found


def test_without_a_naive_error_there_is_no_mase() -> None:
    case = Case(0, 5, 1, 1, 1)
    case.naive = np.zeros(1)
    assert case.metrics()["mase"] is None


@given(cases, st.integers(1, 29))
def test_the_losses_are_the_scaled_errors_of_each_window_in_order(numbers: tuple[int, ...], cut: int) -> None:
    case = Case(*numbers)
    losses = case.sums(min(cut, len(case.truths) - 1)).losses
    np.testing.assert_allclose(losses, np.abs(case.scaled).mean(axis=(1, 2)))
    assert losses.mean() == pytest.approx(case.metrics()["mae_scaled"])
    assert len(ErrorSums(case.deviation, 2).losses) == 0


def test_errors_of_each_series_lead_and_hour() -> None:
    case = Case(1, 60, 3, 2, 3)
    case.codes[case.codes == 1] = 2  # one series has no window
    case.hours = case.hours // 2
    sums = case.sums(10, 30)
    rows = sums.by_series(("x", "y", "z"), case.names, case.units)
    assert [(row["series"], row["target"]) for row in rows] == [
        (name, target) for name in ("x", "z") for target in case.names
    ]
    for row in rows:
        own = case.errors[case.codes == "xyz".index(row["series"])][:, :, case.names.index(row["target"])]
        assert row["mae"] == pytest.approx(np.abs(own).mean())
        assert row["rmse"] == pytest.approx(np.sqrt(np.square(own).mean()))
        assert (row["count"], row["unit"]) == (len(own), "m")
    for target in range(2):
        distances = np.abs(case.errors[:, :, target])
        np.testing.assert_allclose(sums.by_lead(target), distances.mean(axis=0))
        by_hour = sums.by_hour(target)
        for hour in range(24):
            seen = distances[case.hours == hour]
            np.testing.assert_allclose(by_hour[hour], seen.mean() if len(seen) else np.nan)
