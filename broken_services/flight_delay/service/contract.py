"""What a scoring request may look like. Anything else is refused with a reason, never guessed.

Follows MLflow's scoring protocol: `dataframe_records`, `dataframe_split` or `instances`.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from pipeline.features import RAW_NUMBERS, RAW_TEXT, RAW_WEATHER

COLUMNS = (*RAW_TEXT, *RAW_NUMBERS, *RAW_WEATHER)
ROWS_MAX = 10_000
# Date and time of day, as the feed writes them. pandas by itself also takes "", "now" and "2013".
INSTANT = re.compile(
    r"[12]\d{3}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


class BadRequestError(Exception):
    """A request that is refused: HTTP status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


def parse(body: bytes) -> pd.DataFrame:
    """A request's body to raw flights, one row each, columns `COLUMNS`, missing numbers as NaN.

    An unknown category and missing weather are ordinary. Columns beyond the contract are ignored.

    Raises:
        BadRequestError: 400 where the body cannot be read, 422 where a value is not allowed.
    """
    records = _records(_json(body))
    if not records:
        raise BadRequestError(422, "expected at least one flight; saw none")
    if len(records) > ROWS_MAX:
        raise BadRequestError(413, f"expected at most {ROWS_MAX} flights; saw {len(records)}")
    for number, record in enumerate(records):
        _validate(number, record)
    columns = {
        name: np.array([record[name] for record in records], object if name in RAW_TEXT else float)
        for name in COLUMNS
    }
    try:
        pd.to_datetime(columns["scheduled_departure"], utc=True, format="ISO8601")
    except (ValueError, OverflowError) as error:
        raise BadRequestError(422, "scheduled_departure: expected real dates and times") from error
    return pd.DataFrame(columns)


def _json(body: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise BadRequestError(400, f"{constant} is not JSON; send null for what is missing")

    try:
        return json.loads(body, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(400, f"the body is not JSON: {error}") from error


def _records(payload: Any) -> list[dict[str, Any]]:
    forms = ("dataframe_records", "dataframe_split", "instances")
    given = [form for form in forms if isinstance(payload, dict) and form in payload]
    if len(given) != 1:
        raise BadRequestError(400, f"expected exactly one of {', '.join(forms)}; saw {given}")
    rows = payload[given[0]]
    if given[0] == "dataframe_split":
        rows = _joined(rows)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequestError(400, f"{given[0]}: expected a list of objects, one a flight")
    return rows


def _joined(split: Any) -> list[dict[str, Any]]:
    columns = split.get("columns") if isinstance(split, dict) else None
    data = split.get("data") if isinstance(split, dict) else None
    if not isinstance(columns, list) or not isinstance(data, list):
        raise BadRequestError(400, "dataframe_split: expected columns and data")
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) != len(columns):
        raise BadRequestError(422, "dataframe_split: expected every column's name once")
    if not all(isinstance(row, list) and len(row) == len(columns) for row in data):
        raise BadRequestError(422, f"dataframe_split: expected {len(columns)} values in every row")
    return [dict(zip(columns, row, strict=True)) for row in data]


def _validate(number: int, record: dict[str, Any]) -> None:
    if missing := [name for name in COLUMNS if name not in record]:
        raise BadRequestError(422, f"row {number}: missing {', '.join(missing)}")
    for name in RAW_TEXT:
        if not isinstance(record[name], str):
            raise BadRequestError(422, f"row {number}: {name} has to be text")
    if not INSTANT.fullmatch(record["scheduled_departure"]):
        raise BadRequestError(
            422, f"row {number}: scheduled_departure has to be an ISO 8601 instant"
        )
    for name in RAW_NUMBERS:
        if not _is_number(record[name]):
            raise BadRequestError(422, f"row {number}: {name} has to be a finite number")
    for name in RAW_WEATHER:
        if record[name] is not None and not _is_number(record[name]):
            raise BadRequestError(422, f"row {number}: {name} has to be a finite number or null")


def _is_number(value: Any) -> bool:
    # An integer of JSON may be larger than any float.
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    )
