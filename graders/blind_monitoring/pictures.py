"""What the labels said, what the service exported, and when somebody was told."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox.report import episodes
from sandbox.report.pictures import (
    AFTER,
    BAD,
    HALF_IN,
    INK,
    MUTED,
    REFERENCE,
    Picture,
    label,
    numbers,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from sandbox.report.pictures import Steps

DAY_S, HOUR_S = 86_400, 3_600
BIAS_MAX, AUC_MIN = 0.12, 0.62
# Three airlines told us in the second week of September.
CUSTOMERS_D = 28
WEEKS = {
    "summer": "Summer as it was, with nothing wrong: predictions, outcomes, and who was told",
    "real": "Late summer as it was: from the 20th of August on the model collapses",
    "biased": "Summer, from some day on with more late flights than the model can know",
    "unranked": "Summer, from some day on with a model that cannot tell flights apart",
    "healthy": "Late summer, had the model not collapsed; labels stop for three days",
}
GAUGES = {
    "bias": ("prediction_bias_ratio", (-BIAS_MAX, BIAS_MAX)),
    "auc": ("prediction_auc_ratio", (AUC_MIN,)),
}


def pictures(evidence: Steps) -> list[Picture]:
    return [
        *(
            picture(title, partial(weeks, evidence=evidence, name=name), height_in=3.4)
            for name, title in WEEKS.items()
        ),
        *(
            picture(
                f"{name} as exported and as the labels say, in late summer as it was",
                partial(gauge, evidence=evidence, ours=ours),
                height_in=2.6,
                width_in=HALF_IN,
            )
            for ours, (name, _) in GAUGES.items()
        ),
        picture(
            "A working day: a replica errs, a replica slows, scrapes are lost",
            lambda figure: incidents(figure, evidence["incidents"]),
            height_in=3.0,
        ),
    ]


def weeks(figure: Figure, evidence: Steps, name: str) -> str:
    """Daily means: an hour holds too few flights to see anything."""
    seen = evidence[name]
    return episodes.timeline(
        figure,
        {**seen, "pictured": daily(seen["pictured"])},
        unit_s=DAY_S,
        unit="days",
        noticed_s=CUSTOMERS_D * DAY_S if name == "real" else None,
    )


def daily(pictured: Mapping[str, Any]) -> dict[str, Any]:
    """What is pictured, by day; weighted with the flights of each hour."""
    days: dict[int, list[int]] = {}
    for number, at_s in enumerate(pictured["at_s"]):
        days.setdefault(int(at_s // DAY_S), []).append(number)

    def mean(values: list[float | None], rows: list[int]) -> list[float | None]:
        found: list[float | None] = []
        for members in days.values():
            known = [(v, rows[n]) for n in members if (v := values[n]) is not None]
            total = sum(count for _, count in known)
            found.append(sum(v * count for v, count in known) / total if total else None)
        return found

    return {
        "at_s": [(day + 0.5) * DAY_S for day in days],
        "inputs": {},
        "prediction": mean(pictured["prediction"], pictured["rows"]),
        "late": mean(pictured["late"], pictured["rows"]),
    }


def gauge(figure: Figure, evidence: Steps, ours: str) -> str:
    seen = evidence["real"]
    metric, objectives = GAUGES[ours]
    quality = seen["quality"]
    at = numbers(quality["at_s"]) / DAY_S
    axes = figure.subplots()
    axes.plot(at, numbers(quality[ours]), color=REFERENCE, linewidth=2.4, label="labels say")
    exported = numbers(quality["exported"][metric])
    axes.plot(at, exported, color=AFTER, linewidth=1.1, label="exported")
    for objective in objectives:
        axes.axhline(objective, color=BAD, linewidth=0.9, linestyle=(0, (4, 3)))
    for fault in seen["faults"]:
        axes.axvline(fault["start_s"] / DAY_S, color=INK, linewidth=0.9)
    axes.set_xlabel("days")
    axes.set_ylabel(label(metric, 26), color=MUTED)
    axes.legend(loc="best", ncols=2)
    there = int((exported == exported).sum())  # noqa: PLR0124 - NaN
    return (
        f"Over the last 5,000 labels. The dashed red line is the objective. {metric} was exported "
        f"at {there} of {len(at)} instants."
    )


def incidents(figure: Figure, seen: Mapping[str, Any]) -> str:
    pictured = seen["pictured"]
    failed = by_slot(seen, [status != 200 for status in seen["answers"]["status"]])
    return episodes.timeline(
        figure,
        {**seen, "pictured": {**pictured, "inputs": {}}},
        unit_s=HOUR_S,
        unit="hours",
        lines={"share of requests that failed": failed},
        upper="requests",
    )


def by_slot(seen: Mapping[str, Any], flags: list[bool]) -> list[float | None]:
    """The share of requests with a flag, in the time slots of what is pictured."""
    starts = [*seen["pictured"]["at_s"], float("inf")]
    found: list[float | None] = []
    at = [tick * seen["tick_s"] for tick in seen["answers"]["tick"]]
    for low, high in itertools.pairwise(starts):
        inside = [flag for when, flag in zip(at, flags, strict=True) if low <= when < high]
        found.append(sum(inside) / len(inside) if inside else None)
    return found
