"""What a runtime is asked to run: a service, a command, or an image to build.

Whose code a specification runs decides whose fault it is when it fails: a trusted program is ours
(HarnessFault), any other is the submission (SubmissionFault) and runs isolated as far as the
runtime can.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.errors import HarnessFault, SandboxError, SubmissionFault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
class ImageSpec:
    """An image that a submission describes.

    Args:
        name: what to call it in errors.
        context: the folder that it is built from; its `.dockerignore` counts.
        dockerfile: one instruction a line; it names no image but its own stages and the builder's
            base (see `sandbox/dockerfile.py`).
        within_s: seconds that building may take.
    """

    name: str
    context: Path
    dockerfile: str
    within_s: float


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


def fill_address(text: str, host: str, port: int) -> str:
    """Put the address to listen on in where a command or a variable asks for it."""
    return text.replace(HOST, host).replace(PORT, str(port))
