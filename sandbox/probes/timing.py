"""Probe: what does the submission cost in time, against the service as it was handed out?"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from sandbox import flights
from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.grading.statistics import percentile, slowdown
from sandbox.traffic.client import Client, Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.plan import Stage

ROUNDS, ROUNDS_MAX = 2, 8
REQUESTS, ROWS_PER_REQUEST, WARM_UP = 40, 40, 10
PERCENTILE = 95


def compare_with_pristine(stage: Stage, enough: float) -> dict[str, Any]:
    """Ask both the same, in turns, a few times over.

    The two are asked in turns so that whatever else the machine does hits both alike; of the rounds
    the best one counts, for a hiccup in one says nothing, nor do many on a busy machine.

    Args:
        stage: the submission's stage.
        enough: how many times as long as the pristine service's the submission's 95th percentile
            may be; while no round has shown that, there are more of them.

    Returns:
        `rounds`: for each the 95th percentile in milliseconds, `submitted` and `pristine`.

    Raises:
        SubmissionFault: the submission does not run, or hangs.
        HarnessFault: the same of the service as it was handed out.
    """
    rows = stage.flights.sample(
        REQUESTS * ROWS_PER_REQUEST, random_state=stage.variant.number("timing")
    )
    records = flights.records(rows)
    requests = [
        records[start : start + ROWS_PER_REQUEST]
        for start in range(0, len(records), ROWS_PER_REQUEST)
    ]
    # First, for a submission that does not run has a fault of its own.
    submitted = Client(stage.stack.model.url)
    with ExitStack() as services:
        with _ours():
            pristine = services.enter_context(stage.replica(pristine=True))
        clients = {"submitted": submitted, "pristine": Client(pristine.url)}
        _round(clients, requests[:WARM_UP])
        rounds: list[dict[str, float]] = []
        while len(rounds) < ROUNDS or (len(rounds) < ROUNDS_MAX and slowdown(rounds) > enough):
            rounds.append(_round(clients, requests))
        return {"rounds": rounds}


def _round(clients: dict[str, Client], requests: list[Any]) -> dict[str, float]:
    took: dict[str, list[float]] = {name: [] for name in clients}
    patience = {name: Patience() for name in clients}
    for number, request in enumerate(requests):
        # Who is asked first changes every time.
        for name in sorted(clients, reverse=bool(number % 2)):
            with _ours() if name == "pristine" else nullcontext():
                exchange = patience[name].saw("scoring requests", clients[name].score(request))
            took[name].append(exchange.latency_ms)
    return {name: round(percentile(times, PERCENTILE), 2) for name, times in took.items()}


@contextmanager
def _ours() -> Iterator[None]:
    """What the handed-out service does is no fault of the submission."""
    try:
        yield
    except SubmissionFault as error:
        raise HarnessFault(
            expected="the handed-out service to start and to answer", seen=str(error)
        ) from error
