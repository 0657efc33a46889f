"""Probe: does the number of exported series stay bounded, whatever is sent?

What is bounded need not be there from the start: a series may come with the first unknown carrier
of each airport and hour. So most strangers come before anything is counted.
"""

from __future__ import annotations

import itertools
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
    from collections.abc import Collection, Mapping, Sequence

    from sandbox.plan import Stage
    from sandbox.telemetry.series import Labels

KNOWN_ROWS, FILLING_ROWS, COUNTED_ROWS = 1_200, 5_000, 1_200
FILLING_ROWS_PER_REQUEST = 50
# Few, so that a label which takes a new value with each request shows like one with each row.
COUNTED_ROWS_PER_REQUEST = 10
# Of the codes that nobody knows, this share comes before the count: of two letters there are not
# many, and those that come after it have to be new.
FILLING_CODES = 0.75
METRICS_KEPT = 5
# Readings that no other flight has; together, or a dew point could be above the temperature.
SHIFTED = ("temp", "dewp", "pressure")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def send(stage: Stage) -> dict[str, Any]:
    """Send ordinary flights, then many whose ids, carriers, airports, destinations and readings
    nobody knows, and then count what more of them make.

    Returns:
        `before` and `after`: how many different series had been exported before the strangers that
        count, and after them; `rows`: how many these are; `grown`: the metrics that have most more
        series, with how many; `refused`: what is wrong with the first answer that held no
        predictions for strangers, or nothing.
    """
    client = Client(stage.stack.model.url)
    chance = random.Random(stage.variant.number("strangers"))  # noqa: S311 - no secret
    sizes = (KNOWN_ROWS, FILLING_ROWS, COUNTED_ROWS)
    records = flights.records(stage.flights.sample(sum(sizes), random_state=chance.getrandbits(31)))
    known, filling, counted = (
        records[end - size : end]
        for size, end in zip(sizes, itertools.accumulate(sizes), strict=True)
    )
    carriers = _unknown(2, stage.flights["carrier"], chance)
    airports = _unknown(3, {*stage.flights["dest"], *stage.flights["origin"]}, chance)
    before, _ = _sent(client, known, FILLING_ROWS_PER_REQUEST)
    strange = [_stranger(record, carriers[0], airports[0], chance) for record in filling]
    filled, refused = _sent(client, strange, FILLING_ROWS_PER_REQUEST)
    before |= filled
    strange = [_stranger(record, carriers[1], airports[1], chance) for record in counted]
    after, refused_late = _sent(client, strange, COUNTED_ROWS_PER_REQUEST)
    after |= before
    grown = _by_metric(after) - _by_metric(before)
    return {
        "before": len(before),
        "after": len(after),
        "rows": COUNTED_ROWS,
        "grown": dict(grown.most_common(METRICS_KEPT)),
        "refused": refused or refused_late,
    }


def _unknown(
    length: int, known: Collection[str], chance: random.Random
) -> tuple[list[str], list[str]]:
    """Codes of so many letters that no flight has, in two parts without a code in common."""
    codes = sorted({"".join(c) for c in itertools.product(LETTERS, repeat=length)} - set(known))
    chance.shuffle(codes)
    cut = round(FILLING_CODES * len(codes))
    return codes[:cut], codes[cut:]


def _sent(
    client: Client, records: Sequence[Mapping[str, Any]], rows_per_request: int
) -> tuple[set[Labels], str]:
    """Every series that was exported after any of the requests, and what was refused first.

    Scraped each time: a label that is cleared and set anew is as expensive as one that stays.
    """
    exported: set[Labels] = set()
    refused = ""
    for part in batches(records, rows_per_request):
        refused = refused or next((seen.problem for seen in client.score_all(part)), "")
        exported |= _scraped(client).keys()
    return exported, refused


def _stranger(
    record: Mapping[str, Any],
    carriers: Sequence[str],
    airports: Sequence[str],
    chance: random.Random,
) -> dict[str, Any]:
    """A flight like another one, with codes among these and readings of its own."""
    shift = chance.uniform(-1, 1)
    return {
        **record,
        "flight_id": f"F{chance.randrange(10**9):09d}",
        "carrier": chance.choice(carriers),
        "dest": chance.choice(airports),
        "origin": chance.choice(["EWR", "JFK", "LGA", chance.choice(airports)]),
        **{n: round(record[n] + shift, 4) for n in SHIFTED if record[n] is not None},
    }


def _scraped(client: Client) -> Mapping[Labels, float]:
    samples, problem = read(fetch(client), Exposition())
    if problem:
        raise SubmissionFault(expected="/metrics to be scraped", seen=problem)
    return samples


def _by_metric(series: set[Labels]) -> Counter[str]:
    return Counter(dict(labels)[NAME] for labels in series)
