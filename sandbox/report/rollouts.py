"""Pictures of releases: who got one, how it fared beside the stable version, what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.errors import SubmissionFault
from sandbox.report.pictures import (
    AFTER,
    BAD,
    BEFORE,
    FAINT,
    GOOD,
    INK,
    MUTED,
    REFERENCE,
    label,
    numbers,
)
from sandbox.report.words import count
from sandbox.rollout.analysis import ERROR, FAILED, SUCCESSFUL
from sandbox.rollout.state import ABORTED, PROMOTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MINUTE_S = 60
STABLE = "stable"
LANES_MAX = 7
# How many weights have their figure written beside them, and how long words of others may be.
WEIGHTS_WRITTEN, NAME_CHARACTERS, WHY_CHARACTERS = 8, 40, 200
CAPTION_CHARACTERS = 500
PERCENTS = (0, 50, 100)
# A track's column by what it counts, and in which colour.
SHARES = {"failed": BAD, "numberless": BEFORE, "slow": INK}
SAID = {"failed": "failed", "numberless": "without numbers", "slow": "slow"}
# How a verdict is drawn: whoever cannot tell the colours apart has the shapes.
MARKS = {SUCCESSFUL: (GOOD, "o"), FAILED: (BAD, "X")}
OTHER_MARK = (BEFORE, "D")
ENDS = {ABORTED: BAD, PROMOTED: GOOD}


class Mark(NamedTuple):
    """A measurement in a lane: when, its verdict, and whether it decides nothing."""

    at_s: float
    phase: str
    dry_run: bool


def passage(figure: Figure, release: Mapping[str, Any]) -> str:
    """Draw one release over the minutes since it was shipped.

    From top to bottom: the percent of customers who get it; of each track the percent of requests
    that failed, had no number or were slow, of these three what happened at all; both mean
    predictions (a dot for each tick, a line for the last minute); and a lane for each metric of the
    analyses, with a mark for each measurement, hollow where it decides nothing.

    Args:
        figure: an empty one.
        release: its evidence (`sandbox.probes.releases.run`).

    Returns:
        How it ended, in words.

    Raises:
        SubmissionFault: the manifest was refused, so that there is nothing to draw.
    """
    if release["problem"]:
        raise SubmissionFault(expected="a release", seen=ending(release).removesuffix("."))
    by_name = lanes(release["rollout"])
    shown = _chosen(by_name)
    heights = [1.3, 1.2, 1.4, 0.55 + 0.22 * max(len(shown), 1)]
    parts = figure.subplots(4, 1, sharex=True, height_ratios=heights)
    at = [
        (tick - release["released_at"]) * release["tick_s"] / MINUTE_S
        for tick in range(release["ticks"])
    ]
    _weights(parts[0], release["weights"], at[-1])
    minute = max(round(MINUTE_S / release["tick_s"]), 1)
    _shares(parts[1], at, release["tracks"], minute)
    _means(parts[2], at, release["tracks"], minute)
    _lanes(parts[3], {name: by_name[name] for name in shown})
    for axes in parts:
        axes.axvline(0, color=FAINT, linewidth=1, zorder=0)
        if release["outcome"] in ENDS:
            end = release["ended_s"] / MINUTE_S
            axes.axvline(end, color=ENDS[release["outcome"]], linewidth=1.2, zorder=1)
    parts[3].set_xlabel("minutes since it was shipped")
    parts[3].set_xlim(at[0], max(at[-1], at[0] + 1))
    figure.align_ylabels(parts)
    words = ending(release)
    if hidden := len(by_name) - len(shown):
        words += f" Of {count(len(by_name), 'metric')}, {hidden} are not drawn."
    return label(words, CAPTION_CHARACTERS)


def ending(release: Mapping[str, Any]) -> str:
    """How a release ended and how many requests it got, in a sentence.

    Args:
        release: its evidence; names and messages in it are the submission's.
    """
    if release["problem"]:
        first, *more = release["problem"].splitlines()
        rest = f" (and {count(len(more), 'more problem')})" if more else ""
        return f"The manifest was refused: {label(first, WHY_CHARACTERS)}{rest}."
    share = release["exposed"] / release["asked"] if release["asked"] else 0.0
    reached = f"it got {share:.1%} of the requests".replace("%", " %")
    rollout = release["rollout"]
    if release["outcome"] == ABORTED:
        return f"Aborted after {release['ended_s']:.0f} s by {cause(rollout)}; {reached}."
    if release["outcome"] == PROMOTED:
        return f"Promoted after {release['ended_s']:.0f} s, to everybody; before, {reached}."
    if release["cut"]:
        return f"Neither aborted nor promoted when {reached}; the rest was not replayed."
    lasted_s = (release["ticks"] - 1 - release["released_at"]) * release["tick_s"]
    return f"Neither aborted nor promoted in {lasted_s:.0f} s: {standing(rollout)}; {reached}."


def cause(rollout: Mapping[str, Any]) -> str:
    """What aborted a rollout: the metric with its limit, or else what the abort's event says."""
    for run in reversed(rollout["runs"]):
        if run["phase"] not in (ERROR, FAILED):
            continue
        for metric in run["metrics"]:
            name = metric["metric"]["name"]
            lead = f'Metric "{name}" assessed {run["phase"]} due to '
            if run["message"].startswith(lead):
                why = run["message"].removeprefix(lead)
                return f"{label(name, NAME_CHARACTERS)}: {label(why, WHY_CHARACTERS)}"
        why = run["message"] or run["phase"]
        return f"the analysis {label(run['name'])}: {label(why, WHY_CHARACTERS)}"
    said = next((e["words"] for e in rollout["events"] if e["kind"] == "RolloutAborted"), "")
    why = said.removeprefix("Rollout aborted update").removeprefix(": ")
    return f"the controller: {label(why, WHY_CHARACTERS)}" if why else "a person"


