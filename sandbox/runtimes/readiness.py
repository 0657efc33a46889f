"""Is a service ready? One question, bounded in time whatever the service answers.

Written on a bare socket because HTTP clients limit the silence between two bytes, not the answer
as a whole: a submission that sends a byte of a header every half second would hold one up for
hours, and with it every deadline of the harness.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from sandbox.runtimes.specs import Access
from sandbox.system.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.errors import SandboxError
    from sandbox.runtimes.specs import ServiceSpec

_ANSWER_WITHIN_S = 1.0
_LIMIT_BYTES = 64 * 1024


def until_ready(spec: ServiceSpec, host: str, port: int, ending: Callable[[], str | None]) -> None:
    """Wait until a service is ready, as long as its specification allows.

    Args:
        spec: what was started.
        host: the address at which it answers.
        port: its port there.
        ending: how it ended, in words, or None while it runs.

    Raises:
        SubmissionFault or HarnessFault: it is not, by whose it is.
    """
    path, within_s = spec.ready_path, spec.ready_within_s
    wait_for(
        # In this order: on the port of a service that ended, somebody else may answer.
        lambda: (ending() is None and is_ready(host, port, path, within_s)) or None,
        what=f"{spec.name} to {f'answer 200 at {path}' if path else 'listen'}",
        within_s=within_s,
        stop_when=ending,
        fault=Access.of(spec).fault,
    )


def with_log(
    error: SandboxError, kind: type[SandboxError], name: str, log: str, trouble: str = ""
) -> SandboxError:
    """The error as one of a kind, with what the service printed below its line."""
    below = f"the last lines of {name}:\n{log}" if log else f"{name} printed nothing"
    if trouble:
        below = f"{trouble}; {below}"
    return kind(expected=error.expected, seen=f"{error.seen}\n{below}")


def is_ready(host: str, port: int, path: str | None, within_s: float) -> bool:
    """Whether `path` answers 200, or without a path, whether the port accepts a connection.

    Args:
        host: the address to ask.
        port: the port there.
        path: what to ask for, if anything.
        within_s: seconds the answer may take; a second is a lot.

    Raises:
        OSError: nothing answers; the text says in which way.
    """
    within_s = min(within_s, _ANSWER_WITHIN_S)
    deadline = time.monotonic() + within_s
    with socket.create_connection((host, port), within_s) as connection:
        if path is None:
            return True
        request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("ascii"))
        answer = b""
        # Read to the end, not just the status: closing early makes servers log broken pipes.
        while len(answer) < _LIMIT_BYTES:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = connection.recv(_LIMIT_BYTES)
            if not chunk:
                break
            answer += chunk
    status = answer.partition(b"\r\n")[0].decode("latin-1")
    protocol, _, rest = status.partition(" ")
    if protocol.startswith("HTTP/1.") and rest.split(" ")[0] == "200":
        return True
    raise ConnectionError(f"{path} answered {status[:200]!r}")
