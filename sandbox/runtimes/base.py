"""What a runtime is: a specification goes in, a handle comes out.

    with open_runtime("process") as runtime:
        with runtime.start(ServiceSpec(name="stable", ...)) as service:
            urllib3.request("GET", service.url + "/ping")

Whose code a specification runs decides whose fault it is when it fails: a trusted service is ours
(HarnessFault), any other is the submission (SubmissionFault) and runs isolated as far as the
runtime can. Whatever a runtime started is gone when its block ends, however it ends.

`tests/contract/` is the exact meaning of these protocols; every runtime passes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from sandbox.errors import HarnessFault, SandboxError, SubmissionFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from sandbox.runtimes.building import Builder
    from sandbox.system.processes import Completed

HOST, PORT = "{host}", "{port}"

# Given to everything that runs, because much of it is Python and MLflow: prints arrive when they
# are made, no bytecode is left in workspaces, and nobody is told about a candidate's work.
CHILD_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class ServiceSpec:
    """A program that stays and answers HTTP.

    Args:
        name: what to call it in errors and logs.
        command: program and arguments; `{host}` and `{port}` in any become the address to listen
            on and the port, both chosen by the runtime. `sys.executable` is the runtime's Python.
        workdir: where it runs, readable and writable.
        environment: its environment besides PATH, HOME, LANG, HOST, PORT and CHILD_ENVIRONMENT,
            all of which it may override; `{host}` and `{port}` are replaced in values as well.
        ready_path: path that answers 200 once it is ready; None if accepting a connection will do.
        ready_within_s: seconds it may take to become ready.
        trusted: whether the code is ours; if not, it is isolated and its failures are its own.
        writable: other folders it may write to.
        readable: other files and folders it may read.
        port: where it should answer if that port is free; otherwise, and for None, the runtime
            chooses. A service that gets the port of one that has ended has its address, too.
        confined: whether it is isolated although it is ours, because it acts on what a submission
            sends it.
    """

    name: str
    command: tuple[str, ...]
    workdir: Path
    environment: Mapping[str, str]
    ready_path: str | None
    ready_within_s: float
    trusted: bool
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    port: int | None = None
    confined: bool = False


@dataclass(frozen=True)
class CommandSpec:
    """A program that runs to its end. Arguments as in ServiceSpec; there is no port.

    Args:
        name: what to call it in errors and logs.
        command: program and arguments.
        workdir: where it runs, readable and writable.
        environment: its environment besides PATH, HOME, LANG and CHILD_ENVIRONMENT.
        trusted: whether the code is ours.
        timeout_s: seconds it may take.
        writable: other folders it may write to.
        readable: other files and folders it may read.
    """

    name: str
    command: tuple[str, ...]
    workdir: Path
    environment: Mapping[str, str]
    trusted: bool
    timeout_s: float
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Access:
    """The part of a specification that says what a program gets to see, and whose it is."""

    workdir: Path
    trusted: bool
    writable: tuple[Path, ...] = field(default=())
    readable: tuple[Path, ...] = field(default=())
    confined: bool = False

    @classmethod
    def of(cls, spec: ServiceSpec | CommandSpec) -> Access:
        """The access a specification asks for."""
        confined = isinstance(spec, ServiceSpec) and spec.confined
        return cls(spec.workdir, spec.trusted, spec.writable, spec.readable, confined)

    @property
    def isolated(self) -> bool:
        """Whether it gets to see no more than it was given."""
        return self.confined or not self.trusted

    @property
    def fault(self) -> type[SandboxError]:
        """Whose fault it is when the program does not do what it should."""
        return HarnessFault if self.trusted else SubmissionFault


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


def fill_address(text: str, host: str, port: int) -> str:
    """Put the address to listen on in where a command or a variable asks for it."""
    return text.replace(HOST, host).replace(PORT, str(port))
