"""What can go wrong in production, as small pieces that are put together.

A fault is a function from one script to another:

    script = frozen_feed(("temp", "dewp"), start_s=4 * HOUR_S)(script, noise)

In the feed: frozen columns, a unit switched upstream, nulls, an unknown category, a sensor's spike,
a shifted mix of traffic, events twice or late. With labels: none any more, some twice, others than
reality had. In the machinery: a replica that errs or slows, and a scrape that is lost.

Each says in an `Onset` what it did and when. Faults that change no answer and no label (events
twice or late, labels twice) are ordinary life, and leave no onset: nobody should be woken by them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from sandbox.script import HOUR_S, Onset, Script, with_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fault: TypeAlias = Callable[[Script, np.random.Generator], Script]

# Of so many replicas behind the gateway, taken in turns, one misbehaves.
REPLICAS = 4
# A sensor's spike as in the real data, where one hour of February has a wind of 1048 mph.
SPIKES = {"wind_speed": 1048.0, "temp": 999.9, "pressure": 0.0}
# What a unit switched upstream does to a column, and what it is called.
UNITS: dict[str, tuple[str, Callable[[pd.Series[float]], pd.Series[float]]]] = {
    "temp": ("degrees Celsius", lambda fahrenheit: (fahrenheit - 32) / 1.8),
    "humid": ("a fraction", lambda percent: percent / 100),
    "pressure": ("inches of mercury", lambda millibars: millibars / 33.8639),
    "visib": ("kilometres", lambda miles: miles * 1.609344),
    "distance": ("kilometres", lambda miles: miles * 1.609344),
}


def together(*faults: Fault) -> Fault:
    """Several faults, one after the other."""

    def apply(script: Script, noise: np.random.Generator) -> Script:
        for fault in faults:
            script = fault(script, noise)
        return script

    return apply


# -- in the feed


def frozen_feed(columns: tuple[str, ...], *, start_s: float, until_s: float | None = None) -> Fault:
    """Columns that keep the last value each airport had; what is missing is no value."""
    onset = Onset("frozen", columns, f"{_listed(columns)} stand still", start_s, until_s)

    def freeze(rows: pd.DataFrame, before: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
        last = before.groupby("origin")[list(columns)].last()
        return rows.assign(
            **{
                # An airport that had no flight yet keeps the value of another.
                name: rows["origin"]
                .map(last[name])
                .where(rows["origin"].isin(last.index), last[name].iloc[-1])
                for name in columns
            }
        )

    return _in_feed(onset, freeze)


def switched_unit(column: str, *, start_s: float, until_s: float | None = None) -> Fault:
    """A column that arrives in another unit (`UNITS`)."""
    unit, convert = UNITS[column]
    onset = Onset("unit", (column,), f"{column} arrives in {unit}", start_s, until_s)

    def switch(rows: pd.DataFrame, _: pd.DataFrame, __: np.random.Generator) -> pd.DataFrame:
        return rows.assign(**{column: convert(rows[column].astype("float64")).round(4)})

    return _in_feed(onset, switch)


def nulls(
    columns: tuple[str, ...], share: float, *, start_s: float, until_s: float | None = None
) -> Fault:
    """Columns that are null, together, in a share of rows."""
    words = f"{_listed(columns)} are null in {share:.0%} of rows"

    def blank(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**dict.fromkeys(columns, np.nan))

    return _in_some(Onset("nulls", columns, words, start_s, until_s), share, blank)


def unknown_category(
    column: str, value: str, share: float, *, start_s: float, until_s: float | None = None
) -> Fault:
    """A category nobody has seen, in a share of rows."""
    words = f"{column} is {value}, which is new, in {share:.0%} of rows"

    def rename(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**{column: value})

    return _in_some(Onset("unknown_category", (column,), words, start_s, until_s), share, rename)


def spikes(column: str, share: float, *, start_s: float, until_s: float | None = None) -> Fault:
    """A sensor that reports an impossible value (`SPIKES`) in a share of rows."""
    value = SPIKES[column]
    words = f"{column} is {value:g} in {share:.0%} of rows"

    def spike(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**{column: value})

    return _in_some(Onset("spikes", (column,), words, start_s, until_s), share, spike)


def shifted_mix(
    column: str, value: str, share: float, *, start_s: float, until_s: float | None = None
) -> Fault:
    """Traffic of which a share is replaced by flights of one category, of about the same hour."""
    words = f"{share:.0%} of flights are replaced by ones with {column} {value}"
    onset = Onset("shifted_mix", (column,), words, start_s, until_s)

    def shift(rows: pd.DataFrame, _: pd.DataFrame, noise: np.random.Generator) -> pd.DataFrame:
        own = np.flatnonzero(rows[column] == value)
        out = np.flatnonzero((noise.uniform(size=len(rows)) < share) & (rows[column] != value))
        # The nearest flight of the category takes the place: hours differ in more than the mix.
        place = np.clip(np.searchsorted(own, out), 0, len(own) - 1)
        place = np.clip(place + noise.integers(-20, 21, len(out)), 0, len(own) - 1)
        source = np.arange(len(rows))
        source[out] = own[place]
        kept = rows[["flight_id", "scheduled_departure", "tick"]]
        return rows.iloc[source].set_axis(rows.index).assign(**kept)

    return _in_feed(onset, shift)


def events_twice(share: float) -> Fault:
    """A share of events is sent again a tick later: ordinary life."""

    def apply(script: Script, noise: np.random.Generator) -> Script:
        again = script.events[noise.uniform(size=len(script.events)) < share]
        again = again.assign(tick=again["tick"] + 1)
        again = again[again["tick"] < script.ticks]
        return script.with_events(pd.concat([script.events, again]))

    return apply


def events_late(share: float, ticks: int) -> Fault:
    """A share of events is sent up to so many ticks later than it happened: ordinary life."""

    def apply(script: Script, noise: np.random.Generator) -> Script:
        late = noise.uniform(size=len(script.events)) < share
        by = np.where(late, noise.integers(1, ticks + 1, len(late)), 0)
        moved = script.events["tick"] + by
        return script.with_events(
            script.events.assign(tick=moved.where(moved < script.ticks, script.events["tick"]))
        )

    return apply


# -- with labels


def relabelled(
    rate: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    predictions: NDArray[np.float64],
    onset: Onset,
    *,
    counts: bool = True,
) -> Fault:
    """Outcomes that are drawn from the champion's predictions, other than reality had them.

    Args:
        rate: from predictions of the events concerned to the probability that each is late.
        predictions: the champion's, one for each event of the script.
        onset: which events are concerned, by their tick.
        counts: whether that is a fault; outcomes as the model expects them are none.
    """

    def apply(script: Script, noise: np.random.Generator) -> Script:
        span = script.during(onset)
        inside = script.events["tick"].between(span.start, span.stop - 1).to_numpy()
        late = script.events["late"].to_numpy().copy()
        chance = np.clip(rate(predictions[inside]), 0, 1)
        late[inside] = noise.uniform(size=len(chance)) < chance
        due = script.events[["flight_id"]].merge(script.labels, on="flight_id", how="left")["tick"]
        # A label that came after the end still does.
        changed = with_labels(script, pd.Series(late), due.fillna(script.ticks).astype(int))
        return replace(changed, onsets=(*script.onsets, *([onset] if counts else [])))

    return apply


def labels_stop(*, start_s: float, until_s: float | None = None) -> Fault:
    """Labels that do not come any more; they are lost, not late."""
    onset = Onset("labels_stop", ("labels",), "no labels arrive", start_s, until_s)

    def apply(script: Script, _: np.random.Generator) -> Script:
        span = script.during(onset)
        kept = script.labels[~script.labels["tick"].between(span.start, span.stop - 1)]
        return replace(script, labels=kept.reset_index(drop=True), onsets=(*script.onsets, onset))

    return apply


def labels_twice(share: float) -> Fault:
    """A share of labels arrives again six hours later, and some for flights nobody asked about:
    ordinary life.
    """

    def apply(script: Script, noise: np.random.Generator) -> Script:
        later = script.tick_at(6 * HOUR_S)
        again = script.labels[noise.uniform(size=len(script.labels)) < share]
        strangers = script.labels[noise.uniform(size=len(script.labels)) < share / 10]
        labels = pd.concat(
            [
                script.labels,
                again.assign(tick=again["tick"] + later),
                strangers.assign(flight_id="X" + strangers["flight_id"]),
            ]
        )
        labels = labels[labels["tick"] < script.ticks].sort_values("tick", kind="stable")
        return replace(script, labels=labels.reset_index(drop=True))

    return apply


# -- in the machinery


def replica_errs(*, start_s: float, until_s: float | None = None) -> Fault:
    """One replica behind the gateway answers 502 to each of its requests."""
    words = f"one replica of {REPLICAS} answers 502"
    onset = Onset("replica_errs", ("requests",), words, start_s, until_s)

    def apply(script: Script, _: np.random.Generator) -> Script:
        errors = script.errors.copy()
        errors[script.during(onset)] = True
        return replace(script, errors=errors, onsets=(*script.onsets, onset))

    return apply


def replica_slows(by_s: float, *, start_s: float, until_s: float | None = None) -> Fault:
    """One replica behind the gateway takes so many seconds longer for each of its requests."""
    words = f"one replica of {REPLICAS} is {by_s:g} s slower"
    onset = Onset("replica_slows", ("requests",), words, start_s, until_s)

    def apply(script: Script, _: np.random.Generator) -> Script:
        delay_s = script.delay_s.copy()
        delay_s[script.during(onset)] = by_s
        return replace(script, delay_s=delay_s, onsets=(*script.onsets, onset))

    return apply


def stray_error(*, at_s: float) -> Fault:
    """A single request is answered 502: ordinary life."""

    def apply(script: Script, _: np.random.Generator) -> Script:
        errors = script.stray_errors.copy()
        errors[script.tick_at(at_s)] = True
        return replace(script, stray_errors=errors)

    return apply


def stray_delay(by_s: float, *, at_s: float) -> Fault:
    """A single request takes so many seconds longer: ordinary life."""

    def apply(script: Script, _: np.random.Generator) -> Script:
        delay_s = script.stray_delay_s.copy()
        delay_s[script.tick_at(at_s)] = by_s
        return replace(script, stray_delay_s=delay_s)

    return apply


def scrape_lost(*, start_s: float, until_s: float | None = None) -> Fault:
    """Prometheus does not reach the service, which answers as ever."""
    onset = Onset("scrape_lost", ("scrapes",), "the service is not scraped", start_s, until_s)

    def apply(script: Script, _: np.random.Generator) -> Script:
        scraped = script.scraped.copy()
        scraped[script.during(onset)] = False
        return replace(script, scraped=scraped, onsets=(*script.onsets, onset))

    return apply


Change: TypeAlias = Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], pd.DataFrame]


def _in_feed(onset: Onset, change: Change) -> Fault:
    """A fault that changes rows; `change` gets those concerned and those before."""

    def apply(script: Script, noise: np.random.Generator) -> Script:
        span, tick = script.during(onset), script.events["tick"]
        inside = tick.between(span.start, span.stop - 1)
        changed = change(script.events[inside], script.events[tick < span.start], noise)
        events = pd.concat([script.events[~inside], changed])
        return replace(script.with_events(events), onsets=(*script.onsets, onset))

    return apply


def _in_some(onset: Onset, share: float, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Fault:
    """A fault that changes a share of rows."""

    def some(rows: pd.DataFrame, _: pd.DataFrame, noise: np.random.Generator) -> pd.DataFrame:
        hit = noise.uniform(size=len(rows)) < share
        # Rows keep their order.
        return pd.concat([rows[~hit], change(rows[hit])]).sort_index()

    return _in_feed(onset, some)


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)
