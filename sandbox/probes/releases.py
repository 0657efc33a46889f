"""Probe: ships a release through the submission's manifest, and sees whom it reached.

Every release has a router, a Prometheus and a canary of its own. All times in the evidence are
seconds since the release was shipped, on the simulated clock.
"""

from __future__ import annotations

from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sandbox import shipping
from sandbox.errors import HarnessFault
from sandbox.grading.statistics import percentile
from sandbox.rollout.manifest import ManifestError, read
from sandbox.rollout.state import facts
from sandbox.shipping import Replica, Way
from sandbox.telemetry import prometheus
from sandbox.traffic import router

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.plan import Stage
    from sandbox.rollout.spec import Delivery
    from sandbox.script import Script
    from sandbox.shipping import Passage
    from sandbox.traffic.client import Exchange

# The objective of the service, and the bucket of the router's histogram beside it.
SLOW_MS = 300.0
PERCENTILE = 95
# With which event a rollout ends.
ENDS = ("RolloutAborted", "RolloutCompleted")


def run(
    stage: Stage,
    name: str,
    script: Script,
    version: str,
    stable: Replica,
    *,
    released_at: int,
    rows_per_request: int,
    exposed_max: int | None = None,
    dark: bool = False,
) -> dict[str, Any]:
    """Ship one release.

    Args:
        stage: the submission's stage.
        name: of the episode.
        script: what customers ask, before and after.
        version: the registered version that is shipped.
        stable: what they have so far; waited for if it is not ready yet.
        released_at: the tick in which it is shipped.
        rows_per_request: flights in each request.
        exposed_max: ends it once so many requests were answered by the release.
        dark: whether monitoring sees nothing of it.

    Returns:
        `problem`: why the manifest cannot be used; then nothing else is of use. `version`,
        `tick_s`, `ticks`, `released_at`; `outcome`: promoted, aborted, or empty where it has not
        ended; `ended_s`; `rollout` as `rollout.state.facts` gives it; `weights`: seconds and the
        percent of customers who get the release from then on; `tracks`: of each the columns of
        `columns` by tick; `exposed`: requests that the release answered; `asked`: all requests
        from its shipping to the script's end, replayed or not; `cut`.
    """
    delivery, problem = manifest(stage)
    if delivery is None:
        return {"problem": problem, "version": version}
    folder = stage.scratch / f"release of {name}"
    for part in ("prometheus", "router"):
        (folder / part).mkdir(parents=True)
    with (
        # Imports for seconds, while the customers of before are answered.
        stage.replica(version=version, ready=False) as canary,
        prometheus.running(stage.runtime, folder / "prometheus", script.tick_s) as server,
        router.running(stage.runtime, folder / "router") as entrance,
    ):
        # It may have been started beside all of these.
        shipping.wait_ready(stable)
        way = Way(entrance, stable, Replica(canary, version), dark)
        passage = shipping.ship(
            script,
            delivery,
            way,
            server,
            name=name,
            released_at=released_at,
            rows_per_request=rows_per_request,
            exposed_max=exposed_max,
            progress=stage.progress,
        )
    return {"problem": "", "version": version, **seen(script, passage, way, rows_per_request)}


def manifest(stage: Stage) -> tuple[Delivery | None, str]:
    """The submission's manifest; or why it cannot be used, all of it in lines."""
    name = stage.scenario.manifest
    if name is None:
        raise HarnessFault(expected="releases.manifest in scenario.yaml", seen="none")
    try:
        return read((stage.submitted / name).read_text("utf-8")), ""
    except (OSError, UnicodeDecodeError) as error:
        return None, f"{name} cannot be read: {error}"
    except ManifestError as error:
        return None, error.listing


def seen(script: Script, passage: Passage, way: Way, rows_per_request: int) -> dict[str, Any]:
    """A passage as plain JSON; see `run`."""
    if passage.state is None:
        raise HarnessFault(expected="a script that goes on after the release", seen="none")
    tracks = {
        name: columns(passage, service, replica.version)
        for name, service, replica in (
            ("stable", router.STABLE, way.stable),
            ("canary", router.CANARY, way.canary),
        )
    }
    after = script.events["tick"] > passage.released_at
    return {
        "tick_s": script.tick_s,
        "ticks": passage.ticks,
        "released_at": passage.released_at,
        "outcome": passage.state.outcome,
        "ended_s": next((e.at_s for e in passage.state.events if e.kind in ENDS), None),
        "rollout": facts(passage.state),
        "weights": [list(weight) for weight in passage.weights],
        "tracks": tracks,
        "exposed": passage.exposed,
        "asked": int(after.sum()) // rows_per_request,
        "cut": passage.cut,
    }


def columns(passage: Passage, service: str, version: str) -> dict[str, list[Any]]:
    """How one track's requests fared, by tick.

    Returns:
        `requests` that the router sent there; `failed`: those answered with an error;
        `numberless`: those answered with something else than one number a row; `slow`: those beyond
        the objective; `p95_ms`; `mean_prediction`. The last two are None where nothing was
        answered.
    """
    ticks: list[list[Exchange]] = [[] for _ in range(passage.ticks)]
    for tick, exchange in passage.exchanges:
        if exchange.version == version:
            ticks[tick].append(exchange)
    return {
        "requests": _each(passage, lambda track, _: track == service),
        "failed": _each(
            passage, lambda track, status: track == service and status != HTTPStatus.OK
        ),
        "numberless": [sum(e.predictions is None for e in tick) for tick in ticks],
        "slow": [sum(e.latency_ms > SLOW_MS for e in tick) for tick in ticks],
        "p95_ms": [
            round(percentile([e.latency_ms for e in tick], PERCENTILE), 1) if tick else None
            for tick in ticks
        ],
        "mean_prediction": [
            _mean([value for e in tick for value in e.predictions or ()]) for tick in ticks
        ],
    }


def _each(passage: Passage, counts: Callable[[str, int], bool]) -> list[int]:
    """By how much the router's counters of some requests grew in each tick."""
    so_far = [
        sum(number for key, number in answered.items() if counts(*key))
        for answered in passage.answered
    ]
    return [now - before for before, now in pairwise([0, *so_far])]


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 5) if values else None
