"""What is scripted: times, traffic, labels, disguise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from sandbox import flights, script

if TYPE_CHECKING:
    from sandbox.script import Script

HOUR_S = script.HOUR_S


def day(everything: pd.DataFrame, **changed: object) -> Script:
    settings = {"tick_s": 120, "rows_per_hour": 1_200, "seed": 1, "weeks": 2} | changed
    return script.drawn(everything, "2013-07-09 05:00", 17, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drawn(all_flights: pd.DataFrame) -> Script:
    return day(all_flights)


@pytest.fixture(scope="module")
def flown(all_flights: pd.DataFrame) -> Script:
    return script.as_flown(all_flights, "2013-07-01", 10, seed=1, weeks=-2)


def departed(scripted: Script) -> pd.Series:
    return pd.to_datetime(scripted.events["scheduled_departure"], utc=True)


def test_a_script_is_the_same_whenever_its_seed_is(all_flights, drawn) -> None:
    pd.testing.assert_frame_equal(day(all_flights).events, drawn.events)
    assert not day(all_flights, seed=2).events.equals(drawn.events)


def test_event_times_are_those_of_their_tick(drawn) -> None:
    begins = drawn.start + pd.to_timedelta(drawn.events["tick"] * drawn.tick_s, unit="s")
    late_by = (departed(drawn) - begins).dt.total_seconds()
    assert late_by.between(0, drawn.tick_s).all()


def test_dates_move_by_whole_weeks_and_keep_the_local_hour(drawn) -> None:
    local = drawn.start.tz_convert(flights.AIRPORT_TIMEZONE)
    assert f"{local:%Y-%m-%d %H:%M}" == "2013-07-23 05:00"
    assert drawn.now(30) == local + pd.Timedelta(hours=1)


def test_hours_by_day_have_enough_rows_for_statistics(drawn) -> None:
    by_hour = drawn.events.groupby(drawn.events["tick"] // 30).size()
    # From six in the morning to nine at night.
    assert by_hour[1:16].min() > 1_000
    assert by_hour[1:16].max() < 1_400


def test_rows_come_from_the_same_hour_of_neighbouring_days(all_flights, drawn) -> None:
    # Twelve o'clock's flights leave for places that flights at twelve leave for.
    clock = all_flights["departure"].dt.tz_convert(flights.AIRPORT_TIMEZONE)
    near = all_flights[(clock.dt.hour == 12) & clock.dt.day_of_year.between(183, 197)]
    noon = drawn.events[drawn.events["tick"].between(7 * 30, 8 * 30 - 1)]
    places = ["carrier", "origin", "dest", "distance", "scheduled_arrival"]
    known = set(near[places].itertuples(index=False, name=None))
    assert set(noon[places].itertuples(index=False, name=None)) <= known


def test_nothing_can_be_looked_up(all_flights, drawn) -> None:
    published = set(
        all_flights[["origin", "temp", "pressure", "wind_speed"]].itertuples(index=False)
    )
    rows = drawn.events.dropna(subset=["temp", "pressure", "wind_speed"])
    hits = [
        row in published
        for row in rows[["origin", "temp", "pressure", "wind_speed"]].itertuples(index=False)
    ]
    assert np.mean(hits) < 0.01
    assert rows["flight_id"].is_unique


def test_one_observation_of_the_weather_stays_one(all_flights) -> None:
    # Flights of one airport and hour were given one reading; they still have one.
    flown = script.as_flown(all_flights, "2013-07-10", 1, seed=3)
    events = flown.events.assign(hour=departed(flown).dt.floor("h"))
    assert (events.groupby(["hour", "origin"])["temp"].nunique() <= 1).all()


def test_weeks_as_flown_hold_most_of_the_flights_that_there_were(all_flights, flown) -> None:
    clock = all_flights["departure"].dt.tz_convert(flights.AIRPORT_TIMEZONE)
    there = all_flights[(clock >= "2013-07-01") & (clock < "2013-07-11")]
    assert len(flown.events) == pytest.approx(script.AS_FLOWN_SHARE * len(there), rel=0.02)
    assert flown.events["late"].mean() == pytest.approx(there["late"].mean(), abs=0.01)
    assert flown.ticks == 240


def test_labels_come_a_day_later_and_belong_to_their_flights(flown) -> None:
    both = flown.labels.merge(flown.events, on="flight_id", suffixes=("", "_event"))
    assert len(both) == len(flown.labels)
    assert (both["late"] == both["late_event"]).all()
    waited = both["tick"] - both["tick_event"]
    assert waited.between(24, 30).all()
    # The last day's labels come after the end.
    assert len(flown.labels) < len(flown.events)
    assert flown.labels["tick"].is_monotonic_increasing


def test_facts_are_plain_json_in_seconds(drawn) -> None:
    seen = script.facts(drawn)
    assert seen["ticks"] * seen["tick_s"] == 17 * HOUR_S
    assert seen["rows"] == len(drawn.events)
    assert seen["faults"] == []


@pytest.fixture(scope="module")
def asked(all_flights: pd.DataFrame) -> Script:
    return script.requested(
        all_flights,
        "2013-08-05 09:00",
        12,
        tick_s=10,
        requests_per_tick=7,
        rows_per_request=5,
        seed=1,
        weeks=1,
    )


def test_requests_are_steady_and_each_is_one_airports(asked) -> None:
    assert asked.events.groupby("tick").size().tolist() == [35] * 12
    airports = asked.events["origin"].to_numpy().reshape(-1, 5)
    assert (airports == airports[:, :1]).all()
    assert set(airports[:, 0]) == {"EWR", "JFK", "LGA"}


def test_requests_are_dated_by_their_tick(asked) -> None:
    begins = asked.start + pd.to_timedelta(asked.events["tick"] * asked.tick_s, unit="s")
    late_by = (departed(asked) - begins).dt.total_seconds()
    assert late_by.between(0, asked.tick_s, inclusive="left").all()
    assert f"{asked.now(0):%m-%d %H}" == "08-12 09"
    assert asked.events["flight_id"].is_unique
