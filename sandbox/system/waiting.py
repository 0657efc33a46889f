"""Waiting for something to become true: the only place in the harness that sleeps.

A wait ends in one of three ways: the condition holds, a state is reached from which it never will
(`stop_when`), or time is up. The last two raise, and say what was being waited for and what was
seen last.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from urllib3.exceptions import HTTPError

from sandbox.errors import HarnessFault, SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# What asking a service that is still starting raises; anything else is a bug, and goes through.
NOT_YET = (OSError, HTTPError)


def wait_for(
    condition: Callable[[], T | None],
    *,
    what: str,
    within_s: float,
    stop_when: Callable[[], str | None] | None = None,
    poll_s: float = 0.02,
    fault: type[SandboxError] = HarnessFault,
) -> T:
    """Ask until `condition` gives something other than None, and hand that back.

    The condition is asked at least once, and once more when time is up. It must bound its own
    duration: a wait cannot interrupt it.

    Args:
        condition: what to ask; an OSError or urllib3 error in it means "not yet".
        what: what is expected, as a noun phrase for the error.
        within_s: seconds until the wait is given up.
        stop_when: the reason why waiting is pointless, or None while it is not.
        poll_s: seconds between two questions.
        fault: whose fault it is if the condition never holds.
    """
    deadline = time.monotonic() + within_s
    last: Exception | None = None
    while True:
        late = time.monotonic() >= deadline
        try:
            value = condition()
        except NOT_YET as error:
            last = error
        else:
            if value is not None:
                return value
        reason = stop_when() if stop_when else None
        if reason:
            raise fault(expected=what, seen=reason) from last
        if late:
            seen = f"{type(last).__name__}: {last}" if last else "nothing of it"
            raise fault(expected=f"{what} within {within_s:g} s", seen=seen) from last
        time.sleep(max(0.0, min(poll_s, deadline - time.monotonic())))
