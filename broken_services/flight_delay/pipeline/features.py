"""Features of a flight: the one definition that training and serving share.

Raw flights come as the feed sends them, in US units; the model was trained on what `build` makes of
them. Nothing here is known only after departure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

AIRPORT_TIMEZONE = "America/New_York"

# What the feed sends for each flight: column -> unit or meaning.
RAW_TEXT = {
    "flight_id": "any text that identifies the flight",
    "scheduled_departure": "ISO 8601 instant, UTC",
    "carrier": "IATA code",
    "origin": "IATA code",
    "dest": "IATA code",
}
RAW_NUMBERS = {
    "scheduled_arrival": "local clock at the destination as HHMM, so 1830 is half past six",
    "distance": "miles",
}
RAW_WEATHER = {
    "temp": "degrees Fahrenheit",
    "dewp": "degrees Fahrenheit",
    "humid": "percent, 0-100",
    "wind_dir": "degrees, 0-360",
    "wind_speed": "miles per hour",
    "wind_gust": "miles per hour; mostly missing, which means no gusts were reported",
    "precip": "inches in the hour",
    "pressure": "hectopascal (millibar)",
    "visib": "miles",
}
CATEGORICAL = ("carrier", "origin", "dest")
FEATURES = (
    *CATEGORICAL,
    "departure_hour",
    "arrival_minute",
    "weekday",
    "distance_km",
    "temp_c",
    "dewp_c",
    "humid_fraction",
    "wind_sector",
    "wind_speed_ms",
    "wind_gust_ms",
    "precip_mm",
    "pressure_hpa",
    "visib_km",
)

KM_PER_MILE = 1.609344
MS_PER_MPH = 0.44704
MM_PER_INCH = 25.4


@dataclass(frozen=True)
class FeatureSpec:
    """What training learned about the features: for each categorical column its known values.

    A value's code is its place in the tuple; a value that is not in it is missing to the model.
    """

    categories: dict[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, as it travels in the model's metadata."""
        return {"categories": {name: list(values) for name, values in self.categories.items()}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FeatureSpec:
        """The inverse of `to_dict`."""
        return cls({name: tuple(values) for name, values in data["categories"].items()})


def fit(flights: pd.DataFrame) -> FeatureSpec:
    """Learn the categories from the flights that a model is trained on."""
    return FeatureSpec({name: tuple(sorted(flights[name].unique())) for name in CATEGORICAL})


def build(flights: pd.DataFrame, spec: FeatureSpec) -> pd.DataFrame:
    """Raw flights to features.

    Args:
        flights: one row a flight, the raw columns above; weather may be missing.
        spec: the categories of the model that will read the features.

    Returns:
        A frame of float64, one row a flight, columns `FEATURES`; missing stays NaN.
    """
    departure = pd.to_datetime(flights["scheduled_departure"], utc=True, format="ISO8601")
    local = pd.DatetimeIndex(departure).tz_convert(AIRPORT_TIMEZONE)
    # Arrays and not columns of the frame: on ten rows, aligning columns is most of the work.
    raw = {name: flights[name].to_numpy("float64") for name in (*RAW_NUMBERS, *RAW_WEATHER)}
    arrival = raw["scheduled_arrival"]
    columns = {
        **{name: encode(flights[name], spec.categories[name]) for name in CATEGORICAL},
        "departure_hour": local.hour + local.minute / 60,
        "arrival_minute": arrival // 100 * 60 + arrival % 100,
        "weekday": local.day_of_week,
        "distance_km": raw["distance"] * KM_PER_MILE,
        "temp_c": (raw["temp"] - 32) / 1.8,
        "dewp_c": (raw["dewp"] - 32) / 1.8,
        "humid_fraction": raw["humid"] / 100,
        "wind_sector": wind_sector(raw["wind_dir"]),
        "wind_speed_ms": raw["wind_speed"] * MS_PER_MPH,
        "wind_gust_ms": raw["wind_gust"] * MS_PER_MPH,
        "precip_mm": raw["precip"] * MM_PER_INCH,
        "pressure_hpa": raw["pressure"],
        "visib_km": raw["visib"] * KM_PER_MILE,
    }
    values = np.column_stack([columns[name] for name in FEATURES])
    return pd.DataFrame(values, columns=FEATURES, index=flights.index)


def encode(values: pd.Series, known: tuple[str, ...]) -> np.ndarray:
    """Each value's place among the known ones; NaN where it is not known."""
    codes = {value: float(code) for code, value in enumerate(known)}
    return np.array([codes.get(value, np.nan) for value in values.to_numpy(object)])


def wind_sector(degrees: np.ndarray) -> np.ndarray:
    """The eighth of the compass the wind comes from: 0 is north, 1 north-east, ... 7 north-west."""
    return np.floor((degrees % 360 + 22.5) / 45) % 8
