"""The rules that a network has to beat, against plain loops over small tables."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import WindowSection
from foretell.data.frequency import DAY, Frequency
from foretell.data.reading import read_table
from foretell.data.scaling import learn_scaling
from foretell.data.spans import cut_spans
from foretell.data.tables import Table
from foretell.data.windows import WindowShape, find_anchors, possible_anchors
from foretell.evaluation.baselines import Baseline, Climatology, Persistence, SeasonalNaive, seasons
from foretell.evaluation.history import History

from .made_tables import HOUR, HOURLY, NEW_YEAR, Recipe, make_table, recipes, shapes


def history_of(table: Table, shape: WindowShape, training: np.ndarray | None = None) -> History:
    training = np.ones(table.rows, bool) if training is None else training
    return History.of(table, shape, learn_scaling(table, training))


def last_seen(table: Table, column: str, row: int, mean: float) -> float:
    """The latest observed value of a row's own series, the training mean where there is none."""
    values = table.take([column])[:, 0]
    for earlier in range(row, int(table.starts[table.codes[row]]) - 1, -1):
        if not np.isnan(values[earlier]):
            return float(values[earlier])
    return mean


@pytest.mark.parametrize("align", ["standard", "lecture"])
@given(data=st.data())
def test_persistence_is_the_last_input_at_every_lead(data: st.DataObject, align: str) -> None:
    table = data.draw(recipes(shortest=30)).make()
    shape = data.draw(shapes(align=align))
    history = history_of(table, shape)
    anchors = possible_anchors(table, shape, shape.leads[1])
    forecasts = Persistence().predict(history, anchors)
    assert forecasts.shape == (len(anchors), shape.lead_count, len(table.targets))
    for number, name in enumerate(table.targets):
        mean = float(np.nanmean(table.take([name])))
        last = [
            last_seen(table, name, anchor - (shape.every if align == "lecture" else 0), mean)
            for anchor in anchors.tolist()
        ]
        for lead in range(shape.lead_count):
            np.testing.assert_allclose(forecasts[:, lead, number], last)


@pytest.mark.parametrize("align", ["standard", "lecture"])
@given(data=st.data())
def test_seasonal_naive_is_the_latest_season_that_had_been_seen(data: st.DataObject, align: str) -> None:
    table = data.draw(recipes(shortest=30)).make()
    shape = data.draw(shapes(align=align))
    period = data.draw(st.integers(1, 9))
    history = history_of(table, shape)
    anchors = possible_anchors(table, shape, shape.leads[1])
    rule = SeasonalNaive(period)
    forecasts = rule.predict(history, anchors)
    furthest = 0
    for window, anchor in enumerate(anchors.tolist()):
        now = anchor - (shape.every if align == "lecture" else 0)
        for place, lead in enumerate(range(shape.leads[0], shape.leads[1] + 1)):
            row = anchor + lead
            while row > now:
                row -= period
            furthest = max(furthest, anchor - row)
            row = row if row >= table.starts[table.codes[anchor]] else now
            for number, name in enumerate(table.targets):
                mean = float(np.nanmean(table.take([name])))
                assert forecasts[window, place, number] == pytest.approx(last_seen(table, name, row, mean))
    assert rule.rows_needed(history) == furthest + 1


def wave(*periods: int, rows: int = 24 * 60, noise: float = 0.05) -> np.ndarray:
    hours = np.arange(rows)
    waves = sum((np.sin(2 * np.pi * hours / period) for period in periods), np.zeros(rows))
    return waves + np.random.default_rng(0).normal(0, noise, rows)


def fitted(table: Table, shape: WindowShape, rule: Baseline, text: str = "0.6,0.2,0.2") -> tuple[Baseline, History]:
    spans = cut_spans(table, text)
    scaling = learn_scaling(table, spans.training_rows)
    anchors = find_anchors(table, shape, spans, scaling.missing(table), 1.0)
    history = History.of(table, shape, scaling)
    return rule.fit(history, spans.training_rows, anchors.spans), history


