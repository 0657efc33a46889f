"""Images that submissions describe: built by the daemon, looked into from outside, and run.

A build is as hostile as what it builds. It has no network, limits on memory and time, and ends with
its connection. Docker's builder limits neither the number of processes nor the space on the disk.
What an image holds is read by the daemon out of its file system: nothing of the image is asked.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import tarfile
import time
from functools import partial
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound
from urllib3.exceptions import ReadTimeoutError

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.processes import TAIL_BYTES
from sandbox.runtimes.base import ServiceSpec
from sandbox.runtimes.docker import containers, contexts, daemon, images
from sandbox.runtimes.docker.daemon import asking
from sandbox.runtimes.docker.service import DockerService
from sandbox.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from docker import APIClient

    from sandbox.runtimes.building import ImageSpec
    from sandbox.runtimes.docker.container import Container
    from sandbox.runtimes.docker.containers import Surroundings
    from sandbox.runtimes.docker.images import Image
    from sandbox.runtimes.docker.places import Places

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
# How the daemon says that what the image asks for is not in it: a user, a program, a folder.
_CANNOT_RUN = ("unable to find user", "unable to find group", "OCI runtime", "not a directory")


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


class BuiltImage:
    """An image that a submission described.

    Args:
        api: the daemon.
        identity: what it calls the image.
        config: what the image says of itself.
        surroundings: what containers of the run have in common.
        places: where services of the run answer.
    """

    def __init__(
        self,
        api: APIClient,
        identity: str,
        config: Mapping[str, Any],
        surroundings: Surroundings,
        places: Places,
    ) -> None:
        pairs = (entry.partition("=") for entry in config.get("Env") or [])
        self.environment = {name: value for name, _, value in pairs}
        self._has_program = bool(config.get("Cmd") or config.get("Entrypoint"))
        self.workdir = str(config.get("WorkingDir") or "/")
        self._api = api
        self._identity = identity
        self._surroundings = surroundings
        self._places = places
        self._containers: list[Container] = []

    def files(self, folder: str, limit_bytes: int) -> dict[str, bytes]:
        """What lies below a folder, by path from there."""
        at_rest = self._at_rest()
        with asking("the Docker daemon to give files of an image"):
            try:
                chunks, _ = self._api.get_archive(at_rest.identity, folder)
            except NotFound:
                return {}
            content = bytearray()
            for chunk in chunks:
                content += chunk
                if len(content) > limit_bytes:
                    chunks.close()
                    raise SubmissionFault(
                        expected=f"at most {limit_bytes // 2**20} MiB in {folder} of the image",
                        seen="more",
                    )
        found = {}
        with tarfile.open(fileobj=io.BytesIO(bytes(content))) as tar:
            for entry in tar:
                # The first part is the folder's own name.
                _, _, path = entry.name.partition("/")
                if entry.isfile() and path and (file := tar.extractfile(entry)):
                    found[path] = file.read()
        return found

    def start(
        self,
        environment: Mapping[str, str],
        ready_path: str,
        ready_within_s: float,
        volumes: Sequence[str] = (),
    ) -> DockerImageService:
        """Run it as it says itself; it answers at the `PORT` that it is given."""
        if not self._has_program:
            raise SubmissionFault(expected="CMD or ENTRYPOINT in the image", seen="none")
        place = self._places.find(None)
        given = {"PORT": str(place.port), **environment}
        container = containers.create_of_image(
            self._api,
            self._surroundings,
            self._identity,
            at=place.keeper,
            environment=given,
            writable=[str(PurePosixPath("/", self.workdir, folder)) for folder in volumes],
        )
        self._containers.append(container)
        self._places.settle(place, container)
        try:
            container.start()
        except HarnessFault as fault:
            if not any(words in fault.seen for words in _CANNOT_RUN):
                raise
            raise SubmissionFault(expected="an image that can be run", seen=fault.seen) from fault
        spec = ServiceSpec(
            name="the image",
            command=(),
            workdir=Path(self.workdir),
            environment=given,
            ready_path=ready_path,
            ready_within_s=ready_within_s,
            trusted=False,
        )
        service = DockerImageService(
            self._api, spec, container, place=place, environment=given, worded=list
        )
        try:
            service.wait_ready()
        except BaseException:
            service.kill()
            raise
        return service

    def close(self) -> None:
        """Remove what ran; may be called again."""
        while self._containers:
            self._containers.pop().remove()

    def _at_rest(self) -> Container:
        """A container that is never started."""
        container = containers.create_of_image(
            self._api,
            self._surroundings,
            self._identity,
            at=None,
            environment={},
            command=("nothing",),
        )
        self._containers.append(container)
        return container


class DockerImageService(DockerService):
    """An image that runs."""

    def users(self) -> frozenset[int]:
        """Numbers of the users that its programs run as, as the kernel has them."""
        with asking("the Docker daemon to tell who runs in a container"):
            said = self._api.top(self._container.identity, ps_args="-eo pid,uid")
        column = said["Titles"].index("UID")
        return frozenset(int(line[column]) for line in said["Processes"])


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
