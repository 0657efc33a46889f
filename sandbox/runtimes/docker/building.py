"""Images that submissions describe, built by the daemon and removed with everything they left.

A build is as hostile as what it builds. It has no network, limits on memory and time, and ends with
its connection. Docker's builder limits neither the number of processes nor the space on the disk.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError
from urllib3.exceptions import ReadTimeoutError

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.runtimes.docker import contexts, daemon, images
from sandbox.runtimes.docker.built_image import BuiltImage
from sandbox.runtimes.docker.daemon import asking
from sandbox.system.processes import TAIL_BYTES
from sandbox.system.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from docker import APIClient

    from sandbox.runtimes.docker.containers import Surroundings
    from sandbox.runtimes.docker.images import Image
    from sandbox.runtimes.docker.places import Places
    from sandbox.runtimes.specs import ImageSpec

REPOSITORY = "mlops-sandbox-host"
HOST = Path(__file__).parent / "host"
_HOST_FILES = ("Dockerfile", "arrange.py")
BUILD_LABEL = "mlops-sandbox.build"
# Of one step of a build, without swap.
BUILD_MEMORY_BYTES = 2 * 2**30
_GONE_WITHIN_S = 30.0
_SAID = 2_000
# The machine's disk; where a step of the build says so, the daemon names that step's status.
_FULL = "no space left on device"


class Builder:
    """Builds images of a run.

    Args:
        image: what submissions run in.
        labels: whose they are.
        shared: gives what containers of the run have in common, and where they answer.
    """

    def __init__(
        self,
        image: Image,
        labels: Mapping[str, str],
        shared: Callable[[], tuple[Surroundings, Places]],
    ) -> None:
        self._image = image
        self._labels = dict(labels)
        self._shared = shared

    def base(self) -> str:
        """What images are built on; made first where it is not there."""
        with daemon.connected() as api:
            name = _host_name(self._image)
            if daemon.image(api, name) is None:
                with images.alone(), contexts.packed(HOST, _HOST_FILES) as context:
                    images.build(api, name, context, {"IMAGE": self._image.name}, {})
        return name

    @contextlib.contextmanager
    def built(self, spec: ImageSpec) -> Iterator[BuiltImage]:
        """An image, gone with the block."""
        mark = {BUILD_LABEL: secrets.token_hex(8), **self._labels}
        with daemon.connected() as api:
            try:
                identity = _build(spec, mark)
                with asking("the Docker daemon to tell of an image"):
                    config = api.inspect_image(identity)["Config"]
                image = BuiltImage(api, identity, config, *self._shared())
                with contextlib.closing(image):
                    yield image
            finally:
                _remove(api, mark)


def _build(spec: ImageSpec, mark: Mapping[str, str]) -> str:
    """Build an image, every layer of it with a mark; gives what the daemon calls it.

    Raises:
        SubmissionFault: it cannot be built, or not in time.
    """
    labels = " ".join(f'{name}="{value}"' for name, value in mark.items())
    lines = []
    for line in spec.dockerfile.splitlines():
        lines.append(line)
        if line.startswith("FROM "):
            # What an earlier stage leaves would have no label of the build's.
            lines.append(f"LABEL {labels}")
    deadline = time.monotonic() + spec.within_s
    said: list[str] = []
    identity = problem = ""
    # A connection of its own: the build ends with it. Silence counts as time, too.
    with (
        daemon.connected(spec.within_s) as api,
        contexts.packed(spec.context, contexts.wanted(spec.context), "\n".join(lines)) as context,
        asking(f"the Docker daemon to build {spec.name}"),
    ):
        events = api.build(
            fileobj=context,
            custom_context=True,
            dockerfile=contexts.DOCKERFILE,
            network_mode="none",
            nocache=True,
            rm=True,
            forcerm=True,
            container_limits={"memory": BUILD_MEMORY_BYTES, "memswap": BUILD_MEMORY_BYTES},
            decode=True,
            timeout=spec.within_s,
        )
        try:
            for event in events:
                said.append(str(event.get("stream", ""))[:TAIL_BYTES])
                del said[:-200]
                identity = event.get("aux", {}).get("ID", identity)
                problem = event.get("error", problem)
                if time.monotonic() > deadline:
                    problem = f"no end within {spec.within_s:g} s"
                    break
        except (ReadTimeoutError, TimeoutError):
            problem = f"no end within {spec.within_s:g} s"
        except APIError as error:
            # It complains of the Dockerfile before it begins.
            if not error.is_client_error():
                raise
            problem = str(error.explanation)
        finally:
            events.close()
    if _FULL in problem and "non-zero code" not in problem:
        raise daemon.fault(f"the Docker daemon to build {spec.name}", RuntimeError(problem))
    if problem or not identity:
        last = [line.strip() for line in "".join(said)[-_SAID:].splitlines() if line.strip()][-3:]
        raise SubmissionFault(
            expected=f"{spec.name} to be built within {spec.within_s:g} s, without a network",
            seen=" ".join(f"{problem or 'no image'}, after: {' / '.join(last)}".split())[:_SAID],
        )
    return str(identity)


def _remove(api: APIClient, mark: Mapping[str, str]) -> None:
    """Remove everything that a build left, whatever became of it.

    A build that was broken off goes on for a moment. What is still there then is labelled with its
    run, and swept with what runs leave.
    """
    label = {"label": f"{BUILD_LABEL}={mark[BUILD_LABEL]}"}

    def is_gone() -> bool | None:
        containers = api.containers(all=True, filters=label, quiet=True)
        left = api.images(all=True, filters=label, quiet=True)
        for found in containers:
            _unless_busy(partial(api.remove_container, found["Id"], v=True, force=True))
        for identity in left:
            _unless_busy(partial(api.remove_image, identity, force=True))
        return (not containers and not left) or None

    with asking("the Docker daemon to remove an image"), contextlib.suppress(_StaysError):
        wait_for(
            is_gone,
            what="what a build left to be gone",
            within_s=_GONE_WITHIN_S,
            poll_s=0.2,
            fault=_StaysError,
        )


class _StaysError(HarnessFault):
    """Something of a build is still there."""


def _unless_busy(remove: Callable[[], object]) -> None:
    """Remove something, unless it is gone already, or in use and asked for again later."""
    try:
        remove()
    except APIError as error:
        if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            raise


def _host_name(image: Image) -> str:
    """Named after all that goes in."""
    files = ((HOST / name).read_text("utf-8") for name in _HOST_FILES)
    return images.named(REPOSITORY, image.digest, *files)
