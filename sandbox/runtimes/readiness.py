"""Is a service ready? One question, bounded in time whatever the service answers.

Written on a bare socket because HTTP clients limit the silence between two bytes, not the answer
as a whole: a submission that sends a byte of a header every half second would hold one up for
hours, and with it every deadline of the harness.
"""

from __future__ import annotations

import socket
import time

_ANSWER_WITHIN_S = 1.0
_LIMIT_BYTES = 64 * 1024


def is_ready(port: int, path: str | None, within_s: float) -> bool:
    """Whether `path` answers 200, or without a path, whether the port accepts a connection.

    Args:
        port: where on loopback to ask.
        path: what to ask for, if anything.
        within_s: seconds the answer may take; a second is a lot.

    Raises:
        OSError: nothing answers; the text says in which way.
    """
    within_s = min(within_s, _ANSWER_WITHIN_S)
    deadline = time.monotonic() + within_s
    with socket.create_connection(("127.0.0.1", port), within_s) as connection:
        if path is None:
            return True
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
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
