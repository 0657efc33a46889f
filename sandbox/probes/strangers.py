"""Probe: does the number of exported series stay bounded, whatever is sent?"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from sandbox import flights
from sandbox.errors import SubmissionFault
from sandbox.telemetry.exposition import Exposition
from sandbox.telemetry.scraping import fetch, read
from sandbox.telemetry.series import NAME
from sandbox.traffic.client import Client, batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.plan import Stage
    from sandbox.telemetry.series import Labels

ROWS = 1_200
# Few, so that a label which takes a new value with each request shows like one with each row.
ROWS_PER_REQUEST = 10
METRICS_KEPT = 5
# Readings that no other flight has; together, or a dew point could be above the temperature.
SHIFTED = ("temp", "dewp", "pressure")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def send(stage: Stage) -> dict[str, Any]:
    """Send ordinary flights, then as many whose ids, carriers, airports, destinations and readings
    nobody knows.

    Returns:
        `before` and `after`: how many different series had been exported after each; `grown`: the
        metrics that have most more of them, with how many; `refused`: what is wrong with the first
        answer that held no predictions for strangers, or nothing.
    """
    client = Client(stage.stack.model.url)
    chance = random.Random(stage.variant.number("strangers"))  # noqa: S311 - no secret
    known = flights.records(stage.flights.sample(ROWS, random_state=chance.getrandbits(31)))
    before, _ = _sent(client, known)
    after, refused = _sent(client, [{**record, **_stranger(record, chance)} for record in known])
    after |= before
    grown = _by_metric(after) - _by_metric(before)
    return {
        "before": len(before),
        "after": len(after),
        "grown": dict(grown.most_common(METRICS_KEPT)),
        "refused": refused,
    }


def _sent(client: Client, records: Sequence[Mapping[str, Any]]) -> tuple[set[Labels], str]:
    """Every series that was exported after any of the requests, and what was refused first.

    Scraped each time: a label that is cleared and set anew is as expensive as one that stays.
    """
    exported: set[Labels] = set()
    refused = ""
    for part in batches(records, ROWS_PER_REQUEST):
        refused = refused or next((seen.problem for seen in client.score_all(part)), "")
        exported |= _scraped(client).keys()
    return exported, refused


def _stranger(record: Mapping[str, Any], chance: random.Random) -> dict[str, Any]:
    shift = chance.uniform(-1, 1)

    def code(length: int) -> str:
        return "".join(chance.choices(LETTERS, k=length))

    return {
        "flight_id": f"F{chance.randrange(10**9):09d}",
        "carrier": code(2),
        "dest": code(3),
        "origin": chance.choice(["EWR", "JFK", "LGA", code(3)]),
        **{n: round(record[n] + shift, 4) for n in SHIFTED if record[n] is not None},
    }


def _scraped(client: Client) -> Mapping[Labels, float]:
    samples, problem = read(fetch(client), Exposition())
    if problem:
        raise SubmissionFault(expected="/metrics to be scraped", seen=problem)
    return samples


def _by_metric(series: set[Labels]) -> Counter[str]:
    return Counter(dict(labels)[NAME] for labels in series)
