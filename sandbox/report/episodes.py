"""Pictures of episodes: inputs and predictions over time, onsets, alerts, customers noticing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.grading.alarms import PAGE, Alarm, alarms, false_alarms
from sandbox.report.pictures import (
    AFTER,
    BAD,
    BEFORE,
    FAINT,
    INK,
    MUTED,
    REFERENCE,
    label,
    numbers,
)
from sandbox.report.words import count, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LANES_MAX = 6
# How many alerts a caption names, and how long a name may be.
NAMED_MAX, NAME_CHARACTERS = 4, 40


def timeline(
    figure: Figure,
    episode: Mapping[str, Any],
    *,
    unit_s: float,
    unit: str,
    noticed_s: float | None = None,
    lines: Mapping[str, Sequence[float | None]] | None = None,
    upper: str = "prediction and outcome",
) -> str:
    """Draw an episode: what was predicted, one input that went wrong, and when alerts fired.

    Args:
        figure: an empty one.
        episode: its evidence.
        unit_s: seconds of one unit of the horizontal axis.
        unit: what that unit is called.
        noticed_s: when customers notice, in seconds from the start.
        lines: what the upper part shows, by name, at the times of `pictured`; mean prediction and
            share late unless given.
        upper: what these have in common.

    Returns:
        What is to be seen, in words.
    """
    drawn = episode["pictured"]
    at = numbers(drawn["at_s"]) / unit_s
    inputs = list(drawn["inputs"].items())[:1]
    heights = [2.2, *([1.6] * len(inputs)), 1.2]
    parts = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[
        :, 0
    ]
    shown = lines or {"predicted": drawn["prediction"], "really late": drawn["late"]}
    for (name, values), color in zip(shown.items(), (AFTER, REFERENCE, BEFORE), strict=False):
        parts[0].plot(at, numbers(values), color=color, linewidth=1.4, label=label(name))
    parts[0].set_ylabel(upper)
    parts[0].margins(y=0.25)
    parts[0].legend(loc="upper left", ncols=3)
    for axes, (name, values) in zip(parts[1:], inputs, strict=False):
        _input(axes, at, name, values)
    _lanes(parts[-1], episode, unit_s)
    for axes in parts:
        _onsets(axes, episode, unit_s, noticed_s)
    parts[-1].set_xlabel(unit)
    parts[-1].set_xlim(0, (episode["ticks"] - 1) * episode["tick_s"] / unit_s)
    return _caption(episode, unit_s, unit, noticed_s)


def _input(axes: Axes, at: Any, name: str, values: Mapping[str, Any]) -> None:
    axes.set_ylabel(label(name, 14))
    if "shares" in values:
        for value, shares in values["shares"].items():
            axes.plot(at, numbers(shares), linewidth=1.1, label=label(value, 12))
        axes.plot(at, numbers(values["other"]), color=BAD, linewidth=1.4, label="unknown")
        axes.set_ylim(0, 1.3)
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.legend(loc="upper left", ncols=4)
        return
    axes.fill_between(at, numbers(values["p5"]), numbers(values["p95"]), color=FAINT, linewidth=0)
    axes.plot(at, numbers(values["p50"]), color=BEFORE, linewidth=1.2, label="median, 5-95 %")
    missing = axes.twinx()
    missing.plot(at, numbers(values["missing"]), color=BAD, linewidth=1, linestyle=(0, (2, 2)))
    missing.set_ylim(0, 1.05)
    missing.set_yticks([0, 1], ["0", "1"])
    missing.set_ylabel("null", color=BAD)


def _lanes(axes: Axes, episode: Mapping[str, Any], unit_s: float) -> None:
    """A lane for each alert that fired."""
    wrong = set(false_alarms(episode))
    by_alert: dict[str, list[Alarm]] = {}
    for alarm in alarms(episode):
        by_alert.setdefault(alarm.alert, []).append(alarm)
    last = (episode["ticks"] - 1) * episode["tick_s"]
    names = list(by_alert)[:LANES_MAX]
    for lane, name in enumerate(names):
        for alarm in by_alert[name]:
            until = last if alarm.end_s is None else alarm.end_s
            color = BAD if alarm in wrong else AFTER if alarm.severity == PAGE else REFERENCE
            axes.barh(
                lane,
                max(until - alarm.start_s, episode["tick_s"]) / unit_s,
                left=alarm.start_s / unit_s,
                height=0.6,
                color=color,
            )
    axes.set_yticks(range(len(names)), [label(name, 26) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
    if not names:
        axes.text(0.01, 0.5, "no alert fired", transform=axes.transAxes, color=MUTED, va="center")


def _onsets(axes: Axes, episode: Mapping[str, Any], unit_s: float, noticed_s: float | None) -> None:
    last = (episode["ticks"] - 1) * episode["tick_s"]
    for fault in episode["faults"]:
        until = last if fault["until_s"] is None else fault["until_s"]
        axes.axvspan(fault["start_s"] / unit_s, until / unit_s, color=BEFORE, alpha=0.07, zorder=0)
        axes.axvline(fault["start_s"] / unit_s, color=BEFORE, linewidth=1)
    if noticed_s is not None and noticed_s <= last:
        axes.axvline(noticed_s / unit_s, color=BAD, linewidth=1, linestyle=(0, (4, 3)))


def _caption(episode: Mapping[str, Any], unit_s: float, unit: str, noticed_s: float | None) -> str:
    wrong = false_alarms(episode)
    said = []
    for fault in episode["faults"]:
        said.append(f"From {fault['start_s'] / unit_s:.1f} {unit} on, {fault['words']}.")
    if not episode["faults"]:
        said.append("Nothing goes wrong here.")
    fired = [alarm for alarm in alarms(episode) if alarm not in wrong]
    if fired:
        first = fired[0]
        name = label(first.alert, NAME_CHARACTERS)
        said.append(f"{name} fires first, at {first.start_s / unit_s:.1f} {unit}.")
    elif episode["faults"]:
        said.append("No alert tells of it.")
    if wrong:
        names = sorted({label(alarm.alert, NAME_CHARACTERS) for alarm in wrong})
        more = [f"{len(names) - NAMED_MAX} more"] if len(names) > NAMED_MAX else []
        said.append(
            f"{count(len(wrong), 'false alarm')} (red): {listed(names[:NAMED_MAX] + more)}."
        )
    if noticed_s is not None:
        said.append("The dashed line is where customers notice.")
    return label(" ".join(said), 400)
