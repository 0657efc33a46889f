"""A service of the docker runtime."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from sandbox.errors import SandboxError
from sandbox.runtimes import files
from sandbox.runtimes.docker import ownership
from sandbox.runtimes.docker.daemon import asking
from sandbox.runtimes.docker.images import INIT
from sandbox.runtimes.docker.output import Output
from sandbox.runtimes.readiness import until_ready, with_log
from sandbox.runtimes.specs import Access, ServiceSpec, fill_address
from sandbox.system.processes import Completed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from docker import APIClient

    from sandbox.runtimes.docker.container import Container
    from sandbox.runtimes.docker.places import Place

# Inside its container a service listens on every address it has.
ANYWHERE = "0.0.0.0"  # noqa: S104
# A command is ended by the first process that it gets, unless the submission ends that one before.
_LATE_S = 2.0


class DockerService:
    """A service that runs in a container of its own.

    Args:
        api: the daemon.
        spec: what was asked for.
        container: where it runs.
        place: where it answers.
        environment: what it was given.
        worded: puts the image's programs in the place of the harness' own in a command.
    """

    def __init__(
        self,
        api: APIClient,
        spec: ServiceSpec,
        container: Container,
        *,
        place: Place,
        environment: Mapping[str, str],
        worded: Callable[[Sequence[str]], list[str]],
    ) -> None:
        self.name = spec.name
        self.url = f"http://{place.address}:{place.port}"
        self._api = api
        self._spec = spec
        self._container = container
        self._place = place
        self._environment = environment
        self._worded = worded

    def wait_ready(self) -> None:
        """Wait as long as the specification allows."""
        try:
            until_ready(self._spec, self._place.address, self._place.port, self._ending)
        except SandboxError as error:
            raise with_log(error, type(error), self.name, self.logs()) from error

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._container.end() is None

    def logs(self, lines: int = 40) -> str:
        """The last lines it printed."""
        return self._container.logs(lines)

    def stop(self, grace_s: float = 5.0) -> None:
        """Ask it to end, and end it when the grace is over."""
        self._container.stop(grace_s)

    def kill(self) -> None:
        """End it at once."""
        self._container.kill()

    def put_file(self, relative: str, content: bytes) -> None:
        """Put a file into its working directory."""
        files.put_file(self._spec.workdir, relative, content)
        ownership.hand_over(self._spec.workdir)

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command in its container: they share /tmp, processes and loopback as well.

        What it leaves behind ends with the service.
        """
        added = {key: self._filled(text) for key, text in (environment or {}).items()}
        given = {**self._environment, **added}
        words = self._worded([self._filled(word) for word in command])
        if end := self._ending():
            fault = Access.of(self._spec).fault
            raise fault(expected=f"{self.name} to run, and {command[0]} beside it", seen=end)
        with asking("the Docker daemon to run a command in a container"):
            execution = self._api.exec_create(
                self._container.identity,
                [*INIT, ",".join(given), str(timeout_s), "2", *words],
                environment=given,
                workdir=str(self._spec.workdir.absolute()),
            )["Id"]
            begun = time.monotonic()
            output = Output(self._api.exec_start(execution, stream=True, demux=True))
            output.wait(timeout_s + _LATE_S)
            duration_s = time.monotonic() - begun
            stdout, stderr = output.texts()
            status = self._api.exec_inspect(execution)["ExitCode"]
        timed_out = status is None or duration_s >= timeout_s
        return Completed(None if timed_out else status, stdout, stderr, timed_out, duration_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _filled(self, text: str) -> str:
        return fill_address(text, ANYWHERE, self._place.port)

    def _ending(self) -> str | None:
        end = self._container.end()
        return None if end is None else str(end)