@pytest.mark.parametrize(("periods", "chosen", "name"), [((24,), 24, "day"), ((24, 168), 168, "week")])
def test_validation_chooses_the_day_or_the_week(periods: tuple[int, ...], chosen: int, name: str) -> None:
    # The wave of a day alone is noisier a week back: its phase drifts.
    values = wave(*periods)
    if periods == (24,):
        values = np.sin(2 * np.pi * np.arange(len(values)) * 1.003 / 24)
    rule, history = fitted(make_table(values), WindowShape(24, 1, (1, 12)), SeasonalNaive())
    assert isinstance(rule, SeasonalNaive)
    assert rule.period == chosen
    assert rule.note == f"as it was a {name} before the target"
    assert rule.rows_needed(history) == chosen


def test_the_season_says_where_it_coincides_with_persistence() -> None:
    table = make_table(np.sin(2 * np.pi * np.arange(1440) * 1.003 / 24))
    for ahead, same in ((24, True), (48, True), (23, False), (12, False)):
        shape = WindowShape(24, 1, (ahead, ahead))
        rule, history = fitted(table, shape, SeasonalNaive())
        anchors = possible_anchors(table, shape, ahead)
        equal = bool((rule.predict(history, anchors) == Persistence().predict(history, anchors)).all())
        assert ("the same as persistence" in rule.note) is equal is same


def test_the_season_compares_scaled_errors_of_several_targets() -> None:
    """A huge column must not decide alone: two small ones that repeat by the week outvote it."""
    rows = 24 * 70
    generator = np.random.default_rng(0)
    week = np.tile(generator.normal(size=168), 10)
    daily = 1e6 * np.sin(2 * np.pi * np.arange(rows) * 1.01 / 24)
    table = make_table(np.column_stack([daily, week, np.roll(week, 5)]), targets=("a", "b", "c"))
    rule, _ = fitted(table, WindowShape(24, 1, (1, 3)), SeasonalNaive())
    assert isinstance(rule, SeasonalNaive)
    assert rule.period == 168


