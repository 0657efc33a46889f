"""Requests are described by models; pydantic does the refusing."""

import json
from datetime import datetime
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Missing = Number | None


class BadRequestError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class Flight(BaseModel):
    model_config = ConfigDict(extra="ignore")

    flight_id: str
    scheduled_departure: datetime
    carrier: str
    origin: str
    dest: str
    scheduled_arrival: Number
    distance: Number
    temp: Missing
    dewp: Missing
    humid: Missing
    wind_dir: Missing
    wind_speed: Missing
    wind_gust: Missing
    precip: Missing
    pressure: Missing
    visib: Missing


FLIGHTS = TypeAdapter(Annotated[list[Flight], Field(min_length=1)])


def parse(body: bytes) -> pd.DataFrame:
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise BadRequestError(400, f"not JSON: {error}") from error
    try:
        flights = FLIGHTS.validate_python(rows_of(payload))
    except ValidationError as error:
        raise BadRequestError(
            422, str(error.errors()[0]["msg"]) + f" ({error.error_count()} in all)"
        ) from error
    frame = pd.DataFrame([flight.model_dump() for flight in flights])
    frame["scheduled_departure"] = [flight.scheduled_departure.isoformat() for flight in flights]
    numbers = frame.columns.difference(
        ["flight_id", "scheduled_departure", "carrier", "origin", "dest"]
    )
    frame[numbers] = frame[numbers].astype(float)
    return frame


def rows_of(payload: Any) -> Any:
    if not isinstance(payload, dict):
        raise BadRequestError(400, "the body has to be an object")
    if "dataframe_split" in payload:
        try:
            split = payload["dataframe_split"]
            return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequestError(400, f"dataframe_split cannot be read: {error}") from error
    for form in ("dataframe_records", "instances"):
        if form in payload:
            return payload[form]
    raise BadRequestError(400, "expected dataframe_records, dataframe_split or instances")
