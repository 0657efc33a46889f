"""Quality by the labels that were sent, beside what a service says of itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from sandbox import faults, script
from sandbox.episode import Recording
from sandbox.grading.statistics import auc
from sandbox.probes import quality
from sandbox.script import DAY_S, Onset
from sandbox.telemetry.prometheus import QueryError, RangeSeries
from sandbox.traffic.client import Exchange

if TYPE_CHECKING:
    from sandbox.references import Reference
    from sandbox.script import Script

DAYS = 9


@pytest.fixture(scope="module")
def weeks(all_flights: pd.DataFrame) -> Script:
    return script.as_flown(all_flights, "2013-07-01", DAYS, seed=3)


def noise(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- labels of flights that the service does not know


def test_labels_of_earlier_flights_come_from_the_first_hour_on(weeks: Script) -> None:
    changed = quality.earlier_labels()(weeks, noise())
    by_hour = changed.labels.groupby("tick").size().reindex(range(changed.ticks), fill_value=0)
    # At night, some hours have none.
    assert (by_hour > 0).mean() > 0.95
    own = set(weeks.events["flight_id"])
    strangers = changed.labels[~changed.labels["flight_id"].isin(own)]
    assert strangers["flight_id"].is_unique
    assert strangers["flight_id"].str.fullmatch(r"F\d{6}").all()
    # A day and a bit: then the labels of the episode's own flights have taken over.
    assert strangers["tick"].max() <= 30
    assert 0.6 < len(strangers) / (weeks.events["tick"] < 24).sum() < 1.6


def test_the_labels_of_a_scripts_own_flights_stay_as_they_are(weeks: Script) -> None:
    changed = quality.earlier_labels()(weeks, noise())
    own = changed.labels[changed.labels["flight_id"].isin(weeks.events["flight_id"])]
    pd.testing.assert_frame_equal(own.reset_index(drop=True), weeks.labels, check_dtype=False)
    assert changed.labels["tick"].is_monotonic_increasing
    assert changed.onsets == ()


def test_a_day_without_labels_of_its_own_gets_some_at_every_scrape(
    all_flights: pd.DataFrame,
) -> None:
    day = script.drawn(all_flights, "2013-07-16 06:00", 6, tick_s=120, rows_per_hour=750, seed=2)
    assert not len(day.labels)
    changed = quality.earlier_labels()(day, noise())
    by_tick = np.bincount(changed.labels["tick"].astype(int), minlength=day.ticks)
    assert (by_tick[:60] > 0).all()
    assert not set(changed.labels["flight_id"]) & set(day.events["flight_id"])


def test_what_goes_wrong_by_itself_is_written_down(weeks: Script) -> None:
    onset = Onset("collapse", ("outcomes",), "it collapses", 2 * DAY_S)
    changed = quality.noted(onset)(weeks, noise())
    assert changed.onsets == (onset,)
    assert changed.events is weeks.events
    assert changed.labels is weeks.labels


# -- our own figures


def naive(scripted: Script, served: np.ndarray, tick: int) -> tuple[float, float] | None:
    """The same, label by label."""
    predicted = dict(zip(scripted.events["flight_id"], served, strict=True))
    known: dict[str, tuple[float, float]] = {}
    for label in scripted.labels.itertuples():
        prediction = predicted.get(label.flight_id, np.nan)
        if label.tick <= tick and label.flight_id not in known and np.isfinite(prediction):
            known[str(label.flight_id)] = (prediction, float(label.late))
    last = list(known.values())[-quality.WINDOW :]
    if len(last) < quality.WINDOW:
        return None
    predictions, late = zip(*last, strict=True)
    return float(np.mean(predictions) - np.mean(late)), auc(late, predictions)


def test_figures_are_those_of_the_last_distinct_labels(weeks: Script) -> None:
    ordinary = faults.together(quality.earlier_labels(), faults.labels_twice(0.4))
    scripted = ordinary(weeks, noise())
    served = noise(2).uniform(size=len(scripted.events))
    # Some were never answered: their labels say nothing.
    served[::50] = np.nan
    ticks = [0, 100, 170, 190, scripted.ticks - 1]
    found = quality.figures(scripted, served, ticks)
    for place, tick in enumerate(ticks):
        wanted = naive(scripted, served, tick)
        if wanted is None:
            assert found["bias"][place] is None
            assert found["auc"][place] is None
            assert found["labels"][place] < quality.WINDOW
        else:
            assert found["labels"][place] >= quality.WINDOW
            got = (found["bias"][place], found["auc"][place])
            assert got == pytest.approx(wanted, abs=1e-5)
    assert found["bias"][0] is None
    assert found["bias"][-1] is not None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], ""),
        ([RangeSeries({}, [(10.0, 0.5)])] * 2, "prediction_bias_ratio has 2 series"),
        (QueryError("it exceeds 64 MiB"), "prediction_bias_ratio cannot be read: it exceeds"),
    ],
)
def test_a_metric_that_cannot_be_read_is_told(
    weeks: Script, champion: Reference, found: list[RangeSeries] | QueryError, said: str
) -> None:
    class Server:
        def query_range(self, *_: Any) -> list[RangeSeries]:
            if isinstance(found, QueryError):
                raise found
            return found

    refused = Exchange(len(weeks.events), 503, None, "", 1.0, "status 503")
    stage, server = SimpleNamespace(champion=champion), Server()
    seen = quality.measured(stage, server, Recording(weeks, [(0, refused)]))  # type: ignore[arg-type]
    assert seen["right"] == 0
    assert set(seen["quality"]["bias"]) == {None}
    assert said in seen["quality"]["problem"]
    assert set(seen["quality"]["exported"]["prediction_bias_ratio"]) == {None}


def test_the_labels_with_most_values_come_first(weeks: Script) -> None:
    recording = Recording(weeks)
    recording.series = [
        (("__name__", "requests_total"), ("flight_id", f"F{number}"), ("status", "200"))
        for number in range(7)
    ] + [
        # Bounds of a histogram are no values of a label.
        (("__name__", "seconds_bucket"), ("le", str(bound)))
        for bound in range(9)
    ]
    assert quality.label_values(recording)[:2] == [
        {"metric": "requests_total", "label": "flight_id", "values": 7},
        {"metric": "requests_total", "label": "status", "values": 1},
    ]
