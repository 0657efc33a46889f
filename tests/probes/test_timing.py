"""Timing against the handed-out service: both asked alike, and each blamed for its own only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import HarnessFault, SandboxError, SubmissionFault
from sandbox.probes import timing
from sandbox.traffic.client import HUNG_AFTER, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

SUBMITTED, PRISTINE = "http://submitted", "http://pristine"
REQUESTS = timing.WARM_UP + timing.ROUNDS * timing.REQUESTS
ENOUGH = 6.0


class Stage:
    """What the probe uses of a stage; its own model and stack are itself."""

    def __init__(self, flights: pd.DataFrame) -> None:
        self.flights = flights
        self.variant = self.model = self
        self.url = SUBMITTED
        self.stack_fault: SandboxError | None = None
        self.replica_fault: SandboxError | None = None

    def number(self, purpose: str) -> int:
        return 5

    @property
    def stack(self) -> Stage:
        if self.stack_fault:
            raise self.stack_fault
        return self

    @contextmanager
    def replica(self, *, pristine: bool = False) -> Iterator[Stage]:
        assert pristine
        # As the real one: it needs the stack's registry.
        assert self.stack
        if self.replica_fault:
            raise self.replica_fault
        other = Stage(self.flights)
        other.url = PRISTINE
        yield other


class Asked:
    """Clients that answer after as many milliseconds as they are told; who was asked, in order."""

    def __init__(self, **latency_ms: Callable[[int], float | None]) -> None:
        self.latency_ms = latency_ms
        self.order: list[str] = []
        self.requests: dict[str, list[list[object]]] = {SUBMITTED: [], PRISTINE: []}

    def client(self, url: str) -> Asked.Client:
        return Asked.Client(self, url)

    class Client:
        def __init__(self, asked: Asked, url: str) -> None:
            self.asked, self.url = asked, url

        def score(self, records: Sequence[object]) -> Exchange:
            before = len(self.asked.requests[self.url])
            self.asked.order.append(self.url)
            self.asked.requests[self.url].append(list(records))
            took = self.asked.latency_ms[self.url.removeprefix("http://")](before)
            if took is None:
                return Exchange(len(records), None, None, "", 10_000.0, "no answer within 10 s")
            return Exchange(len(records), 200, [0.5] * len(records), "1", took, "")


@pytest.fixture
def stage(all_flights: pd.DataFrame) -> Stage:
    return Stage(all_flights)


def compared(stage: Stage, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    monkeypatch.setattr(timing, "Client", asked.client)
    rounds: list[dict[str, float]] = timing.compare_with_pristine(stage, ENOUGH)["rounds"]  # type: ignore[arg-type]
    return rounds


def test_each_round_gives_the_95th_percentile_of_both(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The slowest of the warming up do not count.
    def submitted(before: int) -> float:
        number = before - timing.WARM_UP
        return 9_999.0 if number < 0 else float(number % timing.REQUESTS)

    rounds = compared(stage, Asked(submitted=submitted, pristine=lambda _: 7.0), monkeypatch)
    # Of 0, 1 ... 39 the 95th percentile is 0.95 * 39.
    assert rounds == [{"submitted": 37.05, "pristine": 7.0}] * timing.ROUNDS


def test_there_are_more_rounds_while_none_shows_what_is_enough(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Busy through three rounds, quiet in the fourth.
    quiet_from = timing.WARM_UP + 3 * timing.REQUESTS
    busy = Asked(submitted=lambda n: 60.0 if n < quiet_from else 59.0, pristine=lambda _: 9.9)
    ratios = [each["submitted"] / each["pristine"] for each in compared(stage, busy, monkeypatch)]
    assert [ratio <= ENOUGH for ratio in ratios] == [False, False, False, True]

    slow = Asked(submitted=lambda _: 60.0, pristine=lambda _: 9.9)
    assert len(compared(stage, slow, monkeypatch)) == timing.ROUNDS_MAX


def test_both_are_asked_the_same_in_turns(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(submitted=lambda _: 1.0, pristine=lambda _: 1.0)
    compared(stage, asked, monkeypatch)
    assert asked.requests[SUBMITTED] == asked.requests[PRISTINE]
    assert len(asked.requests[SUBMITTED]) == REQUESTS
    assert {len(rows) for rows in asked.requests[SUBMITTED]} == {timing.ROWS_PER_REQUEST}
    pairs = [set(asked.order[n : n + 2]) for n in range(0, len(asked.order), 2)]
    assert all(len(pair) == 2 for pair in pairs)
    first = asked.order[::2]
    assert abs(first.count(SUBMITTED) - first.count(PRISTINE)) <= 1 + timing.ROUNDS


def test_a_submission_that_does_not_run_is_its_own_fault(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.stack_fault = SubmissionFault(expected="readiness", seen="an end with status 1")
    with pytest.raises(SubmissionFault, match="status 1"):
        compared(stage, Asked(), monkeypatch)


@pytest.mark.parametrize("kind", [SubmissionFault, HarnessFault])
def test_a_handed_out_service_that_does_not_start_is_ours(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: type[SandboxError]
) -> None:
    stage.replica_fault = kind(expected="readiness", seen="an end with status 1")
    with pytest.raises(HarnessFault, match="status 1"):
        compared(stage, Asked(), monkeypatch)


@pytest.mark.parametrize("after", [0, timing.WARM_UP + 10])
@pytest.mark.parametrize(
    ("hangs", "kind"), [("submitted", SubmissionFault), ("pristine", HarnessFault)]
)
def test_who_hangs_is_given_up_and_blamed(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    hangs: str,
    kind: type[SandboxError],
    after: int,
) -> None:
    answers: dict[str, Callable[[int], float | None]] = {
        "submitted": lambda _: 1.0,
        "pristine": lambda _: 1.0,
        hangs: lambda before: 1.0 if before < after else None,
    }
    asked = Asked(**answers)
    with pytest.raises(kind, match="no answer within 10 s"):
        compared(stage, asked, monkeypatch)
    assert len(asked.requests[f"http://{hangs}"]) == after + HUNG_AFTER
