"""Series: a name with labels, and the value that says that one has ended."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Labels = tuple[tuple[str, str], ...]
"""A series' labels as (name, value), sorted by name, the metric's name as `__name__` among them."""

NAME = "__name__"

_STALE_BITS = struct.pack("<Q", 0x7FF0000000000002)
STALE: float = struct.unpack("<d", _STALE_BITS)[0]
"""Written where a series ends: the NaN of exactly these bits (Prometheus' `StaleNaN`)."""


def series(name: str, labels: Mapping[str, str]) -> Labels:
    """The labels of a metric's series. An empty value means, as in Prometheus, no such label."""
    return as_labels({**labels, NAME: name})


def as_labels(labels: Mapping[str, str]) -> Labels:
    """Labels as a series has them, from a mapping that may hold `__name__`."""
    return tuple(sorted(pair for pair in labels.items() if pair[1]))


def is_stale(value: float) -> bool:
    """Whether a value is the marker of an end. Only its bits tell: it is unequal to everything."""
    return struct.pack("<d", value) == _STALE_BITS
