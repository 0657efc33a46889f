"""What is answered beside what was answered in May, and two trainings beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.report.pictures import (
    AFTER,
    BEFORE,
    FAINT,
    HALF_IN,
    Picture,
    numbers,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sandbox.report.pictures import Steps

EQUAL_WITHIN = 1e-6


def pictures(evidence: Steps) -> list[Picture]:
    return [
        picture(
            "Scores beside those of May, one dot a flight",
            lambda figure: beside_may(figure, evidence),
            height_in=3.2,
        ),
        picture(
            "Two trainings on the same flights, one dot a flight",
            lambda figure: trainings(figure, evidence["retrained"]),
            width_in=HALF_IN,
            height_in=3.2,
        ),
    ]


def beside_may(figure: Figure, evidence: Steps) -> str:
    parity, later = evidence["parity"], evidence["later"]
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    shares = [
        scatter(axes[0], "Handed out", parity["expected"], parity["handed_out"], BEFORE),
        scatter(axes[1], "Submitted", parity["expected"], parity["served"], AFTER),
        scatter(axes[2], "Submitted, the index gone on", later["expected"], later["served"], AFTER),
    ]
    axes[0].set_ylabel("served")
    for each in axes:
        each.set_xlabel("in May")
    before, now, then = (f"{share:.1%}" for share in shares)
    return (
        f"As in May: {before} of the flights as it was handed out, {now} as it was submitted, and "
        f"{then} once newer releases were published and one was withdrawn."
    )


def trainings(figure: Figure, seen: Mapping[str, Any]) -> str:
    axes = figure.subplots()
    share = scatter(axes, "", seen["first"], seen["again"], AFTER, within=0.0)
    axes.set(xlabel="the first", ylabel="the second")
    apart = np.nanmax(np.abs(numbers(seen["first"]) - numbers(seen["again"])))
    return (
        f"{share:.1%} of the predictions are the same, bit by bit; the largest gap is {apart:.3f}."
    )


def scatter(
    axes: Axes,
    title: str,
    wanted: Any,
    given: Any,
    color: str,
    *,
    within: float = EQUAL_WITHIN,
) -> float:
    """Dots on the diagonal are equal; gives their share."""
    x, y = numbers(wanted), numbers(given)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    axes.scatter(x, y, s=3, color=color, alpha=0.4, linewidths=0, rasterized=True)
    axes.set(xlim=(0, 1), ylim=(0, 1), title=title)
    return float((np.abs(x - y) <= within).mean())
