"""The live traffic: which flights, what the feed makes of them, and when their labels come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd
import pytest

from sandbox import flights, scenario, variant
from sandbox.live.production import HEAD_START, HOUR, Production, feed_of
from sandbox.traffic.client import Answer, Exchange
from sandbox.traffic.gateway import Gateway

START = date(2013, 8, 5)


class Recorder:
    """Stands in for the service's client: predicts 0.3 for everything."""

    def __init__(self) -> None:
        self.asked: list[Sequence[Any]] = []
        self.labels: list[list[dict[str, Any]]] = []

    def score(self, records: Sequence[Any]) -> Exchange:
        self.asked.append(records)
        return Exchange(len(records), 200, [0.3] * len(records), "1", 1.0, "")

    def ask(self, method: str, path: str, body: bytes) -> Answer:
        assert (method, path) == ("POST", "/feedback")
        self.labels.append(json.loads(body))
        return Answer(200, b"", "", 1.0)


def replayed(production: Production, hours: int) -> Recorder:
    recorder = Recorder()
    for _ in range(hours):
        production.tick(recorder)  # type: ignore[arg-type]
    return recorder


def departing(all_flights: pd.DataFrame, start: str, hours: int) -> pd.DataFrame:
    first = pd.Timestamp(start, tz=flights.AIRPORT_TIMEZONE)
    return all_flights[all_flights["departure"].between(first, first + hours * HOUR, "left")]


def test_a_day_is_replayed_and_its_labels_come_a_day_later(all_flights: pd.DataFrame) -> None:
    gateway = Gateway(1)
    production = Production(all_flights, START, gateway)
    day = departing(all_flights, "2013-08-05", 24)
    first = replayed(production, 24)
    ids = [record["flight_id"] for request in first.asked for record in request]
    assert ids == day["flight_id"].tolist()
    assert first.labels == []
    assert production.figures().version == "1"
    second = replayed(production, 24)
    labels = {label["flight_id"]: label["late"] for part in second.labels for label in part}
    assert labels == dict(zip(day["flight_id"], day["late"] == 1, strict=True))
    figures = production.figures()
    assert figures.now == "2013-08-07T00:00-04:00"
    assert figures.labelled == len(day)
    assert figures.late_rate == pytest.approx(day["late"].mean(), abs=1e-3)
    assert figures.mean_prediction == 0.3
    requests = len(first.asked) + len(second.asked)
    assert f'{{code="200",method="POST",protocol="http",service="flight-delay"}} {requests}.0' in (
        gateway.metrics().body.decode()
    )


def test_the_head_start_ends_and_the_replay_begins_again(all_flights: pd.DataFrame) -> None:
    few = all_flights[all_flights["departure"] < pd.Timestamp("2013-08-09 12:00", tz="UTC")]
    production = Production(few, START, Gateway(1))
    hours = HEAD_START // HOUR
    replayed(production, hours - 1)
    assert production.ahead
    replayed(production, 1)
    assert not production.ahead
    replayed(production, 8)
    again = replayed(production, 8)
    asked = [record["flight_id"] for request in again.asked for record in request]
    assert asked == departing(few, "2013-08-05", 8)["flight_id"].tolist()


def test_what_the_feed_spoils_reaches_the_service_and_nothing_else(
    all_flights: pd.DataFrame,
) -> None:
    hours = []

    def feed(rows: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
        hours.append(now)
        return rows.assign(carrier="??")

    production = Production(all_flights, START, Gateway(1), feed)
    recorder = replayed(production, 48)
    asked = [record for request in recorder.asked for record in request]
    assert {record["carrier"] for record in asked} == {"??"}
    assert hours[0] == pd.Timestamp("2013-08-05 05:00", tz=flights.AIRPORT_TIMEZONE)
    production.reference = Carriers()  # type: ignore[assignment]
    # The pipeline is asked about the flights as they were.
    production.figures()
    assert production.reference.seen == set(  # type: ignore[attr-defined]
        departing(all_flights, "2013-08-05", 24)["carrier"]
    )


class Carriers:
    """Stands in for a reference, and remembers which carriers it was asked about."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def predict(self, rows: pd.DataFrame) -> pd.Series:
        self.seen |= set(rows["carrier"])
        return rows["late"]


def test_most_scenarios_have_a_feed_that_is_right() -> None:
    setting = scenario.load("skewed_preprocessing")
    assert feed_of(setting, variant.choose(setting, "a")) is None


def test_drifting_inputs_has_a_day_of_each_fault_with_two_good_days_between(
    all_flights: pd.DataFrame,
) -> None:
    setting = scenario.load("drifting_inputs")
    feed = feed_of(setting, variant.choose(setting, "a"))
    assert feed is not None
    wrong: dict[str, list[str]] = {}
    for hour in range(9 * 24):
        now = pd.Timestamp("2013-07-07", tz=flights.AIRPORT_TIMEZONE) + hour * HOUR
        rows = departing(all_flights, str(now.tz_localize(None)), 1)
        fed = feed(rows, now)
        assert fed["flight_id"].tolist() == rows["flight_id"].tolist()
        for name in flights.RAW:
            if not fed[name].equals(rows[name]):
                wrong.setdefault(name, []).append(f"{now:%m-%d %H}")
    spans = {name: (hours[0], hours[-1]) for name, hours in wrong.items()}
    assert spans["temp"] == ("07-08 10", "07-09 09")
    assert spans["humid"] == ("07-08 10", "07-12 09")
    assert spans["carrier"] == ("07-14 10", "07-15 09")
    assert set(wrong) == {"carrier", *flights.WEATHER}