def standing(rollout: Mapping[str, Any]) -> str:
    """Where a rollout that has not ended stands: its phase, the step, and why."""
    steps, number = rollout["steps"], rollout["step"]
    step = (
        f"step {number + 1} of {len(steps)} ({label(steps[number])})"
        if number < len(steps)
        else "the end of its steps"
    )
    why = f", {label(rollout['message'], WHY_CHARACTERS)}" if rollout["message"] else ""
    return f"{label(rollout['phase'])} at {step}{why}"


def lanes(rollout: Mapping[str, Any]) -> dict[str, list[Mark]]:
    """What was measured, by metric, in the order in which metrics come up in the runs.

    A metric of several runs has one lane. A run that could not be made sense of has one of its own,
    with its error.
    """
    found: dict[str, list[Mark]] = {}
    for run in rollout["runs"]:
        if not run["metrics"]:
            found.setdefault(run["name"], []).append(Mark(run["started_s"], run["phase"], False))
        for metric in run["metrics"]:
            dry = metric["metric"]["dry_run"]
            found.setdefault(metric["metric"]["name"], []).extend(
                Mark(taken["at_s"], taken["phase"], dry) for taken in metric["measurements"]
            )
    return found


def _chosen(by_name: Mapping[str, Sequence[Mark]]) -> list[str]:
    """As many lanes as there is room for: where something was not Successful they come first."""
    dull = [name for name, marks in by_name.items() if all(m.phase == SUCCESSFUL for m in marks)]
    kept = [*(name for name in by_name if name not in dull), *dull][:LANES_MAX]
    return [name for name in by_name if name in kept]


def _weights(axes: Axes, weights: Sequence[Sequence[float]], until: float) -> None:
    at = [0.0, *(since_s / MINUTE_S for since_s, _ in weights), until]
    percents = [0.0, *(percent for _, percent in weights)]
    axes.step(at, [*percents, percents[-1]], where="post", color=AFTER, linewidth=1.6)
    axes.fill_between(at, [*percents, percents[-1]], step="post", color=AFTER, alpha=0.12, lw=0)
    for since_s, percent in weights[:WEIGHTS_WRITTEN]:
        axes.annotate(
            f"{percent:g}",
            (since_s / MINUTE_S, percent),
            xytext=(2, 2),
            textcoords="offset points",
            color=MUTED,
        )
    axes.set_ylim(0, 118)
    axes.set_yticks(PERCENTS, [f"{tick} %" for tick in PERCENTS])
    axes.set_ylabel("customers")


def _shares(
    axes: Axes, at: Sequence[float], tracks: Mapping[str, Mapping[str, Any]], minute: int
) -> None:
    """Each thing that happened at all, for each track to which it did."""
    for column, color in SHARES.items():
        for track, columns in tracks.items():
            if any(columns[column]):
                by_tick, smooth = (percent(columns, column, ticks) for ticks in (1, minute))
                _line(axes, at, by_tick, smooth, **_style(track, SAID[column], color))
    axes.set_ylim(-5, 150)
    axes.set_yticks(PERCENTS, [f"{tick} %" for tick in PERCENTS])
    axes.set_ylabel("requests")
    if axes.lines:
        axes.legend(loc="upper left", ncols=4)
        return
    said = "none failed, was slow or went without numbers"
    axes.text(0.01, 0.5, said, transform=axes.transAxes, color=MUTED, va="center")


