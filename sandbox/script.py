"""What will happen in an episode, before any service is asked: events, labels, and what goes wrong.

An episode is scripted first, as a whole, and replayed afterwards (`episode.py`). So a fault is a
function from one script to another (`faults.py`), and the same seed gives the same script however
fast the service answers.

Three ways to script production:

    drawn      a day at more traffic than there were flights: each tick's rows come from the same
               hour of neighbouring days
    requested  minutes of steady requests, each of them one airport's
    as_flown   weeks as they were, every hour's real flights, with their labels a day later

In all, dates move by whole weeks, weather is shifted a little and ids are new, so that nothing can
be looked up in the published tables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sandbox import flights
from sandbox.flights import AIRPORT_TIMEZONE, RAW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

HOUR_S = 3_600
DAY_S = 24 * HOUR_S
# Rows of one hour come from this many days before and after it.
NEIGHBOURING_DAYS = 7
# A flight's label comes a day after it left, and up to so much later.
LABELS_AFTER_S, LABELS_SPREAD_S = DAY_S, 6 * HOUR_S
# Of the flights that there were, this share is replayed: which ones, nobody can know.
AS_FLOWN_SHARE = 0.9
IDS = 1_000_000


@dataclass(frozen=True)
class Onset:
    """One fault of a script, for the evidence.

    Args:
        kind: what went wrong, in one word with underscores.
        subject: where it shows: columns, or `requests`, `scrapes`, `labels`.
        words: the same for people.
        start_s: seconds from the episode's start.
        until_s: when it is over; None if it lasts to the end.
    """

    kind: str
    subject: tuple[str, ...]
    words: str
    start_s: float
    until_s: float | None = None


@dataclass(frozen=True)
class Script:
    """What will happen, tick by tick.

    Args:
        start: the simulated instant of the first tick, UTC.
        tick_s: simulated seconds between two ticks, which is also the scrape interval.
        events: flights as the feed will send them: columns `RAW` and `late`, and `tick`, by which
            they are ordered.
        labels: outcomes as they will arrive: `flight_id`, `late`, and `tick`, likewise.
        errors: for each tick, whether one of the replicas behind the gateway answers 502.
        delay_s: for each tick, by how many seconds one of the replicas is slower than it should be.
        stray_errors: for each tick, whether its first request is answered 502 by chance.
        stray_delay_s: for each tick, by how many seconds its first request is slower by chance.
        scraped: for each tick, whether Prometheus reaches the service.
        onsets: what goes wrong, in order.
    """

    start: pd.Timestamp
    tick_s: float
    events: pd.DataFrame
    labels: pd.DataFrame
    errors: NDArray[np.bool_]
    delay_s: NDArray[np.float64]
    stray_errors: NDArray[np.bool_]
    stray_delay_s: NDArray[np.float64]
    scraped: NDArray[np.bool_]
    onsets: tuple[Onset, ...] = ()

    @property
    def ticks(self) -> int:
        """How many there are."""
        return len(self.errors)

    @property
    def end_s(self) -> float:
        """The last tick, in seconds from the start."""
        return (self.ticks - 1) * self.tick_s

    def now(self, tick: int) -> pd.Timestamp:
        """The simulated local time of a tick."""
        return (self.start + pd.Timedelta(seconds=tick * self.tick_s)).tz_convert(AIRPORT_TIMEZONE)

    def tick_at(self, seconds: float) -> int:
        """The first tick at or after so many seconds."""
        return int(np.ceil(seconds / self.tick_s))

    def during(self, onset: Onset) -> slice:
        """The ticks in which something goes wrong."""
        until = self.ticks if onset.until_s is None else self.tick_at(onset.until_s)
        return slice(self.tick_at(onset.start_s), until)

    def with_events(self, events: pd.DataFrame) -> Script:
        """The same with other events, put in order."""
        return replace(self, events=events.sort_values("tick", kind="stable", ignore_index=True))


def drawn(
    everything: pd.DataFrame,
    start: str,
    hours: float,
    *,
    tick_s: float,
    rows_per_hour: float,
    seed: int,
    weeks: int = 0,
) -> Script:
    """Script a day or so with as many rows as statistics need.

    Args:
        everything: flights as `flights.load` gives them.
        start: local date and time of the first tick, such as `2013-07-09 05:00`.
        hours: how long it lasts.
        tick_s: seconds between two ticks.
        rows_per_hour: how many rows a busy hour has; quieter hours have fewer, as the real ones.
        seed: chooses rows, their weather's shift, ids, and how many rows each tick has.
        weeks: by how many weeks the dates move; weather and traffic are those of `start`.
    """
    noise = np.random.default_rng(seed)
    rows, clock = _disguised(_around(everything, start, hours), noise)
    ticks = round(hours * HOUR_S / tick_s)
    # An hour's rows are drawn for the clock time at which its ticks begin.
    local = pd.Timestamp(start) + pd.to_timedelta(np.arange(ticks) * tick_s, unit="s")
    hour_of, day_of = clock.dt.hour.to_numpy(), _days(clock)
    # By day, all hours have as much traffic as the quietest of them, and nights less.
    busy = float(np.bincount(hour_of, minlength=24)[7:21].min()) / len(np.unique(day_of))
    chosen, at = [], []
    for hour, here in _by_hour(local):
        near = np.abs(day_of - _day(hour)) <= NEIGHBOURING_DAYS
        pool = np.flatnonzero(near & (hour_of == hour.hour))
        share = len(pool) / (2 * NEIGHBOURING_DAYS + 1) / busy
        mean = rows_per_hour * min(1.0, share) * tick_s / HOUR_S
        counts = noise.poisson(mean, len(here)) if len(pool) else np.zeros(len(here), int)
        chosen.append(noise.choice(pool, counts.sum()) if len(pool) else pool)
        at.append(np.repeat(here, counts))
    events = rows.iloc[np.concatenate(chosen)].assign(tick=np.concatenate(at))
    # Event times are the tick's, not the flight's own: within it, anywhere.
    seconds = (events["tick"] + noise.uniform(0, 1, len(events))) * tick_s
    departed = pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s").dt.floor("s")
    events = _identified(events.assign(clock=departed), weeks, noise)
    return quiet(events, _instant(pd.Timestamp(start), weeks), tick_s, ticks)


def requested(
    everything: pd.DataFrame,
    start: str,
    ticks: int,
    *,
    tick_s: float,
    requests_per_tick: int,
    rows_per_request: int,
    seed: int,
    weeks: int = 0,
) -> Script:
    """Script minutes of steady requests, each of which asks about flights of one airport.

    Args:
        everything: flights as `flights.load` gives them.
        start: local date and time of the first tick; rows come from its hour of neighbouring days.
        ticks: how many.
        tick_s: seconds between two ticks.
        requests_per_tick: how many requests come in each.
        rows_per_request: how many flights each asks about. They follow one another in the events.
        seed: chooses airports, rows, their weather's shift, and ids.
        weeks: by how many weeks the dates move.
    """
    noise = np.random.default_rng(seed)
    rows, clock = _disguised(_around(everything, start, 1), noise)
    first = pd.Timestamp(start)
    near = (clock.dt.hour == first.hour) & (np.abs(_days(clock) - _day(first)) <= NEIGHBOURING_DAYS)
    origins = rows["origin"].to_numpy()
    pool = np.flatnonzero(near)
    pools = {origin: pool[origins[pool] == origin] for origin in np.unique(origins[pool])}
    requests = ticks * requests_per_tick
    # As many requests of an airport as it has flights.
    asking = origins[noise.choice(pool, requests)]
    chosen = np.empty((requests, rows_per_request), dtype=np.int64)
    for origin, own in pools.items():
        of = np.flatnonzero(asking == origin)
        chosen[of] = noise.choice(own, (len(of), rows_per_request))
    order = np.repeat(np.arange(requests), rows_per_request)
    events = rows.iloc[chosen.ravel()].assign(tick=order // requests_per_tick)
    # A request's flights leave at one time, and a tick's requests follow one another: so neither
    # is torn apart where events are put in order.
    seconds = pd.to_timedelta(order * tick_s / requests_per_tick, unit="s").floor("s")
    events = _identified(events.assign(clock=first + seconds), weeks, noise)
    return quiet(events, _instant(first, weeks), tick_s, ticks)


def as_flown(
    everything: pd.DataFrame, first_day: str, days: int, *, seed: int, weeks: int = 0
) -> Script:
    """Script weeks of real flights by the hour, and their labels a day later.

    Args:
        everything: flights as `flights.load` gives them.
        first_day: local date of the first tick, at midnight.
        days: how many.
        seed: chooses which tenth of the flights is left out, their weather's shift, and ids.
        weeks: by how many weeks the dates move.
    """
    noise = np.random.default_rng(seed)
    start = pd.Timestamp(first_day)
    rows, clock = _disguised(everything, noise)
    inside = (clock >= start) & (clock < start + pd.Timedelta(days=days))
    inside &= noise.uniform(size=len(rows)) < AS_FLOWN_SHARE
    events, clock = rows[inside], clock[inside]
    tick = (clock - start) // pd.Timedelta(hours=1)
    events = _identified(events.assign(tick=tick, clock=clock), weeks, noise)
    ticks = days * 24
    script = quiet(events, _instant(start, weeks), HOUR_S, ticks)
    late_by = noise.uniform(LABELS_AFTER_S, LABELS_AFTER_S + LABELS_SPREAD_S, len(events))
    due = script.events["tick"] + np.ceil(late_by / HOUR_S).astype(int)
    return with_labels(script, script.events["late"], due)


def with_labels(script: Script, late: pd.Series[float], due: pd.Series[int]) -> Script:
    """A script whose events get these labels at these ticks, both in the order of its events."""
    labels = script.events[["flight_id"]].assign(late=late.to_numpy(), tick=due.to_numpy())
    labels = labels[labels["tick"] < script.ticks].sort_values("tick", kind="stable")
    events = script.events.assign(late=late.to_numpy())
    return replace(script, events=events, labels=labels.reset_index(drop=True))


def facts(script: Script) -> Mapping[str, Any]:
    """What the evidence says about a script, as plain JSON; seconds count from its start."""
    return {
        "start": script.start.isoformat(),
        "tick_s": script.tick_s,
        "ticks": script.ticks,
        "rows": len(script.events),
        "labels": len(script.labels),
        "faults": [
            {
                "kind": onset.kind,
                "subject": list(onset.subject),
                "words": onset.words,
                "start_s": onset.start_s,
                "until_s": onset.until_s,
            }
            for onset in script.onsets
        ],
    }


def quiet(events: pd.DataFrame, start: pd.Timestamp, tick_s: float, ticks: int) -> Script:
    """A script in which these events come, without labels, and nothing goes wrong."""
    return Script(
        start=start,
        tick_s=tick_s,
        events=events,
        labels=pd.DataFrame({"flight_id": [], "late": [], "tick": []}),
        errors=np.zeros(ticks, dtype=bool),
        delay_s=np.zeros(ticks),
        stray_errors=np.zeros(ticks, dtype=bool),
        stray_delay_s=np.zeros(ticks),
        scraped=np.ones(ticks, dtype=bool),
    )


def _around(everything: pd.DataFrame, start: str, hours: float) -> pd.DataFrame:
    """The flights that a script of these hours draws from, and a day more on either side."""
    first = _instant(pd.Timestamp(start), 0)
    near = pd.Timedelta(days=NEIGHBOURING_DAYS + 1)
    departure = everything["departure"]
    last = first + pd.Timedelta(hours=hours)
    return everything[(departure >= first - near) & (departure <= last + near)]


def _disguised(
    everything: pd.DataFrame, noise: np.random.Generator
) -> tuple[pd.DataFrame, pd.Series[pd.Timestamp]]:
    """Flights with their weather shifted, one shift an observation, and their local clock."""
    clock = everything["departure"].dt.tz_convert(AIRPORT_TIMEZONE).dt.tz_localize(None)
    observed = everything["departure"].dt.floor("h").astype("int64").to_numpy()
    _, observation = np.unique(
        observed * 8 + pd.factorize(everything["origin"])[0], return_inverse=True
    )
    return flights.shift_weather(everything, noise, observation), clock


def _identified(events: pd.DataFrame, weeks: int, noise: np.random.Generator) -> pd.DataFrame:
    """Events in order of tick and event time, dated by `clock` and weeks, with new ids."""
    events = events.sort_values(["tick", "clock"], kind="stable", ignore_index=True)
    departed = _localized(events["clock"] + pd.Timedelta(weeks=weeks))
    numbers = noise.permutation(IDS)[: len(events)]
    events["scheduled_departure"] = flights.instants(departed.dt.tz_convert("UTC"))
    events["flight_id"] = [f"F{number:06d}" for number in numbers]
    return events[[*RAW, "late", "tick"]]


def _localized(clock: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
    return clock.dt.tz_localize(
        AIRPORT_TIMEZONE, ambiguous=np.zeros(len(clock), dtype=bool), nonexistent="shift_forward"
    )


def _instant(clock: pd.Timestamp, weeks: int) -> pd.Timestamp:
    moved = clock + pd.Timedelta(weeks=weeks)
    return moved.tz_localize(AIRPORT_TIMEZONE).tz_convert("UTC")


def _days(clock: pd.Series[pd.Timestamp]) -> NDArray[np.int64]:
    days = clock.dt.normalize().astype("datetime64[s]").astype("int64") // DAY_S
    return np.asarray(days, dtype=np.int64)


def _day(hour: pd.Timestamp) -> int:
    return int(hour.normalize().timestamp() // DAY_S)


def _by_hour(local: pd.DatetimeIndex) -> list[tuple[pd.Timestamp, NDArray[np.int64]]]:
    """Ticks by the hour they are in."""
    hours = local.floor("h")
    return [(hour, np.flatnonzero(hours == hour).astype("int64")) for hour in hours.unique()]
