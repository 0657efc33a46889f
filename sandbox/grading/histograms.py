"""Histograms judged: what a service exported beside what it was asked, whatever its buckets are.

A bucket is `[bound, exported, least, most]`, as `sandbox.probes.distributions` gives it: its upper
bound (None for +Inf), and how many rows are at or below it as exported, at least and at most.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Bucket: TypeAlias = "Sequence[Any]"

# Of all rows: what a restart of counting or a request in flight may miss.
TOLERANCE = 0.005
# Of a quantity that takes many values.
BUCKETS_MIN = 5
# Of such a quantity, so much may lie in one bucket on the day on which it is spread best.
WIDEST_MAX = 0.9


def fault_of(buckets: Sequence[Bucket], rows: int, buckets_min: int) -> str:
    """What is wrong with the buckets of one histogram; empty where nothing is.

    Args:
        buckets: in order of their bounds; empty where it is not exported.
        rows: how many were answered in all.
        buckets_min: how many it needs.
    """
    if not buckets:
        return "not exported"
    if len(buckets) < buckets_min:
        return f"fewer than {buckets_min} buckets"
    slack = TOLERANCE * rows
    for bound, exported, least, most in buckets:
        if exported is None or not least - slack <= exported <= most + slack:
            upto = "in all" if bound is None else f"up to {bound:g}"
            told = "nothing" if exported is None else f"{exported:,.0f}"
            return f"{told} {upto} where {least:,} were"
    if buckets[-1][0] is not None:
        return "no bucket +Inf"
    return ""


def lumped(days: Iterable[Sequence[Bucket]]) -> str:
    """What is wrong where hardly any two values are told apart on any day; empty where nothing.

    Args:
        days: one quantity's buckets on each of them; at least one day.
    """
    share = min(map(_widest, days))
    return f"{share:.0%} of the values are in one bucket" if share > WIDEST_MAX else ""


def _widest(buckets: Sequence[Bucket]) -> float:
    """The largest share of the values that a single bucket holds, by our own count."""
    upto = [0, *(least for _, _, least, _ in buckets)]
    share: float = max((b - a for a, b in pairwise(upto)), default=0) / max(upto[-1], 1)
    return share