@pytest.mark.parametrize(
    ("frequency", "rows", "expected"),
    [
        (HOURLY, 500, {"day": 24, "week": 168}),
        (HOURLY, 100, {"day": 24}),
        (Frequency("microsecond", HOUR // 6), 5000, {"day": 144, "week": 1008}),
        (Frequency("microsecond", 5 * HOUR), 500, {}),
        (Frequency("microsecond", DAY), 1000, {"week": 7, "year": 365}),
        (Frequency("microsecond", 7 * DAY), 1000, {"year": 52}),
        (Frequency("weekday", 1), 100, {"week": 5}),
        (Frequency("month", 1), 100, {"year": 12}),
        (Frequency("month", 3), 100, {"year": 4}),
        (Frequency("month", 5), 100, {}),
    ],
)
def test_seasons_follow_the_frequency(frequency: Frequency, rows: int, expected: dict[str, int]) -> None:
    table = make_table(np.arange(30.0), frequency=frequency)
    assert seasons(history_of(table, WindowShape(1, 1, (1, 1))), rows) == expected


def test_without_a_season_it_is_persistence_and_says_so() -> None:
    table = make_table(np.random.default_rng(0).normal(size=300), frequency=Frequency("microsecond", 5 * HOUR))
    shape = WindowShape(4, 1, (1, 3))
    rule, history = fitted(table, shape, SeasonalNaive())
    assert rule.note == "no season fits rows of 5h: the same as persistence"
    anchors = possible_anchors(table, shape, 3)
    np.testing.assert_array_equal(rule.predict(history, anchors), Persistence().predict(history, anchors))


def climatology(table: Table, training: np.ndarray, shape: WindowShape) -> tuple[Climatology, History]:
    history = history_of(table, shape, training)
    return Climatology().fit(history, training, {}), history


def test_climatology_below_two_years_is_the_mean_of_the_hour() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(10, 5, (2400, 2))
    values[generator.random((2400, 2)) < 0.2] = np.nan
    table = make_table(values, [1000, 1400], targets=("a", "b"), offsets=[5, 0])
    training = np.zeros(2400, bool)
    training[:700] = training[1000:1900] = True
    shape = WindowShape(2, 1, (3, 5))
    rule, history = climatology(table, training, shape)
    assert rule.mean.shape == (3, 1, 24, 2)
    assert rule.note == "mean by hour of day, from 37 days of training"
    anchors = possible_anchors(table, shape, 5)
    forecasts = rule.predict(history, anchors)
    hours = (table.times // HOUR) % 24
    for window in range(0, len(anchors), 97):
        anchor = int(anchors[window])
        for place, lead in enumerate((3, 4, 5)):
            alike = training & (table.codes == table.codes[anchor]) & (hours == hours[anchor + lead])
            np.testing.assert_allclose(forecasts[window, place], np.nanmean(values[alike], axis=0))


def test_the_hour_is_that_of_the_tables_zone() -> None:
    zone = ZoneInfo("Europe/Berlin")
    local = [(datetime(2021, 1, 1, tzinfo=UTC) + timedelta(hours=row)).astimezone(zone).hour for row in range(8000)]
    table = make_table(np.array(local, float), timezone="Europe/Berlin")
    rule, history = climatology(table, np.ones(8000, bool), WindowShape(1, 1, (1, 1)))
    np.testing.assert_allclose(rule.mean[0, 0, :, 0], np.arange(24))
    anchors = np.arange(7999)
    np.testing.assert_allclose(rule.predict(history, anchors)[:, 0, 0], local[1:])


def test_climatology_above_two_years_smooths_over_the_days_around() -> None:
    rows = 3 * 8766
    generator = np.random.default_rng(0)
    values = generator.normal(0, 1, rows) + 10 * np.cos(2 * np.pi * np.arange(rows) / 8766)
    values[generator.random(rows) < 0.1] = np.nan
    table = make_table(values)
    training = np.arange(rows) < rows - 500
    rule, history = climatology(table, training, WindowShape(1, 1, (1, 1)))
    assert rule.note.startswith("mean by hour and day of year")
    assert rule.mean.shape == (2, 366, 24, 1)
    moments = table.times.astype("datetime64[us]")
    days = (moments.astype("datetime64[D]") - moments.astype("datetime64[Y]")).astype(int)
    hours = (table.times // HOUR) % 24
    for day, hour in ((0, 0), (3, 23), (59, 12), (200, 7), (358, 5), (365, 18)):
        distance = np.abs(days - day)
        near = np.minimum(distance, 366 - distance) <= 15
        alike = training & near & (hours == hour)
        assert rule.mean[0, day, hour, 0] == pytest.approx(np.nanmean(values[alike]))
    anchors = np.arange(rows - 500, rows - 1)
    expected = rule.mean[0, days[anchors + 1], hours[anchors + 1]]
    np.testing.assert_array_equal(rule.predict(history, anchors)[:, 0], expected)
    assert np.nanmean(np.abs(expected[:, 0] - values[anchors + 1])) < 1


@pytest.mark.parametrize(
    ("first", "days", "yearly"),
    [
        ("2021-01-01", 365, False),
        ("2021-01-01", 700, False),
        ("2021-01-01", 729, False),
        ("2021-01-01", 730, True),
        ("2020-01-01", 731, True),
        ("2020-07-01", 800, True),
    ],
)
def test_the_day_of_year_counts_from_two_years_on(first: str, days: int, yearly: bool) -> None:
    origin = int(np.datetime64(first, "us").astype(np.int64))
    table = make_table(np.random.default_rng(0).normal(size=4 * days), frequency=Frequency("microsecond", 6 * HOUR))
    table = make_table(table.values, frequency=table.frequency, origin=origin)
    rule, _ = climatology(table, np.ones(table.rows, bool), WindowShape(1, 1, (1, 1)))
    assert (rule.mean.shape[1] == 366) is yearly


def test_an_hour_that_training_never_saw_takes_the_overall_mean() -> None:
    table = make_table(np.arange(30.0))
    training = np.arange(30) < 10
    rule, history = climatology(table, training, WindowShape(1, 1, (1, 1)))
    forecasts = rule.predict(history, np.arange(0, 28))[:, 0, 0]
    np.testing.assert_allclose(forecasts[:9], np.arange(1, 10))
    np.testing.assert_allclose(forecasts[9:23], 4.5)
    np.testing.assert_allclose(forecasts[23:], np.arange(0, 5))


def test_a_new_series_gets_the_mean_of_all() -> None:
    values = np.concatenate([np.arange(240.0), 1000 + np.arange(480.0)])
    table = make_table(values, [240, 480])
    rule, _ = climatology(table, np.ones(720, bool), WindowShape(1, 1, (1, 1)))
    other = make_table(values, [240, 480], names=("s1", "new"))
    forecasts = rule.predict(history_of(other, WindowShape(1, 1, (1, 1))), np.array([50, 300]))[:, 0, 0]
    hours = np.concatenate([np.arange(240), np.arange(480)]) % 24
    own = (np.arange(720) >= 240) & (hours == 51 % 24)
    assert forecasts[0] == pytest.approx(values[own].mean())
    assert forecasts[1] == pytest.approx(values[hours == 61 % 24].mean())


def test_times_past_the_last_row_follow_the_grid() -> None:
    months = make_table(np.arange(24.0), frequency=Frequency("month", 1, month_end=True))
    months = make_table(np.arange(24.0), frequency=months.frequency, origin=NEW_YEAR + 30 * DAY)
    found = history_of(months, WindowShape(1, 1, (1, 3))).target_times(np.array([23, 0]))
    assert found.astype("datetime64[us]").astype("datetime64[D]").astype(str).tolist() == [
        ["2023-01-31", "2023-02-28", "2023-03-31"],
        ["2021-02-28", "2021-03-31", "2021-04-30"],
    ]
    two = make_table(np.arange(50.0), [20, 30], offsets=[7, 0])
    found = history_of(two, WindowShape(2, 2, (1, 2), "lecture")).target_times(np.array([19, 49]))
    np.testing.assert_array_equal(found, NEW_YEAR + HOUR * np.array([[27, 28], [30, 31]]))


@given(recipes(shortest=40), shapes())
def test_a_rule_restored_from_its_state_forecasts_the_same(recipe: Recipe, shape: WindowShape) -> None:
    table = recipe.make()
    training = np.arange(table.rows) % 3 > 0
    history = history_of(table, shape, training)
    anchors = possible_anchors(table, shape, shape.leads[1])
    observed = anchors[~np.isnan(history.truths(anchors)).any(axis=(1, 2))]
    if len(observed) == 0:
        return
    for kind in (Persistence, SeasonalNaive, Climatology):
        rule: Baseline = kind().fit(history, training, {"train": observed, "validation": observed})
        restored = kind.restore(*rule.state())
        np.testing.assert_array_equal(restored.predict(history, anchors), rule.predict(history, anchors))
        assert (restored.note, restored.rows_needed(history)) == (rule.note, rule.rows_needed(history))


def test_persistence_on_the_real_data_is_what_others_found(shared_data: Path) -> None:
    table = read_table(shared_data / "forecast" / "ETTh1.csv", target=("all",))
    shape = WindowShape.resolve(WindowSection(lookback="336", ahead="1:96"), table.frequency)
    spans = cut_spans(table, "8640,2880,2880")
    scaling = learn_scaling(table, spans.training_rows)
    test = find_anchors(table, shape, spans, scaling.missing(table), 0.5).spans["test"]
    history = History.of(table, shape, scaling)
    errors = (Persistence().predict(history, test) - history.truths(test)) / history.deviation[0]
    assert np.square(errors).mean() == pytest.approx(1.294, abs=0.001)
    assert np.abs(errors).mean() == pytest.approx(0.713, abs=0.001)
    jena = read_table(
        shared_data / "forecast" / "jena_weather_2020.zip", target="T (degC)", features="T (degC)", missing="-9999"
    )
    shape = WindowShape.resolve(WindowSection(lookback="10d", every="1h", ahead="24h"), jena.frequency)
    spans = cut_spans(jena, "0.7,0.15,0.15")
    scaling = learn_scaling(jena, spans.training_rows)
    test = find_anchors(jena, shape, spans, scaling.missing(jena), 0.5).spans["test"]
    history = History.of(jena, shape, scaling)
    assert np.abs(Persistence().predict(history, test) - history.truths(test)).mean() == pytest.approx(1.97, abs=0.01)
