"""The public plan: a release that is good and one that fails, through your manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, script
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import releases
from sandbox.shipping import Replica

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY, SEED = "2013-07-16", 7
TICK_S = 10
RELEASED_AT, WINDOW_TICKS = 6, 90
# Half of the traffic that there is when it counts, for half of the time that it takes.
REQUESTS_PER_TICK, ROWS_PER_REQUEST = 25, 10
STABLE = "1"
SHIPPED = {"good_release": ("2", 9), "erring_release": ("3", 14)}


def plan(stage: Stage) -> Plan:
    """Both side by side."""
    shipped = tuple(_release(name, *how) for name, how in SHIPPED.items())
    return [shipped, Step("diagnosis", lambda stage: diagnosis.read(stage.submitted))]


def _release(name: str, version: str, hour: int) -> Step:
    def run(stage: Stage) -> Mapping[str, Any]:
        customers = script.requested(
            stage.flights,
            f"{DAY} {hour:02}:00",
            RELEASED_AT + 1 + WINDOW_TICKS,
            tick_s=TICK_S,
            requests_per_tick=REQUESTS_PER_TICK,
            rows_per_request=ROWS_PER_REQUEST,
            seed=SEED,
        )
        stable = stage.lasting_replica(f"stable before the {name}", version=STABLE)
        return releases.run(
            stage,
            name,
            customers,
            version,
            Replica(stable, STABLE),
            released_at=RELEASED_AT,
            rows_per_request=ROWS_PER_REQUEST,
            exposed_max=WINDOW_TICKS * REQUESTS_PER_TICK // 3 if name != "good_release" else None,
        )

    return Step(name, run)
