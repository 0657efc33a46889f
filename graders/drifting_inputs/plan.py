"""The hidden plan: ordinary days and faulty ones, replayed on the simulated clock.

Every step gives plain JSON; what it means is decided by the checks.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, faults, flights, script
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import distributions, episodes, hygiene, strangers, timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.faults import Fault
    from sandbox.script import Script

TRUTH = Path(__file__).with_name("truth.yaml")
TICK_S = 120
# The ticket's bound on mean prediction and AUC. A fault is replayed on a day on which it is clearly
# beyond it, or clearly not: no verdict hangs on the bound itself.
BOUND = 0.05
PAGES_FROM, TICKETS_TO = 1.3 * BOUND, 0.8 * BOUND
DAYS_TRIED = 40
# How many times as long as today answers may take, by the ticket.
SLOWER_MAX = 5.0
# For customers to notice, 5,000 rows have to go by.
FAULT_LASTS_S = 3.6 * script.HOUR_S
LEAD_MIN = (75, 110)
ROWS_PER_HOUR = (1_450, 1_800)
PAGED, TICKETED = "page", "ticket"
# Local dates whose weather and traffic are replayed, first and last; production begins in July.
PRODUCTION = ("2013-07-08", "2013-11-24")
# Dates, hours in which they begin, and how long they last. Between ten in the evening and five
# there is too little traffic to judge anything, and what there is comes from one airline. Most of
# them begin when faulty days do: when a replay begins tells nobody what it is.
BEGINNINGS = (6, 10)
ORDINARY_DAYS = {
    "a day in june": (("2013-06-19", "2013-06-26"), BEGINNINGS, 9),
    "a day in july": (("2013-07-03", "2013-07-22"), (5, 6), 16),
    "a day in autumn": (("2013-09-16", "2013-11-24"), BEGINNINGS, 9),
}
# Dates move by so many weeks, and never to one that everybody has seen; not further, for what is
# usual in a month has to stay usual.
WEEKS = (-1, 1)
PUBLIC = {"07-10", "08-13", "09-24"}
WEATHER_SETS = (
    ("temp", "dewp", "humid", "pressure"),
    ("temp", "dewp", "humid", "pressure", "wind_speed"),
    ("temp", "dewp", "humid", "pressure", "wind_speed", "wind_dir", "visib"),
)


def plan(stage: Stage) -> Plan:
    """Faulty days on two lanes with ordinary ones between them, then what needs a quiet machine."""
    faulty = [_faulty(name) for name in FAULTS]
    june, july, autumn = (_ordinary(name) for name in ORDINARY_DAYS)
    # In an order that nobody knows: which replica is the how-manieth can be found out.
    chance = _chance(stage, "order")
    chance.shuffle(faulty)
    lanes = [july, *faulty[:4]], [june, autumn, *faulty[4:]]
    for lane in lanes:
        chance.shuffle(lane)
    return [
        lanes,
        Step("cardinality", strangers.send),
        Step("lint", hygiene.lint),
        Step("latency", latency),
        Step("diagnosis", diagnosed),
    ]


def step_name(name: str) -> str:
    """The name of a step's document: words with underscores."""
    return re.sub(r"\W+", "_", name)


def _ordinary(name: str) -> Step:
    def run(stage: Stage) -> dict[str, Any]:
        chance = _chance(stage, name)
        dates, beginnings, hours = ORDINARY_DAYS[name]
        clean = _day(stage, chance, dates, hour=chance.randint(*beginnings), hours=hours)
        return episodes.run(
            stage,
            name,
            clean,
            ask=lambda _, recording: {
                "right": episodes.right(stage, recording),
                **distributions.exported(stage, recording),
            },
        )

    return Step(step_name(name), run)


def _faulty(name: str) -> Step:
    wanted, make = FAULTS[name]

    def run(stage: Stage) -> dict[str, Any]:
        clean, fault = _suited(stage, name, wanted, make)
        seen = episodes.run(
            stage,
            name,
            clean,
            fault,
            ask=lambda _, recording: {"right": episodes.right(stage, recording)},
        )
        return {"wanted": wanted, **seen}

    return Step(step_name(name), run)


