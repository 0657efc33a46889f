"""The public plan: eighteen days of labels and half a working day, on the simulated clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, faults, script
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import episodes, quality
from sandbox.script import DAY_S, HOUR_S, Onset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST_DAY, DAYS, SEED = "2013-07-02", 18, 7
STOP_S, BACK_S, COLLAPSE_S = 3 * DAY_S, 5 * DAY_S, 10 * DAY_S
TWICE = 0.4
INCIDENTS_AT, HOURS, TICK_S = "2013-07-16 08:00", 5.75, 120
ROWS_PER_HOUR, ROWS_PER_REQUEST = 700, 6
ERRS, SLOWS, LOST = (0.75, 2.0), (3.0, 4.25), (5.0, 5.5)
SLOWER_S = 1.0
# Single requests that go wrong, as they do now and then.
STRAY_ERROR, STRAY_DELAY = 0.3, 0.5


def plan(stage: Stage) -> Plan:
    """The weeks beside the day."""
    return [
        (Step("weeks", weeks), Step("half_a_day", half_a_day)),
        Step("diagnosis", lambda stage: diagnosis.read(stage.submitted)),
    ]


def weeks(stage: Stage) -> dict[str, Any]:
    """July, in which labels stop for two days, and in the end fewer flights are late."""
    clean = script.as_flown(stage.flights, FIRST_DAY, DAYS, seed=SEED)
    fewer = Onset("biased", ("outcomes",), "far fewer flights are late", COLLAPSE_S)

    def rate(chances: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.3 * chances

    return episodes.run(
        stage,
        "weeks",
        clean,
        faults.together(
            faults.relabelled(rate, stage.champion.predict(clean.events), fewer),
            quality.earlier_labels(),
            faults.labels_twice(TWICE),
            faults.labels_stop(start_s=STOP_S, until_s=BACK_S),
        ),
        explained=True,
        ask=lambda server, recording: quality.measured(stage, server, recording),
    )


def half_a_day(stage: Stage) -> dict[str, Any]:
    """A replica errs, a replica slows, and the service is not scraped for a while."""

    def span(hours: tuple[float, float]) -> dict[str, float]:
        return {"start_s": hours[0] * HOUR_S, "until_s": hours[1] * HOUR_S}

    clean = script.drawn(
        stage.flights,
        INCIDENTS_AT,
        HOURS,
        tick_s=TICK_S,
        rows_per_hour=ROWS_PER_HOUR,
        seed=SEED,
    )
    return episodes.run(
        stage,
        "half a day",
        clean,
        faults.together(
            quality.earlier_labels(),
            faults.stray_error(at_s=STRAY_ERROR * HOUR_S),
            faults.stray_delay(SLOWER_S, at_s=STRAY_DELAY * HOUR_S),
            faults.replica_errs(**span(ERRS)),
            faults.replica_slows(SLOWER_S, **span(SLOWS)),
            faults.scrape_lost(**span(LOST)),
        ),
        rows_per_request=ROWS_PER_REQUEST,
        explained=True,
        ask=lambda _, recording: {"values": quality.label_values(recording)},
    )
