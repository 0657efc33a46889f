"""Who answered, request by request, and when the commands ran: drawn for the reviewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.grading.sequences import failures, requests, versions
from sandbox.report.pictures import (
    AFTER,
    BAD,
    BEFORE,
    FAINT,
    INK,
    MUTED,
    REFERENCE,
    Picture,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from sandbox.report.pictures import Steps

COLORS = (BEFORE, AFTER, REFERENCE, MUTED)
FAILED = "failed"
Command = tuple[str, "Mapping[str, Any]"]


def pictures(evidence: Steps) -> list[Picture]:
    return [
        picture(
            "Back, again, and to a version that nobody has",
            lambda figure: on_a_good_day(figure, evidence["rollback"]),
            height_in=1.9,
        ),
        picture(
            "Forward again, by the next promotion",
            lambda figure: forward(figure, evidence["forward"]),
            height_in=1.7,
        ),
        picture(
            "With the registry away, and away again",
            lambda figure: outage(figure, evidence["outage"]),
            height_in=1.9,
        ),
        picture(
            "Started again while the registry is away",
            lambda figure: restarted(figure, evidence["outage"]["restarted"]),
            height_in=1.7,
        ),
        picture(
            "While a slow release is loaded, and after one that crashed",
            lambda figure: bad_releases(figure, evidence["releases"]),
            height_in=2.1,
        ),
    ]


def on_a_good_day(figure: Figure, seen: Mapping[str, Any]) -> str:
    commands = [
        (name, seen[key])
        for key, name in (("back", "to 1"), ("again", "again"), ("nobody", "to 99"))
        if key in seen
    ]
    return timeline(figure, seen["runs"], commands)


def forward(figure: Figure, seen: Mapping[str, Any]) -> str:
    promoted = seen["promoted"]
    return timeline(figure, seen["runs"], [(f"promote {promoted['to']}", promoted)])


def outage(figure: Figure, seen: Mapping[str, Any]) -> str:
    commands = [
        (name, seen[key]) for key, name in (("back", "to 1"), ("again", "again"), ("forth", "to 2"))
    ]
    said = timeline(figure, seen["runs"], commands)
    return said + " The registry is away during each command, and back before the last."


def restarted(figure: Figure, seen: Mapping[str, Any]) -> str:
    said = timeline(figure, seen["runs"], [], {"registry back": seen["back_at"]})
    return said + " The first request is the first after the start."


def bad_releases(figure: Figure, seen: Mapping[str, Any]) -> str:
    commands = [(f"to {seen[key]['to']}", seen[key]) for key in ("overtaken", "after_crash")]
    events = {"crashing release": seen["crashed_at"], "version 3": seen["promoted_at"]}
    said = timeline(figure, seen["runs"], commands, events)
    return (
        said
        + f" Version {seen['slow']} is the slow release, promoted just before the first command."
    )


def timeline(
    figure: Figure,
    runs: Sequence[Mapping[str, Any]],
    commands: Sequence[Command],
    events: Mapping[str, int] | None = None,
) -> str:
    """One line for each version, requests in their order; failures on the lowest line."""
    lines = sorted(set(versions(runs)), key=int)
    rows = [FAILED, *lines] if failures(runs)[0] else lines
    axes = figure.subplots()
    for name, command in commands:
        axes.axvspan(command["first"], command["last"], color=FAINT, alpha=0.45, linewidth=0)
        status = "no end" if command["status"] is None else f"exit {command['status']}"
        note(axes, command["first"], f"{name}: {status}", INK)
    for name, place in (events or {}).items():
        axes.axvline(place, color=MUTED, linestyle=(0, (3, 2)), linewidth=1)
        note(axes, place, name, MUTED)
    position = 0
    for run in runs:
        row = run["version"] or FAILED
        color = BAD if row == FAILED else COLORS[lines.index(row) % len(COLORS)]
        axes.broken_barh(
            [(position, run["requests"])], (rows.index(row) - 0.3, 0.6), color=color, linewidth=0
        )
        position += run["requests"]
    axes.set_yticks(
        range(len(rows)), [FAILED if row == FAILED else f"version {row}" for row in rows]
    )
    axes.set(xlim=(0, max(1, position)), ylim=(-0.6, len(rows) - 0.4), xlabel="request")
    failed, problem = failures(runs)
    words = f"{requests(runs)} requests one after the other; shaded: while a command ran. "
    if failed:
        return words + f"{failed} failed, the first: {problem}."
    return words + "None failed."


def note(axes: Any, place: int, text: str, color: str) -> None:
    axes.annotate(
        text,
        (place, 1),
        xycoords=("data", "axes fraction"),
        xytext=(1, 3),
        textcoords="offset points",
        color=color,
        fontsize=7.5,
    )
