"""The hidden plan: weeks of labels that arrive late, and a working day with three incidents.

Every step gives plain JSON; what it means is decided by the checks.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, faults, script
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import episodes, quality
from sandbox.script import DAY_S, Onset

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from sandbox.faults import Fault
    from sandbox.script import Script

TRUTH = Path(__file__).with_name("truth.yaml")
TWICE = 0.4
MOVED_WEEKS = [-3, -2, -1, 1, 2, 3]

# All weeks begin on a Monday, and their dates move alike. Each collapse has a twin in which nothing
# goes wrong on the same days of the calendar, at the same age of the service: an alert by either
# fires in both or in neither.
SUMMER, SUMMER_DAYS = "2013-07-15", 28
BIASED_DAYS, BIASED_AT_D = 22, (8, 10)
UNRANKED_DAYS, UNRANKED_AT_D = 22, (8, 9)
# The real one: from the 20th of August on it collapses by itself. In its twin, for some days no
# labels come: before anything is wrong elsewhere, so that an alert by age is false in all others.
LATE_SUMMER, LATE_SUMMER_DAYS, REAL_ONSET_D = "2013-08-12", 29, 8
STOP_AT_D, STOPS_FOR_D = (4, 6), 3

# A working day at the gateway.
INCIDENT_TICK_S, INCIDENT_ROWS_PER_HOUR, INCIDENT_ROWS_PER_REQUEST = 120, 750, 6
QUIET_MIN, QUIET_AFTER_MIN = (65, 85), 65
BURN_MIN, LOST_MIN = 120, 40
# Single requests that go wrong before anything else does: nobody should be called for them. Of the
# errors the first one only makes the counter appear, and the second one moves it.
STRAY_ERRORS_MIN, STRAY_DELAY_MIN = ((15, 25), (40, 50)), (28, 37)
SLOWER_S = (0.6, 1.0, 2.0)
INCIDENT_DATES = ("2013-07-08", "2013-11-24")


def plan(stage: Stage) -> Plan:
    """Two lanes of about the same length, in an order that nobody knows."""
    lanes = (
        [Step("real", real), Step("unranked", unranked), Step("summer", summer)],
        [Step("incidents", incidents), Step("healthy", healthy), Step("biased", biased)],
    )
    for lane in lanes:
        _chance(stage, f"order of {lane[0].name}").shuffle(lane)
    return [lanes, Step("diagnosis", diagnosed)]


def real(stage: Stage) -> dict[str, Any]:
    """Late summer as it was."""
    clean = _weeks(stage, "real", LATE_SUMMER, LATE_SUMMER_DAYS)
    collapse = Onset("collapse", ("outcomes",), "fewer flights are late", REAL_ONSET_D * DAY_S)
    return _replayed(stage, "real", clean, quality.noted(collapse))


def healthy(stage: Stage) -> dict[str, Any]:
    """Late summer, had the model not collapsed; for some days no labels come."""
    clean = _weeks(stage, "healthy", LATE_SUMMER, LATE_SUMMER_DAYS)
    start_s = _chance(stage, "healthy").randint(*STOP_AT_D) * DAY_S
    fine = Onset("healthy", ("outcomes",), "outcomes are as expected", 0.0)
    return _replayed(
        stage,
        "healthy",
        clean,
        faults.relabelled(_as_expected, stage.champion.predict(clean.events), fine, counts=False),
        faults.labels_stop(start_s=start_s, until_s=start_s + STOPS_FOR_D * DAY_S),
    )


def summer(stage: Stage) -> dict[str, Any]:
    """Summer as it was, with nothing wrong."""
    return _replayed(stage, "summer", _weeks(stage, "summer", SUMMER, SUMMER_DAYS))


def biased(stage: Stage) -> dict[str, Any]:
    """Summer, in which flights begin to be late more often than the model can know."""
    clean = _weeks(stage, "biased", SUMMER, BIASED_DAYS)
    onset = _onset(stage, "biased", BIASED_AT_D, "more flights are late")
    return _replayed(stage, "biased", clean, _feigned(stage, clean, onset, _more_often))


def unranked(stage: Stage) -> dict[str, Any]:
    """Summer, in which the model stops telling flights apart while its mean stays right."""
    clean = _weeks(stage, "unranked", SUMMER, UNRANKED_DAYS)
    onset = _onset(
        stage, "unranked", UNRANKED_AT_D, "any flight is as likely to be late as another"
    )
    return _replayed(stage, "unranked", clean, _feigned(stage, clean, onset, _all_alike))


def incidents(stage: Stage) -> dict[str, Any]:
    """A working day: one replica errs, one slows, scrapes are lost, in an order of the seed's."""
    chance = _chance(stage, "incidents")
    things = {"errs": BURN_MIN, "slows": BURN_MIN, "lost": LOST_MIN}
    order = chance.sample(sorted(things), len(things))
    gone_wrong: list[Fault] = [
        quality.earlier_labels(),
        *(faults.stray_error(at_s=chance.randint(*span) * 60.0) for span in STRAY_ERRORS_MIN),
        faults.stray_delay(chance.choice(SLOWER_S), at_s=chance.randint(*STRAY_DELAY_MIN) * 60.0),
    ]
    at_min = 0
    for thing in order:
        at_min += chance.randint(*QUIET_MIN)
        span = {"start_s": at_min * 60.0, "until_s": (at_min + things[thing]) * 60.0}
        at_min += things[thing]
        gone_wrong.append(
            faults.replica_errs(**span)
            if thing == "errs"
            else faults.replica_slows(chance.choice(SLOWER_S), **span)
            if thing == "slows"
            else faults.scrape_lost(**span)
        )
    clean = script.drawn(
        stage.flights,
        f"{_workday(chance)} 06:00",
        (at_min + QUIET_AFTER_MIN) / 60,
        tick_s=INCIDENT_TICK_S,
        rows_per_hour=INCIDENT_ROWS_PER_HOUR,
        seed=chance.getrandbits(32),
        weeks=chance.choice(MOVED_WEEKS),
    )
    return episodes.run(
        stage,
        "incidents",
        clean,
        faults.together(*gone_wrong),
        rows_per_request=INCIDENT_ROWS_PER_REQUEST,
        ask=lambda _, recording: {"values": quality.label_values(recording)},
    )


