"""When an alert is pending and when it fires: `for` and `keep_firing_for` of Prometheus.

The rules are those of `AlertingRule.Eval` in Prometheus' `rules/alerting.go`, for one series of an
alert's expression and evaluations at given instants:

- the first evaluation at which the condition holds makes the alert active, hence pending;
- at an evaluation where it has been active for at least `for`, it fires; with `for: 0` at once;
- one evaluation without the condition ends a pending alert, and the next one starts anew;
- a firing alert without its condition is held while less than `keep_firing_for` has passed since
  the first evaluation without it; when the condition is back in time the holding is forgotten,
  and the alert has been active all along.

Everything is in whole milliseconds, as in Prometheus: with instants of this decade, seconds in
floating point would make "for at least 0.3 s" a matter of luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Activity:
    """One stretch of an alert from pending to gone, for one series.

    Args:
        since_ms: the evaluation at which it became active (Prometheus' ActiveAt).
        firing_ms: the evaluation at which it began to fire; None if it never did.
        end_ms: the first evaluation at which it was no longer active; None if it still was at the
            last one.
    """

    since_ms: int
    firing_ms: int | None
    end_ms: int | None

    def state(self, at_ms: int) -> str:
        """The state at an evaluation: "firing", "pending" or, outside the stretch, empty."""
        if at_ms < self.since_ms or (self.end_ms is not None and at_ms >= self.end_ms):
            return ""
        return "firing" if self.firing_ms is not None and at_ms >= self.firing_ms else "pending"


def activities(
    evaluations: Iterable[tuple[int, bool]], *, for_ms: int, keep_firing_for_ms: int
) -> list[Activity]:
    """Every stretch in which an alert was active, in order of time.

    Args:
        evaluations: the instants at which the rule is evaluated, ascending, in milliseconds, and
            whether the expression gave this series there.
        for_ms: the rule's `for`.
        keep_firing_for_ms: the rule's `keep_firing_for`.
    """
    found = []
    since: int | None = None
    firing: int | None = None
    held_since: int | None = None
    for at, present in evaluations:
        if present:
            since = at if since is None else since
            held_since = None
        elif since is not None:
            held_since = at if held_since is None else held_since
            if firing is None or at - held_since >= keep_firing_for_ms:
                found.append(Activity(since, firing, at))
                since = firing = held_since = None
        if since is not None and firing is None and at - since >= for_ms:
            firing = at
    if since is not None:
        found.append(Activity(since, firing, None))
    return found
