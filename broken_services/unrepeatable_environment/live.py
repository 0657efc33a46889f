"""The feed as it really is: each airport's system has its own way of writing a flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import flights

if TYPE_CHECKING:
    import pandas as pd

    from sandbox.variant import Variant

MISSING = -9999.0
LOCAL = "%Y-%m-%dT%H:%M:%S"


def as_sent(rows: pd.DataFrame) -> pd.DataFrame:
    """Flights as they are sent: the same rows, written as their airport writes them."""
    sent = rows.copy()
    newark, kennedy, laguardia = (rows["origin"] == code for code in ("EWR", "JFK", "LGA"))
    for name in ("carrier", "origin", "dest"):
        sent.loc[newark, name] = rows.loc[newark, name].str.lower().str.ljust(5)
    readings = list(flights.WEATHER)
    sent.loc[kennedy, readings] = rows.loc[kennedy, readings].fillna(MISSING)
    local = rows.loc[laguardia, "departure"].dt.tz_convert(flights.AIRPORT_TIMEZONE)
    sent.loc[laguardia, "scheduled_departure"] = local.dt.strftime(LOCAL)
    return sent


def faulty(rows: pd.DataFrame, now: pd.Timestamp, variant: Variant) -> pd.DataFrame:
    """The flights of an hour as they are sent; every hour and every variant alike."""
    return as_sent(rows)
