"""The recording in a workspace: two days of the feed, in which two things went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox import faults, flights, script

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.faults import Fault
    from sandbox.variant import Variant

FILE = "incident.parquet"
TICK_S, ROWS_PER_HOUR = 120, 500
HOURS = 48
FIRST_DAYS = ("2013-07-16", "2013-08-06", "2013-10-08")
# Hours from midnight of the first day at which each begins, at the earliest and at the latest.
SENSOR_AT, FEED_AT = (9, 13), (34, 37)
LASTS_S = 5 * script.HOUR_S
FROZEN = ("temp", "dewp", "humid", "pressure")


def sensor_incident(kind: str, start_s: float) -> Fault:
    column = {
        "temp_celsius": "temp",
        "pressure_inches": "pressure",
        "humid_fraction": "humid",
        "visib_kilometres": "visib",
    }[kind]
    return faults.switched_unit(column, start_s=start_s, until_s=start_s + LASTS_S)


def feed_incident(kind: str, start_s: float) -> Fault:
    span = {"start_s": start_s, "until_s": start_s + LASTS_S}
    made = {
        "weather_frozen": lambda: faults.frozen_feed(FROZEN, **span),
        "weather_null": lambda: faults.nulls(flights.WEATHER, 0.8, **span),
        "carrier_unknown": lambda: faults.unknown_category("carrier", "ZW", 0.4, **span),
        "wind_spikes": lambda: faults.spikes("wind_speed", 0.2, **span),
        "airport_only": lambda: faults.shifted_mix("origin", "JFK", 0.85, **span),
    }
    return made[kind]()


def write(folder: Path, variant: Variant) -> None:
    """Write the recording of a variant: the raw columns, in the order in which they came."""
    noise = np.random.default_rng(variant.number("recording"))
    first = FIRST_DAYS[noise.integers(len(FIRST_DAYS))]
    scripted = script.drawn(
        flights.load(),
        f"{first} 00:00",
        HOURS,
        tick_s=TICK_S,
        rows_per_hour=ROWS_PER_HOUR,
        seed=variant.number("recording"),
    )
    at = (float(noise.integers(low, high + 1)) for low, high in (SENSOR_AT, FEED_AT))
    both = faults.together(
        sensor_incident(str(variant.parameters["sensor_incident"]), next(at) * script.HOUR_S),
        feed_incident(str(variant.parameters["feed_incident"]), next(at) * script.HOUR_S),
    )
    recorded = both(scripted, noise).events
    recorded[list(flights.RAW)].to_parquet(folder / FILE, index=False)
