"""What a runtime is: a specification goes in, a handle comes out.

    with open_runtime("process") as runtime:
        with runtime.start(ServiceSpec(name="stable", ...)) as service:
            urllib3.request("GET", service.url + "/ping")

Whatever a runtime started is gone when its block ends, however it ends. One that can build images
that submissions describe has a builder. A build is a submission's code like any other: it runs
without a network, and what it left is gone when its block ends.

    with runtime.builder.built(ImageSpec(name="deploy/Dockerfile", ...)) as image:
        image.files("/usr/local/lib", 2**20)

`tests/contract/` is the exact meaning of these protocols; every runtime passes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from sandbox.runtimes.specs import CommandSpec, ImageSpec, ServiceSpec
    from sandbox.system.processes import Completed


class Service(Protocol):
    """A running service. Leaving its `with` block stops it."""

    @property
    def name(self) -> str:
        """What the specification calls it."""

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""

    def wait_ready(self) -> None:
        """Wait until it is ready, as long as its specification allows; for `launch`.

        Raises:
            SubmissionFault: an untrusted service ended or was not ready in time; its last log
                lines follow the first line of the error.
            HarnessFault: the same of a trusted one, or the runtime itself failed.
        """

    def alive(self) -> bool:
        """Whether it still runs."""

    def logs(self, lines: int = 40) -> str:
        """The last lines it printed, fit to be shown on a terminal."""

    def stop(self, grace_s: float = 5.0) -> None:
        """Ask it to end, and end it with everything it started when the grace is over.

        May be called again; returns when all of it is gone.
        """

    def kill(self) -> None:
        """End it at once, as a crash would; returns when all of it is gone."""

    def put_file(self, relative: str, content: bytes) -> None:
        """Put a file into its working directory, in one step: a reader sees all of it or none.

        Raises:
            HarnessFault: the path leads out of the working directory.
            SubmissionFault: the submission put something in the way, such as a link.
        """

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command beside it: its working directory, isolation, port and environment.

        Args:
            command: program and arguments, with `{port}` for the service's port, as in the values
                of the environment.
            timeout_s: seconds it may take.
            environment: variables on top of the service's.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ImageService(Service, Protocol):
    """An image that runs."""

    def users(self) -> frozenset[int]:
        """Numbers of the users that its programs run as, as the kernel has them."""


class Image(Protocol):
    """An image that was built. What it holds is seen from outside: nothing of it is asked."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that it sets."""

    @property
    def workdir(self) -> str:
        """Where its program runs."""

    @property
    def command(self) -> Sequence[str]:
        """What it runs: its entry point and the arguments of that."""

    def files(self, folder: str, limit_bytes: int) -> Mapping[str, bytes]:
        """What lies below a folder, by path from there; nothing where there is none.

        Raises:
            SubmissionFault: it is more than that.
        """

    def start(
        self,
        environment: Mapping[str, str],
        ready_path: str,
        ready_within_s: float,
        volumes: Sequence[str] = (),
    ) -> ImageService:
        """Run it as it says itself, at the `PORT` that it is given, and wait until it is ready.

        Args:
            environment: variables on top of its own.
            ready_path: path that answers 200 once it is ready.
            ready_within_s: seconds it may take.
            volumes: folders of its working directory that it may write to, whoever it runs as.

        Raises:
            SubmissionFault: it does not get ready.
        """


class Builder(Protocol):
    """Builds images that submissions describe, without a network."""

    def base(self) -> str:
        """What they are built on: a host with the packages that submissions get."""

    def built(self, spec: ImageSpec) -> AbstractContextManager[Image]:
        """An image; it and whatever it was built with is gone with the block.

        Raises:
            SubmissionFault: it cannot be built, or not in time.
        """


class Runtime(Protocol):
    """Where services run. Leaving its `with` block ends everything it started."""

    @property
    def name(self) -> str:
        """The name it is opened by."""

    @property
    def isolation(self) -> str:
        """A sentence for the scorecard on what keeps a submission apart from the harness."""

    @property
    def details(self) -> Mapping[str, str]:
        """What else the evidence says of it, by name: what exactly a submission ran on."""

    @property
    def harness_address(self) -> str:
        """The address of this machine where isolated programs reach what the harness listens with.

        Raises:
            HarnessFault: they do not reach it.
        """

    @property
    def builder(self) -> Builder | None:
        """What builds images; None where there are none."""

    def start(self, spec: ServiceSpec) -> Service:
        """Start a service and wait until it is ready; several threads may do so at once.

        One that does not get ready is gone when the error comes, which is that of `wait_ready`.
        """

    def launch(self, spec: ServiceSpec) -> Service:
        """Start a service without waiting: its URL is known, and `wait_ready` is up to the caller.

        For services that start side by side. A port that somebody else takes in between is not
        replaced by another, as `start` does, but reported as the harness's fault.
        """

    def run(self, spec: CommandSpec) -> Completed:
        """Run a command to its end. A failing command is a result, not an error.

        Raises:
            HarnessFault: the runtime itself failed.
        """

    def close(self) -> None:
        """End everything that was started; may be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
