"""An image that a submission described: looked into from outside, and run.

What it holds is read by the daemon out of its file system: nothing of the image is asked.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.runtimes.docker import containers
from sandbox.runtimes.docker.daemon import asking
from sandbox.runtimes.docker.service import DockerService
from sandbox.runtimes.specs import ServiceSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import APIClient

    from sandbox.runtimes.docker.container import Container
    from sandbox.runtimes.docker.containers import Surroundings
    from sandbox.runtimes.docker.places import Places

# How the daemon says that what the image asks for is not in it: a user, a program, a folder.
_CANNOT_RUN = ("unable to find user", "unable to find group", "OCI runtime", "not a directory")


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
        self.command = (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))
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
        if not self.command:
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
        """Numbers of the users that its programs run as, as the kernel has them.

        Raises:
            SubmissionFault: it has ended.
        """
        try:
            with asking("the Docker daemon to tell who runs in a container"):
                said = self._api.top(self._container.identity, ps_args="-eo pid,uid")
        except HarnessFault:
            if end := self._ending():
                raise SubmissionFault(expected=f"{self.name} to keep running", seen=end) from None
            raise
        column = said["Titles"].index("UID")
        return frozenset(int(line[column]) for line in said["Processes"])
