"""What rules leave behind in Prometheus: recorded series, ALERTS and ALERTS_FOR_STATE.

As in Prometheus a series that an evaluation no longer gives is ended by a stale marker at that
evaluation, so that nobody sees it any longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.telemetry.series import STALE, Labels, series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sandbox.telemetry.alerting import Activity

ALERTS, FOR_STATE = "ALERTS", "ALERTS_FOR_STATE"

Sample = tuple[Labels, int, float]
"""A series, an instant in milliseconds since 1970, and a value."""

Result = dict[Labels, dict[int, float]]
"""What an expression gave: by series, its value at each instant at which it has one."""


def recorded(found: Result, instants: range) -> Iterator[Sample]:
    """The samples of a recording rule, each series ended by a stale marker where it ends."""
    for labels, points in found.items():
        for at_ms, value in points.items():
            yield labels, at_ms, value
            after = at_ms + instants.step
            if after in instants and after not in points:
                yield labels, after, STALE


def states(active: Mapping[Labels, Sequence[Activity]], instants: range) -> Iterator[Sample]:
    """The samples of ALERTS and ALERTS_FOR_STATE, with a stale marker where a series ends."""
    for labels, stretches in active.items():
        for_state = series(FOR_STATE, dict(labels))
        by_state = {
            name: series(ALERTS, {**dict(labels), "alertstate": name})
            for name in ("pending", "firing")
        }
        for one in stretches:
            before = ""
            for at_ms in _between(one, instants):
                state = one.state(at_ms)
                if before and state != before:
                    yield by_state[before], at_ms, STALE
                if state:
                    yield by_state[state], at_ms, 1.0
                before = state
                yield for_state, at_ms, one.since_ms // 1000 if state else STALE


def untold(samples: Iterable[Sample], told: dict[Labels, set[int]]) -> Iterator[Sample]:
    """The samples that no other rule gave: of two alerts of one name and labels, the first's."""
    for labels, at_ms, value in samples:
        instants = told.setdefault(labels, set())
        if at_ms not in instants:
            instants.add(at_ms)
            yield labels, at_ms, value


def _between(stretch: Activity, instants: range) -> range:
    """The instants of a stretch, and the one at which it has ended."""
    if stretch.end_ms is None:
        return range(stretch.since_ms, instants.stop, instants.step)
    return range(stretch.since_ms, stretch.end_ms + 1, instants.step)
