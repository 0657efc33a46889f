"""Each fault does what it says, from its onset on, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from sandbox import faults, flights, script

if TYPE_CHECKING:
    from sandbox.faults import Fault
    from sandbox.script import Script

START_S, UNTIL_S = 2 * script.HOUR_S, 4 * script.HOUR_S
SPAN = {"start_s": START_S, "until_s": UNTIL_S}
IN_FEED: dict[str, tuple[Fault, set[str]]] = {
    "frozen": (faults.frozen_feed(("temp", "dewp"), **SPAN), {"temp", "dewp"}),
    "unit": (faults.switched_unit("temp", **SPAN), {"temp"}),
    "nulls": (faults.nulls(flights.WEATHER, 0.8, **SPAN), set(flights.WEATHER)),
    "unknown": (faults.unknown_category("carrier", "ZW", 0.4, **SPAN), {"carrier"}),
    "spikes": (faults.spikes("wind_speed", 0.2, **SPAN), {"wind_speed"}),
    "mix": (
        faults.shifted_mix("origin", "JFK", 0.85, **SPAN),
        {*flights.RAW, "late"} - {"flight_id", "scheduled_departure"},
    ),
}
EACH = pytest.mark.parametrize("name", IN_FEED)


@pytest.fixture(scope="module")
def clean(all_flights: pd.DataFrame) -> Script:
    return script.drawn(all_flights, "2013-08-06 07:00", 6, tick_s=120, rows_per_hour=1_200, seed=5)


@pytest.fixture(scope="module")
def flown(all_flights: pd.DataFrame) -> Script:
    return script.as_flown(all_flights, "2013-07-01", 14, seed=5)


def put(scripted: Script, fault: Fault) -> Script:
    return fault(scripted, np.random.default_rng(7))


def concerned(scripted: Script) -> pd.Series:
    return scripted.events["tick"].between(60, 119)


@EACH
def test_a_fault_in_the_feed_changes_its_columns_while_it_lasts(clean, name) -> None:
    fault, columns = IN_FEED[name]
    faulty = put(clean, fault)
    inside = concerned(clean)
    pd.testing.assert_frame_equal(faulty.events[~inside], clean.events[~inside])
    pd.testing.assert_frame_equal(
        faulty.events[inside].drop(columns=list(columns)),
        clean.events[inside].drop(columns=list(columns)),
    )
    for column in columns & {"temp", "carrier", "wind_speed", "origin"}:
        assert not faulty.events.loc[inside, column].equals(clean.events.loc[inside, column])


@EACH
def test_a_fault_says_what_it_did_and_when(clean, name) -> None:
    (onset,) = put(clean, IN_FEED[name][0]).onsets
    assert (onset.start_s, onset.until_s) == (START_S, UNTIL_S)
    assert onset.words
    assert set(onset.subject) <= set(flights.RAW)


@EACH
def test_a_fault_is_the_same_whenever_its_seed_is(clean, name) -> None:
    fault, _ = IN_FEED[name]
    pd.testing.assert_frame_equal(put(clean, fault).events, put(clean, fault).events)


def test_frozen_columns_hold_each_airports_last_value(clean) -> None:
    rows = put(clean, IN_FEED["frozen"][0]).events[concerned(clean)]
    assert (rows.groupby("origin")["temp"].nunique() <= 1).all()
    before = clean.events[clean.events["tick"] < 60]
    for origin, flown in before.groupby("origin"):
        last = flown["temp"].dropna().iloc[-1]
        assert (rows.loc[rows["origin"] == origin, "temp"] == last).all()


def test_a_reading_that_is_missing_just_before_is_not_what_freezes(clean) -> None:
    events = clean.events.copy()
    before = events["tick"] < 60
    events.loc[events[before].groupby("origin").tail(1).index, "temp"] = np.nan
    rows = put(clean.with_events(events), IN_FEED["frozen"][0]).events[concerned(clean)]
    assert rows["temp"].notna().all()


def test_a_switched_unit_is_the_same_quantity(clean) -> None:
    inside = concerned(clean)
    celsius = put(clean, IN_FEED["unit"][0]).events.loc[inside, "temp"]
    assert celsius.mul(1.8).add(32).sub(clean.events.loc[inside, "temp"]).abs().max() < 0.01


def test_shares_are_kept(clean) -> None:
    inside = concerned(clean)
    assert put(clean, IN_FEED["nulls"][0]).events.loc[
        inside, "temp"
    ].isna().mean() == pytest.approx(0.8, abs=0.03)
    assert (put(clean, IN_FEED["unknown"][0]).events.loc[inside, "carrier"] == "ZW").mean() == (
        pytest.approx(0.4, abs=0.03)
    )
    origin = put(clean, IN_FEED["mix"][0]).events.loc[inside, "origin"]
    assert (origin == "JFK").mean() > 0.85


def test_a_shifted_mix_is_made_of_real_flights(clean) -> None:
    rows = put(clean, IN_FEED["mix"][0]).events[concerned(clean)]
    places = ["origin", "dest", "carrier", "distance"]
    known = set(clean.events[places].itertuples(index=False, name=None))
    assert set(rows[places].itertuples(index=False, name=None)) <= known


def test_ordinary_life_is_no_fault(clean) -> None:
    life = faults.together(faults.events_twice(0.05), faults.events_late(0.1, 5))
    lived = put(clean, life)
    assert lived.onsets == ()
    again = lived.events["flight_id"].duplicated()
    assert again.mean() == pytest.approx(0.05, abs=0.02)
    assert lived.events["tick"].is_monotonic_increasing
    assert lived.events["tick"].max() < lived.ticks
    assert set(lived.events["flight_id"]) == set(clean.events["flight_id"])


def test_labels_stop_and_are_lost(flown) -> None:
    stopped = put(flown, faults.labels_stop(start_s=5 * script.DAY_S, until_s=7 * script.DAY_S))
    ticks = stopped.labels["tick"]
    assert not ticks.between(120, 167).any()
    assert (ticks >= 168).any()
    assert len(stopped.labels) < len(flown.labels)


def test_labels_twice_add_copies_and_strangers_only(flown) -> None:
    twice = put(flown, faults.labels_twice(0.1))
    assert twice.onsets == ()
    own = twice.labels[twice.labels["flight_id"].isin(flown.events["flight_id"])]
    assert set(own["flight_id"]) == set(flown.labels["flight_id"])
    assert len(twice.labels) > len(own) > len(flown.labels)
    assert own.groupby("flight_id")["late"].nunique().max() == 1


def test_relabelled_outcomes_follow_the_predictions(flown) -> None:
    predictions = np.full(len(flown.events), 0.4)
    onset = script.Onset("bias", ("labels",), "half as many are late", 7 * script.DAY_S)
    changed = put(flown, faults.relabelled(lambda p: p / 2, predictions, onset))
    later = changed.events["tick"] >= 7 * 24
    assert changed.events.loc[later, "late"].mean() == pytest.approx(0.2, abs=0.02)
    assert changed.events.loc[~later, "late"].equals(flown.events.loc[~later, "late"])
    assert changed.onsets == (onset,)
    # Labels arrive when they did, and say what the events say.
    assert changed.labels["tick"].tolist() == flown.labels["tick"].tolist()
    both = changed.labels.merge(changed.events, on="flight_id")
    assert (both["late_x"] == both["late_y"]).all()


def test_machinery_fails_while_it_should(clean) -> None:
    broken = put(
        clean,
        faults.together(
            faults.replica_errs(**SPAN),
            faults.replica_slows(1.5, **SPAN),
            faults.scrape_lost(**SPAN),
        ),
    )
    assert np.flatnonzero(broken.errors).tolist() == list(range(60, 120))
    assert np.flatnonzero(broken.delay_s == 1.5).tolist() == list(range(60, 120))
    assert np.flatnonzero(~broken.scraped).tolist() == list(range(60, 120))
    assert [onset.kind for onset in broken.onsets] == [
        "replica_errs",
        "replica_slows",
        "scrape_lost",
    ]
    pd.testing.assert_frame_equal(broken.events, clean.events)