def diagnosed(stage: Stage) -> dict[str, Any]:
    """What the candidate says broke, beside what did."""
    truth = diagnosis.truth(TRUTH, stage.variant)
    return {**diagnosis.read(stage.submitted), "truth": truth}


def _onset(stage: Stage, name: str, at_d: tuple[int, int], words: str) -> Onset:
    return Onset(name, ("outcomes",), words, _chance(stage, name).randint(*at_d) * DAY_S)


def _feigned(
    stage: Stage,
    clean: Script,
    onset: Onset,
    rate: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Fault:
    return faults.relabelled(rate, stage.champion.predict(clean.events), onset)


def _more_often(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    return chances + 0.2


def _all_alike(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0 * chances + chances.mean()


def _replayed(stage: Stage, name: str, clean: Script, *gone_wrong: Fault) -> dict[str, Any]:
    """Weeks with what is ordinary: labels of earlier flights, and labels that come twice."""
    # What stops labels stops these as well: it comes last.
    relabelled, stopped = gone_wrong[:1], gone_wrong[1:]
    ordinary = (quality.earlier_labels(), faults.labels_twice(TWICE))
    return episodes.run(
        stage,
        name,
        clean,
        faults.together(*relabelled, *ordinary, *stopped),
        ask=lambda server, recording: quality.measured(stage, server, recording),
    )


def _weeks(stage: Stage, name: str, first_day: str, days: int) -> Script:
    """Weeks as they were flown, their dates moved."""
    weeks = _chance(stage, "weeks").choice(MOVED_WEEKS)
    seed = stage.variant.number(f"{name}: flights")
    return script.as_flown(stage.flights, first_day, days, seed=seed, weeks=weeks)


def _as_expected(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    return chances


def _workday(chance: random.Random) -> str:
    import pandas as pd  # noqa: PLC0415 - plans are imported while the services start

    return str(chance.choice(pd.bdate_range(*INCIDENT_DATES).strftime("%Y-%m-%d").tolist()))


def _chance(stage: Stage, name: str) -> random.Random:
    return random.Random(stage.variant.number(f"{name}: chance"))
