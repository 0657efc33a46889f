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
# As much traffic as when it counts: a manifest may ask for so many requests before it decides.
REQUESTS_PER_TICK, ROWS_PER_REQUEST = 50, 10
# Beyond that share a bad release earns nothing any more, and the rest of it need not be replayed.
EXPOSED_MAX = WINDOW_TICKS * REQUESTS_PER_TICK // 3
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
        # One of its own beside the canary, as when it counts.
        with stage.replica(version=STABLE, ready=False) as stable:
            return releases.run(
                stage,
                name,
                customers,
                version,
                Replica(stable, STABLE),
                released_at=RELEASED_AT,
                rows_per_request=ROWS_PER_REQUEST,
                exposed_max=None if name == "good_release" else EXPOSED_MAX,
            )

    return Step(name, run)
