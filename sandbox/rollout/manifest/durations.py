"""Durations as Argo Rollouts reads them: Go's own syntax, and a pause's shorter one.

An interval is read by Go's `time.ParseDuration` ("30s", "1h30m", "0"; a number needs its unit). A
pause may also be a bare number of seconds, as a number or as text, and drops fractions of a second
(`RolloutPause.DurationSeconds` in Argo's `pkg/apis/rollouts/v1alpha1/types.go`).
"""

from __future__ import annotations

import re
from decimal import Decimal

from sandbox.untrusted import shortened

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # the micro sign
    "μs": 1_000,  # the Greek letter
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_NS_MAX = 2**63 - 1
_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"([-+]?)(0|(?:{_PART})+)")
_WHOLE = re.compile(r"[-+]?[0-9]{1,20}")
# Nobody writes longer ones, and every digit of them would be computed with.
_CHARACTERS_MAX = 60
_PAUSE_S_MAX = 2**31 - 1


class DurationError(Exception):
    """A text that is no duration, in one line."""


def duration_s(text: str) -> float:
    """Seconds of a duration in Go's syntax; may be negative, as in Go.

    Raises:
        DurationError: it is none, or does not fit into Go's 64 bits of nanoseconds.
    """
    match = _DURATION.fullmatch(text) if len(text) <= _CHARACTERS_MAX else None
    if match is None:
        unit = ": it needs its unit" if _WHOLE.fullmatch(text) else ""
        raise DurationError(f"{shortened(text, 40)} is no duration such as 30s or 1h30m{unit}")
    total = sum(
        int(Decimal(number) * _UNITS_NS[unit]) for number, unit in re.findall(_PART, match[2])
    )
    if total > _NS_MAX:
        raise DurationError(f"the duration {text} is longer than 292 years")
    return (-total if match[1] == "-" else total) / 1e9


def pause_s(value: int | str) -> float:
    """Whole seconds of a pause: `10`, "10", "10s", "5m".

    Raises:
        DurationError: it is no duration, negative, or beyond 32 bits of seconds.
    """
    if isinstance(value, str):
        seconds = int(value) if _WHOLE.fullmatch(value) else int(duration_s(value))
    else:
        seconds = value
    if not 0 <= seconds <= _PAUSE_S_MAX:
        raise DurationError(f"a pause lasts from 0 to {_PAUSE_S_MAX} seconds, not {value}")
    return float(seconds)
