"""The gateway of an episode: what customers talk to, with metrics of its own.

It stands for a router with a few replicas behind it, taken in turns; all of them are the one real
service. A replica that errs or slows does so here, on the simulated clock: nothing waits, and how
fast this machine is never shows in what the gateway reports. Its metrics have Traefik's names and
buckets, so that what is learned from them holds for the real router.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from sandbox.faults import REPLICAS
from sandbox.traffic.client import Answer, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

BAD_GATEWAY, GATEWAY_TIMEOUT = 502, 504
# What a request takes on the simulated clock, in seconds: the middle, and how far it scatters.
USUAL_S, SCATTER = 0.02, 0.4
BUCKETS = (0.1, 0.3, 1.2, 5.0)
# Its metrics are partitioned like Traefik's; all but the code are the same for every request here.
PARTITION = ("service", "method", "protocol", "code")
SERVICE, METHOD, PROTOCOL = "flight-delay", "POST", "http"
REQUESTS, SECONDS = "traefik_service_requests_total", "traefik_service_request_duration_seconds"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a replica, or with a single request: it is answered 502, or late."""

    errs: bool = False
    delay_s: float = 0.0


WELL = Trouble()


class Gateway:
    """Forwards requests and counts what came of them.

    Args:
        seed: chooses what each request takes.
    """

    def __init__(self, seed: int) -> None:
        self._noise = np.random.default_rng(seed)
        self._registry = CollectorRegistry()
        self._requests = Counter(
            REQUESTS,
            "Requests by status, as the gateway answered them",
            PARTITION,
            registry=self._registry,
        )
        self._seconds = Histogram(
            SECONDS,
            "Time a request took at the gateway, by status",
            PARTITION,
            buckets=BUCKETS,
            registry=self._registry,
        )
        # Not the instants at which the library made its series: they are the wall clock's.
        self._exported = self._registry.restricted_registry(
            [REQUESTS, *(f"{SECONDS}_{part}" for part in ("bucket", "sum", "count"))]
        )
        self._turn = 0

    def forward(
        self,
        ask: Callable[[], Exchange],
        rows: int,
        *,
        last: Trouble = WELL,
        stray: Trouble = WELL,
    ) -> Exchange:
        """Send one request to the replica whose turn it is.

        Args:
            ask: asks the real service.
            rows: flights it is asked about.
            last: what is wrong with the last replica.
            stray: what goes wrong with this request, whichever replica gets it.
        """
        self._turn = (self._turn + 1) % REPLICAS
        troubles = (stray, last if self._turn == 0 else WELL)
        if any(trouble.errs for trouble in troubles):
            exchange = Exchange(rows, BAD_GATEWAY, None, "", 0.0, "502 from the gateway")
        else:
            exchange = ask()
        seconds = USUAL_S * float(self._noise.lognormal(0, SCATTER))
        seconds += sum(trouble.delay_s for trouble in troubles)
        of = (SERVICE, METHOD, PROTOCOL, str(exchange.status or GATEWAY_TIMEOUT))
        self._requests.labels(*of).inc()
        self._seconds.labels(*of).observe(seconds)
        return exchange

    def metrics(self) -> Answer:
        """What a scrape of the gateway gets."""
        return Answer(200, generate_latest(self._exported), "", 0.0)
