"""The public plan: an ordinary day and two faults that everybody may see, in simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, faults, flights, script
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import distributions, episodes

if TYPE_CHECKING:
    from sandbox.faults import Fault

TICK_S = 120
# Faulty days are busier ones, by chance.
ROWS_PER_HOUR, ROWS_PER_FAULTY_HOUR = 1_300, 1_700
LEAD_S = 1.5 * script.HOUR_S
EPISODES: dict[str, tuple[str, float, Fault | None]] = {
    "an ordinary day": ("2013-07-10 05:00", 17, None),
    "no weather": ("2013-08-13 09:00", 4, faults.nulls(flights.WEATHER, 0.85, start_s=LEAD_S)),
    "humidity as a fraction": (
        "2013-09-24 08:00",
        4,
        faults.switched_unit("humid", start_s=LEAD_S),
    ),
}


def plan(stage: Stage) -> Plan:
    """The day beside the faults."""
    day, *faulty = (_episode(name) for name in EPISODES)
    return [
        (day, faulty),
        Step("diagnosis", lambda stage: diagnosis.read(stage.submitted)),
    ]


def _episode(name: str) -> Step:
    start, hours, fault = EPISODES[name]

    def run(stage: Stage) -> dict[str, Any]:
        clean = script.drawn(
            stage.flights,
            start,
            hours,
            tick_s=TICK_S,
            rows_per_hour=ROWS_PER_FAULTY_HOUR if fault else ROWS_PER_HOUR,
            seed=len(name),
        )
        return episodes.run(
            stage,
            name,
            clean,
            fault,
            explained=True,
            ask=lambda _, recording: {
                "right": episodes.right(stage, recording),
                **distributions.exported(stage, recording),
            },
        )

    return Step(name.replace(" ", "_"), run)
