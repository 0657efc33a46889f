"""Releases shipped through a real router and a real Prometheus, to replicas that stand in."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import script, shipping
from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.probes.releases import seen
from sandbox.rollout.manifest import read
from sandbox.shipping import Passage, Way, ship
from sandbox.telemetry.prometheus import Prometheus
from sandbox.traffic import router
from tests.stands import MANIFEST, Stand, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    from sandbox.rollout.state import State
    from sandbox.runtimes.base import Runtime
    from sandbox.script import Script

TICK_S, RELEASED_AT, REQUESTS, ROWS = 10, 3, 20, 2


@pytest.fixture(scope="module")
def customers(all_flights: pd.DataFrame) -> Script:
    return script.requested(
        all_flights,
        "2013-07-09 09:00",
        24,
        tick_s=TICK_S,
        requests_per_tick=REQUESTS,
        rows_per_request=ROWS,
        seed=1,
    )


@dataclass
class Shipped:
    """What came of one release."""

    passage: Passage
    stable: Stand
    canary: Stand
    told: dict[str, Any]


@pytest.fixture
def shipped(
    runtime: Runtime,
    start_prometheus: Callable[[float], Prometheus],
    customers: Script,
    tmp_path: Path,
) -> Iterator[Callable[..., Shipped]]:
    with ExitStack() as ends:

        def run(canary: Stand, manifest: str = MANIFEST, **how: Any) -> Shipped:
            stable = Stand("1", 0.3)
            replicas = [ends.enter_context(answering(stand)) for stand in (stable, canary)]
            entrance = ends.enter_context(router.running(runtime, tmp_path))
            way = Way(entrance, *replicas, dark=how.pop("dark", False))
            passage = ship(
                customers,
                read(manifest),
                way,
                start_prometheus(TICK_S),
                name="release",
                released_at=RELEASED_AT,
                rows_per_request=ROWS,
                **how,
            )
            return Shipped(passage, stable, canary, seen(customers, passage, way, ROWS))

        yield run


def test_a_good_release_reaches_everybody_and_nobody_before_it_is_ready(shipped) -> None:
    done = shipped(Stand("2", 0.31))
    told = done.told
    assert told["outcome"] == "promoted"
    # Ready after 20 s, a pause of 40.
    assert told["ended_s"] == 60
    assert told["weights"] == [[20, 10], [60, 100], [60, 100]]
    ready = RELEASED_AT + 2
    canary = told["tracks"]["canary"]["requests"]
    assert canary[: ready + 1] == [0] * (ready + 1)
    assert canary[ready + 1 : ready + 5] == [2] * 4
    # Whoever asks after the promotion is answered by the new version.
    versions = [e.version for tick, e in done.passage.exchanges if tick > RELEASED_AT + 6]
    assert versions == ["2"] * len(versions) != []
    assert not done.canary.stopped


def test_a_bad_release_is_taken_back_and_its_replica_ends(shipped) -> None:
    done = shipped(Stand("2", 0.9))
    told = done.told
    assert (told["outcome"], told["ended_s"]) == ("aborted", 60)
    assert told["exposed"] == 8
    assert told["asked"] == (24 - RELEASED_AT - 1) * REQUESTS
    last = RELEASED_AT + 6
    assert told["tracks"]["canary"]["requests"][last + 1 :] == [0, 0]
    assert {e.version for tick, e in done.passage.exchanges if tick > last} == {"1"}
    [run] = told["rollout"]["runs"]
    [measurement] = run["metrics"][0]["measurements"]
    assert (measurement["phase"], measurement["value"]) == ("Failed", "[0.9]")


def test_where_monitoring_sees_nothing_a_measurement_is_an_error(shipped) -> None:
    told = shipped(Stand("2", 0.31), dark=True).told
    assert told["outcome"] == "aborted"
    [run] = told["rollout"]["runs"]
    phases = [m["phase"] for m in run["metrics"][0]["measurements"]]
    # Retried after ten seconds; the fifth in a row is one too many.
    assert phases == ["Error"] * 5
    assert told["ended_s"] == 60 + 4 * 10


def test_a_release_that_never_gets_ready_never_gets_a_request(shipped) -> None:
    done = shipped(Stand("2", 0.31, loads=False))
    assert done.told["outcome"] == "aborted"
    assert done.told["weights"] == []
    assert done.canary.asked == []


class Slow(Stand):
    """A replica that is still loading when its time is up."""

    def alive(self) -> bool:
        return True


def test_a_replica_that_the_machine_is_too_slow_for_is_no_bad_release(shipped) -> None:
    with pytest.raises(HarnessFault, match="a replica that gets ready"):
        shipped(Slow("2", 0.31, loads=False))


@pytest.mark.parametrize(("stand", "fault"), [(Slow, HarnessFault), (Stand, SubmissionFault)])
def test_whoever_is_still_loading_waits_for_the_machine(
    stand: type[Stand], fault: type[Exception]
) -> None:
    with (
        answering(stand("1", 0.3, loads=False)) as replica,
        pytest.raises(fault, match="a replica that gets ready"),
    ):
        shipping.wait_ready(replica)


@pytest.mark.parametrize(("asking", "fault"), [(False, HarnessFault), (True, SubmissionFault)])
def test_whoever_takes_the_time_is_to_blame_for_it(
    shipped, monkeypatch: pytest.MonkeyPatch, asking: bool, fault: type[Exception]
) -> None:
    clock = count(step=0.0)
    asked = Prometheus.measure

    def take_long() -> None:
        nonlocal clock
        clock = count(next(clock) + 24 * shipping.SECONDS_PER_TICK_MAX + 1, 0.0)

    def measure(self: Prometheus, expr: str, at_s: float) -> list[float] | float:
        if asking:
            take_long()
        return asked(self, expr, at_s)

    def watch(state: State | None, since_s: float) -> None:
        if not asking:
            take_long()

    monkeypatch.setattr(Prometheus, "measure", measure)
    monkeypatch.setattr(shipping, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(fault, match="of 24 ticks after 480 s"):
        shipped(Stand("2", 0.31), watched=watch)


def test_it_is_cut_short_once_enough_have_seen_it(shipped) -> None:
    waits = MANIFEST.replace("setWeight: 10", "setWeight: 50").replace(
        "duration: 40s", "duration: 1h"
    )
    told = shipped(Stand("2", 0.9), waits, exposed_max=25).told
    assert told["cut"]
    assert (told["outcome"], told["exposed"]) == ("", 30)


def test_whoever_watches_sees_it_after_every_tick(shipped) -> None:
    watched: list[tuple[float, str]] = []

    def watch(state: State | None, since_s: float) -> None:
        watched.append((since_s, state.phase if state else ""))

    shipped(Stand("2", 0.31), watched=watch)
    assert watched[:4] == [(-30, ""), (-20, ""), (-10, ""), (0, "Progressing")]
    assert watched[-1][1] == "Healthy"