def _means(
    axes: Axes, at: Sequence[float], tracks: Mapping[str, Mapping[str, Any]], minute: int
) -> None:
    for track, columns in tracks.items():
        by_tick, smooth = (means(columns, ticks) for ticks in (1, minute))
        if any(value is not None for value in columns["mean_prediction"]):
            color = REFERENCE if track == STABLE else AFTER
            _line(axes, at, by_tick, smooth, **_style(track, "", color))
    low, high = axes.get_ylim()
    # The upper part is for the legend.
    axes.set_ylim(low, high + 0.5 * (high - low))
    axes.set_ylabel("prediction")
    if axes.lines:
        axes.legend(loc="upper left", ncols=2)


def percent(columns: Mapping[str, Any], column: str, ticks: int) -> NDArray[Any]:
    """What a column counts in percent of a track's requests of the last so many ticks, by tick.

    Customers' answers and the router's counts may be split differently in the tick in which a
    release is promoted: never more than all.
    """
    import numpy as np  # noqa: PLC0415 - as in pictures.py

    shares = _ratio(numbers(columns[column]), numbers(columns["requests"]), ticks)
    found: NDArray[Any] = np.minimum(100 * shares, 100)
    return found


def means(columns: Mapping[str, Any], ticks: int) -> NDArray[Any]:
    """A track's mean prediction in the last so many ticks, each with the weight of its requests."""
    requests = numbers(columns["requests"])
    return _ratio(numbers(columns["mean_prediction"]) * requests, requests, ticks)


def _ratio(parts: NDArray[Any], wholes: NDArray[Any], ticks: int) -> NDArray[Any]:
    """Sum of parts by sum of wholes over the last ticks; NaN in a tick of which nothing is known.

    A NaN among the parts takes its whole with it.
    """
    import numpy as np  # noqa: PLC0415 - as in pictures.py

    known = ~np.isnan(parts) & (wholes > 0)
    kernel = np.ones(ticks)
    above, below = (
        np.convolve(np.where(known, values, 0.0), kernel)[: len(values)]
        for values in (parts, wholes)
    )
    found: NDArray[Any] = np.divide(above, below, out=np.full(len(parts), np.nan), where=known)
    return found


def _style(track: str, what: str, color: str) -> dict[str, Any]:
    """Stable is dashed."""
    dashes = (0, (4, 2)) if track == STABLE else "solid"
    return {"color": color, "linestyle": dashes, "label": f"{track} {what}".strip()}


def _line(
    axes: Axes, at: Sequence[float], by_tick: NDArray[Any], smooth: NDArray[Any], **style: Any
) -> None:
    """A line for the last minute, and a dot for each tick: a canary has few requests in one."""
    axes.plot(at, smooth, linewidth=1.4, **style)
    axes.scatter(at, by_tick, s=5, color=style["color"], alpha=0.35, linewidth=0)


def _lanes(axes: Axes, by_name: Mapping[str, Sequence[Mark]]) -> None:
    seen: dict[str, Any] = {}
    for lane, marks in enumerate(by_name.values()):
        for phase, dry in sorted({(mark.phase, mark.dry_run) for mark in marks}):
            color, shape = MARKS.get(phase, OTHER_MARK)
            at = sorted({m.at_s / MINUTE_S for m in marks if (m.phase, m.dry_run) == (phase, dry)})
            drawn = axes.scatter(
                at,
                [lane] * len(at),
                s=17,
                marker=shape,
                facecolor="none" if dry else color,
                edgecolor=color,
                linewidth=0.8,
                zorder=3,
            )
            seen.setdefault(f"{phase}, dry run" if dry else phase, drawn)
    axes.set_yticks(range(len(by_name)), [label(name, 22) for name in by_name])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(max(len(by_name), 1) - 0.4, -0.6)
    axes.grid(axis="y")
    if seen:
        axes.legend(
            seen.values(),
            [label(name, 24) for name in seen],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            borderaxespad=0.1,
            handletextpad=0.1,
            ncols=4,
        )
        return
    axes.text(0.01, 0.5, "nothing was measured", transform=axes.transAxes, color=MUTED, va="center")
