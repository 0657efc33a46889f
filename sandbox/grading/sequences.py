"""Sequences of answers under continuous traffic, judged by their order and never by their duration.

A sequence is a list of runs, each some requests in a row that fared alike:

    {"version": "2", "said": "2", "problem": "", "requests": 153}

`version` is the one whose predictions came back, empty where none did; `said` is what the answer's
header claims. Positions count requests from 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Run = dict[str, Any]


def part(runs: Sequence[Mapping[str, Any]], start: int, end: int | None = None) -> list[Run]:
    """The runs of the requests from `start` on, up to but without `end`."""
    found: list[Run] = []
    position = 0
    for run in runs:
        first = max(position, start)
        position += run["requests"]
        last = position if end is None else min(position, end)
        if first < last:
            found.append({**run, "requests": last - first})
    return found


def versions(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which versions answered, in order, each change once; failures are left out."""
    found: list[str] = []
    for run in runs:
        if run["version"] and found[-1:] != [run["version"]]:
            found.append(run["version"])
    return found


def requests(runs: Sequence[Mapping[str, Any]]) -> int:
    """How many requests there are."""
    return sum(run["requests"] for run in runs)


def failures(runs: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """How many requests were not answered with one version's predictions, and why the first."""
    failed = [run for run in runs if not run["version"]]
    return requests(failed), failed[0]["problem"] if failed else ""


def untruths(runs: Sequence[Mapping[str, Any]]) -> int:
    """How many answers claim another version than the one that gave the predictions."""
    return requests([run for run in runs if run["version"] and run["said"] != run["version"]])


def in_words(runs: Sequence[Mapping[str, Any]]) -> str:
    """Such as `153 by version 2, 3 failed (status 503), 80 by version 1`."""
    parts = []
    for run in _joined(runs):
        if run["version"]:
            parts.append(f"{run['requests']} by version {run['version']}")
        else:
            parts.append(f"{run['requests']} failed ({run['problem']})")
    return ", ".join(parts) or "no requests"


def _joined(runs: Sequence[Mapping[str, Any]]) -> list[Run]:
    """The same without `said`, so that neighbours that are alike otherwise are one."""
    joined: list[Run] = []
    for run in runs:
        if joined and all(joined[-1][key] == run[key] for key in ("version", "problem")):
            joined[-1]["requests"] += run["requests"]
        else:
            joined.append({**run})
    return joined


def noticed(runs: Sequence[Mapping[str, Any]], *allowed: Sequence[str]) -> str:
    """What customers noticed, in words; empty where every request was answered by one version, and
    the versions in turn are one of the allowed sequences.
    """
    failed, problem = failures(runs)
    if failed:
        return f"{failed} of {requests(runs)} requests failed, the first: {problem}"
    seen = versions(runs)
    if seen not in [list(sequence) for sequence in allowed]:
        return "answered by version " + (", then ".join(seen) or "none")
    return ""
