"""Read a scoring request."""

from __future__ import annotations

import json

import pandas as pd

TEXT = ["flight_id", "scheduled_departure", "carrier", "origin", "dest"]
NUMBERS = [
    "scheduled_arrival",
    "distance",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
]


class BadRequestError(Exception):
    """A request that is refused: HTTP status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


def parse(body: bytes) -> pd.DataFrame:
    """A request's body to raw flights; be lenient, clients send all sorts of things."""
    rows = json.loads(body).get("dataframe_records", [])
    frame = pd.DataFrame(rows).reindex(columns=TEXT + NUMBERS)
    frame[NUMBERS] = frame[NUMBERS].apply(pd.to_numeric, errors="coerce")
    return frame