def _suited(
    stage: Stage, name: str, wanted: str, make: Callable[[random.Random, float], Fault]
) -> tuple[Script, Fault]:
    """A day and a fault with the effect on the champion that is wanted; or the last one tried."""
    chance = _chance(stage, name)
    for _ in range(DAYS_TRIED):
        lead_s = 60 * chance.randint(*LEAD_MIN)
        hours = (lead_s + FAULT_LASTS_S) / script.HOUR_S
        clean = _day(stage, chance, PRODUCTION, hour=chance.randint(*BEGINNINGS), hours=hours)
        fault = make(chance, lead_s)
        moved = episodes.effect(stage, clean, episodes.faulted(stage, name, clean, fault))
        harm = max(abs(moved["mean_prediction"]), -moved["auc"]) if moved else 0.0
        if harm >= PAGES_FROM if wanted == PAGED else harm <= TICKETS_TO:
            break
    return clean, fault


def _chance(stage: Stage, name: str) -> random.Random:
    return random.Random(stage.variant.number(f"{name}: day"))


def _day(
    stage: Stage, chance: random.Random, dates: tuple[str, str], *, hour: int, hours: float
) -> Script:
    """An ordinary day: some events come twice, some late, and traffic differs by the day."""
    import pandas as pd  # noqa: PLC0415 - plans are imported while the services start

    day = pd.Timestamp(chance.choice(pd.date_range(*dates).strftime("%Y-%m-%d").tolist()))
    moves = [weeks for weeks in WEEKS if f"{day + pd.Timedelta(weeks=weeks):%m-%d}" not in PUBLIC]
    clean = script.drawn(
        stage.flights,
        f"{day:%Y-%m-%d} {hour:02}:00",
        hours,
        tick_s=TICK_S,
        rows_per_hour=chance.randint(*ROWS_PER_HOUR),
        seed=chance.getrandbits(32),
        weeks=chance.choice(moves),
    )
    life = faults.together(faults.events_twice(0.02), faults.events_late(0.03, 5))
    return life(clean, episodes.noise(stage, f"{day}: life"))


# The shares below lie clearly beyond those that the ticket says.


def frozen_weather(chance: random.Random, start_s: float) -> Fault:
    return faults.frozen_feed(chance.choice(WEATHER_SETS), start_s=start_s)


def no_weather(chance: random.Random, start_s: float) -> Fault:
    return faults.nulls(flights.WEATHER, chance.choice([0.8, 0.85, 0.95]), start_s=start_s)


def grave_unit(chance: random.Random, start_s: float) -> Fault:
    return faults.switched_unit(chance.choice(["temp", "pressure"]), start_s=start_s)


def slight_unit(chance: random.Random, start_s: float) -> Fault:
    return faults.switched_unit(chance.choice(["humid", "visib"]), start_s=start_s)


def new_category(chance: random.Random, start_s: float) -> Fault:
    column, value = chance.choice([("carrier", "ZW"), ("carrier", "QX"), ("dest", "XWA")])
    return faults.unknown_category(column, value, chance.choice([0.35, 0.4, 0.5]), start_s=start_s)


def sensor_spikes(chance: random.Random, start_s: float) -> Fault:
    column = chance.choice(["wind_speed", "temp", "pressure"])
    return faults.spikes(column, chance.choice([0.25, 0.3]), start_s=start_s)


def crowded_traffic(chance: random.Random, start_s: float) -> Fault:
    column, value = chance.choice(
        [("origin", "EWR"), ("origin", "JFK"), ("origin", "LGA"), ("carrier", "UA")]
    )
    return faults.shifted_mix(column, value, 0.85, start_s=start_s)


FAULTS = {
    "frozen weather": (PAGED, frozen_weather),
    "no weather": (PAGED, no_weather),
    "a grave unit": (PAGED, grave_unit),
    "a slight unit": (TICKETED, slight_unit),
    "a new category": (TICKETED, new_category),
    "sensor spikes": (TICKETED, sensor_spikes),
    "crowded traffic": (TICKETED, crowded_traffic),
}


def latency(stage: Stage) -> dict[str, Any]:
    """How long answers take, beside the service as it was handed out."""
    return timing.compare_with_pristine(stage, SLOWER_MAX)


def diagnosed(stage: Stage) -> dict[str, Any]:
    """What the candidate says went wrong in the recording, beside what did."""
    truth = diagnosis.truth(TRUTH, stage.variant)
    return {**diagnosis.read(stage.submitted), "truth": truth}
