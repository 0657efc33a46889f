"""An episode: a script replayed on a running service, tick by tick, on the simulated clock.

At each tick the service gets that tick's flights and labels over HTTP, and is scraped; what the
scrape gave is written, with the simulated instant as its time, into a real Prometheus. Then the
clock moves on at once. Requests, metrics and PromQL are real, and only waiting is gone.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from sandbox import flights
from sandbox.errors import SubmissionFault
from sandbox.progress import Progress, Silent
from sandbox.telemetry.remote_write import Batch
from sandbox.telemetry.scraping import Scraper, Target, fetch
from sandbox.traffic.client import Patience, batches
from sandbox.traffic.gateway import WELL, Gateway, Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

    from sandbox.script import Script
    from sandbox.telemetry.prometheus import Prometheus
    from sandbox.telemetry.series import Labels
    from sandbox.traffic.client import Client, Exchange

JOB, GATEWAY_JOB = "flight-delay", "gateway"
TARGET = Target(JOB, "flight-delay-0:8080", {"track": "stable", "version": "1"})
GATEWAY_TARGET = Target(GATEWAY_JOB, "gateway-0:8082", {})
# Samples wait until so many ticks are together: a write costs about as much for one as for many.
TICKS_PER_WRITE = 60
# Far more than any service within its objective needs.
SECONDS_PER_TICK_MAX = 1.0
SECONDS_MIN = 60.0


@dataclass
class Recording:
    """What an episode saw.

    Args:
        script: what was replayed.
        exchanges: scoring requests by tick, in order.
        scrape_problems: why scrapes of the service failed, by tick.
        feedback_problems: why labels were refused, by tick.
        last_scrape: the service's series as the last successful scrape had them.
        series: every series that any scrape of the service had.
    """

    script: Script
    exchanges: list[tuple[int, Exchange]] = field(default_factory=list)
    scrape_problems: dict[int, str] = field(default_factory=dict)
    feedback_problems: dict[int, str] = field(default_factory=dict)
    last_scrape: Mapping[Labels, float] = field(default_factory=dict)
    series: Collection[Labels] = ()


def replay(
    script: Script,
    client: Client,
    prometheus: Prometheus,
    *,
    name: str,
    seed: int,
    rows_per_request: int,
    progress: Progress | None = None,
) -> Recording:
    """Replay a script.

    Args:
        script: what happens.
        client: the service under test.
        prometheus: takes the samples; nothing else may be in it.
        name: of the episode, for the progress shown.
        seed: chooses what requests take at the gateway.
        rows_per_request: most flights in one request.
        progress: is told of every tick.

    Raises:
        SubmissionFault: the service hangs, or is far too slow to replay the script on.
    """
    told = progress or Silent()
    recording = Recording(script)
    gateway = Gateway(seed)
    patience = Patience()
    scraper = Scraper(TARGET, lambda: patience.saw("/metrics", fetch(client)))
    gateway_scraper = Scraper(GATEWAY_TARGET, gateway.metrics)
    batch = Batch()
    deadline = time.monotonic() + max(SECONDS_MIN, SECONDS_PER_TICK_MAX * script.ticks)
    rows = _by_tick(script.events, flights.records(script.events), script.ticks)
    labels = _by_tick(script.labels, flights.outcomes(script.labels), script.ticks)
    start_ms = round(script.start.timestamp() * 1000)
    for tick in range(script.ticks):
        last = Trouble(bool(script.errors[tick]), float(script.delay_s[tick]))
        stray = Trouble(bool(script.stray_errors[tick]), float(script.stray_delay_s[tick]))
        for number, part in enumerate(batches(rows[tick], rows_per_request)):
            exchange = gateway.forward(
                partial(_score, patience, client, part),
                len(part),
                last=last,
                stray=stray if number == 0 else WELL,
            )
            recording.exchanges.append((tick, exchange))
        if labels[tick]:
            body = json.dumps(labels[tick]).encode()
            answer = patience.saw("/feedback", client.ask("POST", "/feedback", body))
            if answer.status != 200:  # noqa: PLR2004 - HTTP's own name for it
                recording.feedback_problems[tick] = answer.problem or f"status {answer.status}"
        at_ms = start_ms + round(tick * script.tick_s * 1000)
        if script.scraped[tick]:
            if problem := scraper.scrape(at_ms, batch):
                recording.scrape_problems[tick] = problem
        else:
            scraper.lose(at_ms, batch)
        gateway_scraper.scrape(at_ms, batch)
        if (tick + 1) % TICKS_PER_WRITE == 0 or tick + 1 == script.ticks:
            prometheus.write(batch)
            batch.clear()
        told.tick(name, script.now(tick), tick + 1, script.ticks)
        _require_time(recording, tick, deadline)
    recording.last_scrape, recording.series = scraper.last, scraper.series
    return recording


def _score(patience: Patience, client: Client, rows: Sequence[object]) -> Exchange:
    return patience.saw("scoring requests", client.score(rows))


def _require_time(recording: Recording, tick: int, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise SubmissionFault(
            expected=f"at most {SECONDS_PER_TICK_MAX:g} s a tick",
            seen=f"{tick + 1} of {recording.script.ticks} ticks when time was up",
            hint="look at where the service spends its time, /metrics included",
        )


def _by_tick(events: pd.DataFrame, items: Sequence[object], ticks: int) -> list[Sequence[object]]:
    """The items of each tick; both are in order of ticks."""
    edges = events["tick"].searchsorted(range(ticks + 1))
    return [items[edges[tick] : edges[tick + 1]] for tick in range(ticks)]
