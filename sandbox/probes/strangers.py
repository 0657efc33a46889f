"""Probe: does the number of exported series stay bounded, whatever is sent?"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from sandbox import flights
from sandbox.errors import SubmissionFault
from sandbox.telemetry.exposition import Exposition
from sandbox.telemetry.scraping import fetch, read
from sandbox.telemetry.series import NAME
from sandbox.traffic import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.plan import Stage
    from sandbox.telemetry.series import Labels

ROWS = 1_200
METRICS_KEPT = 5
# Readings that no other flight has; together, or a dew point could be above the temperature.
SHIFTED = ("temp", "dewp", "pressure")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def send(stage: Stage) -> dict[str, Any]:
    """Send ordinary flights, then as many whose ids, carriers, airports, destinations and readings
    nobody knows.

    Returns:
        `before` and `after`: how many series were exported after each; `grown`: the metrics that
        have most more of them, with how many; `refused`: what is wrong with the first answer that
        held no predictions for strangers, or nothing.
    """
    client = Client(stage.stack.model.url)
    chance = random.Random(stage.variant.number("strangers"))  # noqa: S311 - no secret
    known = flights.records(stage.flights.sample(ROWS, random_state=chance.getrandbits(31)))
    client.score_all(known)
    before = _scraped(client)
    strangers = client.score_all([{**record, **_stranger(record, chance)} for record in known])
    refused = next((exchange.problem for exchange in strangers if exchange.problem), "")
    after = _scraped(client)
    grown = {
        metric: count - _by_metric(before).get(metric, 0)
        for metric, count in _by_metric(after).items()
        if count > _by_metric(before).get(metric, 0)
    }
    most = sorted(grown.items(), key=lambda item: -item[1])[:METRICS_KEPT]
    return {
        "before": len(before),
        "after": len(after),
        "grown": dict(most),
        "refused": refused,
    }


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


def _by_metric(samples: Mapping[Labels, float]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for labels in samples:
        name = dict(labels)[NAME]
        counts[name] = counts.get(name, 0) + 1
    return counts
