"""Probe: malformed requests that have to be refused, and ordinary ones that only look unusual."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from sandbox import flights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.traffic.client import Client

Rows = list[dict[str, Any]]
NUMBERS = ("scheduled_arrival", "distance")
# Date and time of day, as the feed writes them. pandas by itself also takes "", "now" and "2013".
INSTANT = re.compile(
    r"[12]\d{3}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


@dataclass(frozen=True)
class OrdinaryCase:
    """A request that has to be answered.

    Args:
        name: what is unusual about it.
        body: the payload.
        rows: the flights in it, as records.
    """

    name: str
    body: dict[str, Any]
    rows: Rows


def malformed_bodies(rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Bodies that break the contract in one row or as a whole, by what is wrong with each.

    Args:
        rows: sound records; a body has all of them, one of which is spoilt. A service that takes
            these rows and refuses the body has found what is wrong with it.
    """
    first, *others = rows

    def records(*rows: object) -> bytes:
        return json.dumps({"dataframe_records": [*rows, *others]}).encode()

    # `json` writes the infinity as a word that is not JSON; 1e999 is JSON and reads as infinity.
    infinite = records({**first, "temp": 12345.5}).replace(b"12345.5", b"1e999")
    return {
        "a weather column is missing": json.dumps(
            {"dataframe_records": [_without(row, "temp") for row in rows]}
        ).encode(),
        "a category column is missing": json.dumps(
            {"dataframe_records": [_without(row, "carrier") for row in rows]}
        ).encode(),
        "a column is missing in one row only": records(_without(first, "distance")),
        "text where a number belongs": records({**first, "distance": "far"}),
        "a number where a category belongs": records({**first, "origin": 12}),
        "a list where a number belongs": records({**first, "humid": [50]}),
        "an unreadable time": records({**first, "scheduled_departure": "tomorrow"}),
        "an infinity": infinite,
        "no rows": b'{"dataframe_records": []}',
        "an empty body": b"",
        "not JSON": b"{dataframe_records: [",
        "rows that are not objects": records(1),
        "an unknown form": json.dumps({"rows": list(rows)}).encode(),
    }


def _without(row: Mapping[str, Any], column: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != column}


def send_malformed(client: Client, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Send every malformed body; gives case, status and what was said."""
    seen = []
    for case, body in malformed_bodies(rows).items():
        answer = client.ask("POST", "/invocations", body)
        said = answer.body[:300].decode("utf-8", "replace")
        seen.append(
            {"case": case, "status": answer.status, "reason": said, "problem": answer.problem}
        )
    return seen


def ordinary_cases(rows: Sequence[Mapping[str, Any]]) -> list[OrdinaryCase]:
    """Requests as production sends them, each made from other rows."""
    some: list[Rows] = [[dict(row) for row in rows[start : start + 5]] for start in range(0, 40, 5)]
    nulls = [{**row, **dict.fromkeys(flights.WEATHER)} for row in some[0]]
    carrier = [{**row, "carrier": "ZZ"} for row in some[1]]
    dest = [{**row, "dest": "XXX"} for row in some[2]]
    more = [{**row, "gate": "B12"} for row in some[3]]
    columns = list(some[4][0])
    split = {"columns": columns, "data": [[row[name] for name in columns] for row in some[4]]}
    whole = [{**row, "temp": 71, "wind_dir": 180} for row in some[6]]
    return [
        OrdinaryCase("all weather is null", {"dataframe_records": nulls}, nulls),
        OrdinaryCase("an unknown carrier", {"dataframe_records": carrier}, carrier),
        OrdinaryCase("an unknown destination", {"dataframe_records": dest}, dest),
        OrdinaryCase("a column beyond the contract", {"dataframe_records": more}, some[3]),
        OrdinaryCase("dataframe_split", {"dataframe_split": split}, some[4]),
        OrdinaryCase("instances", {"instances": some[5]}, some[5]),
        OrdinaryCase("whole numbers", {"dataframe_records": whole}, whole),
        OrdinaryCase("one flight", {"dataframe_records": some[7][:1]}, some[7][:1]),
    ]


def send_ordinary(client: Client, case: OrdinaryCase) -> dict[str, Any]:
    """Send one ordinary request; gives case, status, predictions and what is wrong with them."""
    exchange = client.score_body(json.dumps(case.body).encode(), len(case.rows))
    return {
        "case": case.name,
        "status": exchange.status,
        "served": exchange.predictions,
        "problem": exchange.problem,
    }


def frame(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Records as a frame of raw flights, numbers as float64; missing weather is null or NaN.

    Raises:
        ValueError: a record lacks a column or holds a wrong type, or a time that is none.
    """
    for record in records:
        if wrong := [name for name in flights.RAW if not _is_sound(name, record)]:
            raise ValueError(f"missing or of the wrong type: {wrong}")
    raw = pd.DataFrame.from_records([dict(record) for record in records], columns=list(flights.RAW))
    numbers = [*NUMBERS, *flights.WEATHER]
    raw[numbers] = raw[numbers].astype("float64")
    return raw


def _is_sound(name: str, record: Mapping[str, Any]) -> bool:
    value = record.get(name)
    if name == "scheduled_departure":
        return isinstance(value, str) and INSTANT.fullmatch(value) is not None
    if name not in (*NUMBERS, *flights.WEATHER):
        return isinstance(value, str)
    if value is None or value != value:  # noqa: PLR0124 - NaN, as MLflow's own server takes it
        return name in flights.WEATHER and name in record
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max
