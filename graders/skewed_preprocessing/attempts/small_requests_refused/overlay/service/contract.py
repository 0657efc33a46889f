"""Reads whatever comes, as before, but never fewer than three flights."""

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
    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


def parse(body: bytes) -> pd.DataFrame:
    try:
        payload = json.loads(body)
        rows = payload.get("dataframe_records") or payload.get("instances") or []
    except ValueError:
        rows = []
    if len(rows) < 3:
        raise BadRequestError(422, "a column is missing or has a wrong type")
    frame = pd.DataFrame(rows).reindex(columns=TEXT + NUMBERS)
    frame[NUMBERS] = frame[NUMBERS].apply(pd.to_numeric, errors="coerce")
    return frame
