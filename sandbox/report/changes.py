"""What a candidate changed, and what they said was broken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox.report.words import plain
from sandbox.untrusted import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Enough for honest work; generated files must not bury the report.
FILE_LINES = 500
ALL_LINES = 4000

FINDING = ("component", "subject", "kind")


class LineKind(StrEnum):
    """What a line of a diff is."""

    HUNK = "hunk"
    ADDED = "added"
    REMOVED = "removed"
    CONTEXT = "context"
    REMARK = "remark"


@dataclass(frozen=True)
class Line:
    """One line of a diff, without its sign; a remark is no line of the file."""

    kind: LineKind
    text: str


@dataclass(frozen=True)
class Change:
    """What happened to one file.

    Args:
        path: the file, relative to the workspace.
        kind: added, modified or removed; `cut` stands for files that are not shown.
        lines: its diff.
        added: how many lines were added.
        removed: how many lines were removed.
        left_out: how many lines of the diff are not shown.
    """

    path: str
    kind: str
    lines: tuple[Line, ...]
    added: int
    removed: int
    left_out: int


class Standing(StrEnum):
    """How a finding compares with the truth."""

    FOUND = "found"
    MISSED = "missed"
    WRONG = "wrong"
    AGAIN = "again"


@dataclass(frozen=True)
class Finding:
    """One thing that was broken, or said to be."""

    standing: Standing
    component: str
    subject: str
    kind: str


@dataclass(frozen=True)
class Diagnosis:
    """What the candidate said was broken, beside what was.

    Args:
        findings: what was broken, then what was only said to be.
        notes: the candidate's own words.
        problem: why the file could not be read; empty otherwise.
    """

    findings: tuple[Finding, ...]
    notes: str
    problem: str


def read_changes(diff: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    """The diff of each file, cut where it gets too long to be read."""
    changes: list[Change] = []
    left = ALL_LINES
    for entry in diff:
        lines = _lines(str(entry.get("unified") or ""))
        shown = lines[: min(FILE_LINES, left)]
        left -= len(shown)
        changes.append(
            Change(
                path=str(entry.get("path", "")),
                kind=str(entry.get("kind", "")),
                lines=tuple(shown),
                added=sum(line.kind is LineKind.ADDED for line in lines),
                removed=sum(line.kind is LineKind.REMOVED for line in lines),
                left_out=len(lines) - len(shown),
            )
        )
    return tuple(changes)


def read_diagnosis(data: Mapping[str, Any]) -> Diagnosis | None:
    """The diagnosis set against the truth; None when there is nothing to set."""
    if not data:
        return None
    said = list(dict.fromkeys(_parts(entry) for entry in data.get("findings") or []))
    findings: list[Finding] = []
    known = []
    for entry in data.get("truth") or []:
        # A fault may be called by several names, and its kind as well.
        component = entry["component"]
        names, kinds = (
            [value] if isinstance(value, str) else list(value)
            for value in (entry["subject"], entry["kind"])
        )
        called = [(component, name, kind) for name in names for kind in kinds]
        matching = [each for each in called if each in said]
        known += matching
        if matching:
            findings.append(Finding(Standing.FOUND, *matching[0]))
            findings += [Finding(Standing.AGAIN, *match) for match in matching[1:]]
        else:
            either = " or ".join
            findings.append(Finding(Standing.MISSED, component, either(names), either(kinds)))
    findings += [Finding(Standing.WRONG, *entry) for entry in said if entry not in known]
    notes, problem = (plain(str(data.get(name) or "")) for name in ("notes", "problem"))
    return Diagnosis(tuple(findings), notes, problem)


def _parts(finding: Mapping[str, Any]) -> tuple[str, str, str]:
    component, subject, kind = (plain(str(finding.get(name) or "")) for name in FINDING)
    return component, subject, kind


def _lines(unified: str) -> list[Line]:
    """A unified diff by line; what is none, such as the reason why there is none, is a remark."""
    lines: list[Line] = []
    kinds = {
        "@": LineKind.HUNK,
        "+": LineKind.ADDED,
        "-": LineKind.REMOVED,
        " ": LineKind.CONTEXT,
        "": LineKind.CONTEXT,
    }
    # Not `splitlines`, which also breaks inside a line of a file, at form feeds and the like.
    for raw in unified.split("\n") if unified else ():
        if not lines and raw.startswith(("--- ", "+++ ")):
            continue  # they repeat the file's name
        kind = kinds.get(raw[:1], LineKind.REMARK)
        whole = kind in (LineKind.HUNK, LineKind.REMARK)
        lines.append(Line(kind, visible(raw if whole else raw[1:])))
    return lines
