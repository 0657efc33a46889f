"""What the feed did, what was predicted, and when somebody was told: drawn for the reviewer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sandbox import script
from sandbox.grading.alarms import rows_between
from sandbox.report import episodes
from sandbox.report.pictures import HALF_IN, Picture, picture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from matplotlib.figure import Figure

    from sandbox.report.pictures import Steps

FAULTY = {
    "frozen_weather": "Frozen weather",
    "no_weather": "No weather",
    "a_grave_unit": "A unit switched upstream, with grave effect",
    "a_slight_unit": "A unit switched upstream, with slight effect",
    "a_new_category": "A category nobody knows",
    "sensor_spikes": "A sensor that spikes",
    "crowded_traffic": "Traffic crowded out",
}
ORDINARY = {
    "a_day_in_june": "An ordinary day in June",
    "a_day_in_july": "An ordinary day in July",
    "a_day_in_autumn": "An ordinary day in autumn",
}
NOTICED_ROWS = 5_000


def pictures(evidence: Steps) -> list[Picture]:
    return [
        picture(
            title,
            partial(episode, evidence=evidence, step=step),
            width_in=HALF_IN,
            height_in=height,
        )
        for names, height in ((FAULTY, 3.6), (ORDINARY, 2.4))
        for step, title in names.items()
    ]


def episode(figure: Figure, evidence: Steps, step: str) -> str:
    seen = evidence[step]
    return episodes.timeline(
        figure, seen, unit_s=script.HOUR_S, unit="hours", noticed_s=noticed(seen)
    )


def noticed(seen: Mapping[str, Any]) -> float | None:
    """When customers have noticed: that many rows after the fault began."""
    for fault in seen["faults"]:
        for tick in range(seen["ticks"]):
            at = tick * seen["tick_s"]
            if rows_between(seen, fault["start_s"], at) >= NOTICED_ROWS:
                return float(at)
    return None
