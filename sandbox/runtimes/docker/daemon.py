"""The Docker daemon: reaching it, and what it or the SDK complains about as one line.

Whatever goes wrong between us and the daemon is our fault: a submission is not to blame for a full
disk or a daemon that went away.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import kwargs_from_env
from urllib3.exceptions import HTTPError

from sandbox.errors import HarnessFault
from sandbox.runtimes.docker import REMEDY as _START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Thread

    from docker.types import CancellableStream

# Whose a container, a network or a volume is, and that an image is one of ours.
RUN_LABEL = "mlops-sandbox.run"
IMAGE_LABEL = "mlops-sandbox.image"
ANSWERS_WITHIN_S = 60.0
_SOCKET = "/var/run/docker.sock"
# Each container has a connection on which its end is awaited.
_CONNECTIONS_KEPT = 64
REMEDY = f"{_START}, or use --runtime process"
_HINTS = {
    "no space left on device": "free disk space, or run: sandbox clean --cache",
    "address pool": "remove networks that nobody uses: sandbox clean, docker network prune",
    "fully subnetted": "remove networks that nobody uses: sandbox clean, docker network prune",
    "permission denied": "join the group docker, or run as somebody who may use Docker",
    "no such image": "try again, and the image is made anew",
    "bind source path does not exist": "use a Docker daemon that sees the files of this machine",
}
# Everything by which the SDK and what is below it say that the daemon failed us. The SDK's own
# HTTP library raises kinds of OSError.
_FAILURES = (DockerException, HTTPError, OSError)


def connect(answers_within_s: float = ANSWERS_WITHIN_S) -> APIClient:
    """A connection to the daemon of this machine; close it.

    Args:
        answers_within_s: seconds of silence in which a question is given up.

    Raises:
        HarnessFault: there is none, or it does not answer.
    """
    if not sys.platform.startswith("linux"):
        # Elsewhere containers live in a virtual machine, at addresses that nobody reaches.
        raise HarnessFault(expected="Docker on Linux", seen=sys.platform, hint=REMEDY)
    host = os.environ.get("DOCKER_HOST") or f"unix://{_SOCKET}"
    if not host.startswith("unix://"):
        raise HarnessFault(
            expected="a Docker daemon of this machine",
            seen=f"DOCKER_HOST={host}",
            hint="unset DOCKER_HOST, or use --runtime process",
        )
    expected = "the Docker daemon to answer"
    path = host.removeprefix("unix://")
    try:
        # Asked first, for the SDK wraps this answer in five errors and forgets its socket.
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
    except OSError as error:
        raise _complaint(expected, f"{error.strerror} at {path}", REMEDY) from error
    with asking(expected):
        return APIClient(
            version="auto",
            timeout=answers_within_s,
            max_pool_size=_CONNECTIONS_KEPT,
            **kwargs_from_env(),
        )


def image(api: APIClient, name: str) -> dict[str, Any] | None:
    """What the daemon knows of an image; None where it has none of that name.

    Raises:
        HarnessFault: the daemon does not answer.
    """
    with asking("the Docker daemon to tell of an image"):
        try:
            said: dict[str, Any] = api.inspect_image(name)
        except ImageNotFound:
            return None
    return said


@contextlib.contextmanager
def connected(answers_within_s: float = ANSWERS_WITHIN_S) -> Iterator[APIClient]:
    """A connection for the length of the block. Arguments and errors as of `connect`."""
    api = connect(answers_within_s)
    try:
        yield api
    finally:
        api.close()


def unavailable() -> str:
    """Why Docker cannot be used here, or an empty string when it can."""
    try:
        with connected():
            return ""
    except HarnessFault as fault:
        return fault.seen


def version(api: APIClient) -> str:
    """What the daemon calls itself."""
    with asking("the Docker daemon to say its version"):
        return f"Docker {api.version()['Version']}"


@contextlib.contextmanager
def asking(expected: str) -> Iterator[None]:
    """Turn a failure of the daemon into a fault of ours, in one line.

    Args:
        expected: what the daemon is asked to do, as a noun phrase for the error.

    Raises:
        HarnessFault: it did not.
    """
    try:
        yield
    except _FAILURES as error:
        raise fault(expected, error) from error


def hang_up(stream: CancellableStream, reader: Thread) -> None:
    """End a stream of the daemon and the thread that reads it; may be called again."""
    with contextlib.suppress(OSError):  # the other side was first
        stream.close()
    reader.join()
    # The SDK stops there, and leaves the connection to whoever collects the garbage.
    stream._response.close()


def fault(expected: str, error: BaseException) -> HarnessFault:
    """The fault that a failure of the daemon stands for."""
    # What the daemon itself says is of more use than advice to install one.
    return _complaint(expected, _reason(error), "" if isinstance(error, APIError) else REMEDY)


def _complaint(expected: str, seen: str, otherwise: str) -> HarnessFault:
    seen = " ".join(seen.split())[:500]
    hints = [hint for words, hint in _HINTS.items() if words in seen.lower()]
    return HarnessFault(expected=expected, seen=seen, hint=hints[0] if hints else otherwise)


def _reason(error: BaseException) -> str:
    if isinstance(error, APIError):
        return str(error.explanation or error)
    # Several libraries wrap one another's errors; the first one says what happened.
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return f"{type(error).__name__}: {error}"
