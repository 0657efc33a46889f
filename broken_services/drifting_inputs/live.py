"""What is wrong with the live feed: every third day one of three faults begins, and lasts a day.

A day, and not the hours of the ticket: the live session shows an hour in a second, and a handful of
scrapes with a few hundred flights would move no window and no alert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox import flights

if TYPE_CHECKING:
    import pandas as pd

    from sandbox.variant import Variant

EVERY_DAYS, FROM_HOUR = 3, 10


def no_weather(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**dict.fromkeys(flights.WEATHER, np.nan))


def humidity_as_a_fraction(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(humid=rows["humid"] / 100)


def unknown_carrier(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(carrier="ZZ")


FAULTS = (no_weather, humidity_as_a_fraction, unknown_carrier)


def faulty(rows: pd.DataFrame, now: pd.Timestamp, variant: Variant) -> pd.DataFrame:
    """The flights of an hour as the feed has them; the same for every variant, and so no answer."""
    # Counted from ten to ten.
    day = now.day_of_year if now.hour >= FROM_HOUR else now.day_of_year - 1
    number, since = divmod(day, EVERY_DAYS)
    return rows if since else FAULTS[number % len(FAULTS)](rows)
