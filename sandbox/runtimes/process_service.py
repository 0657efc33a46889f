"""A service of the process runtime, and how its processes are started."""

from __future__ import annotations

import contextlib
import shutil
import socket
from typing import TYPE_CHECKING, Self

from sandbox.errors import HarnessFault, SandboxError
from sandbox.runtimes import bubblewrap, files
from sandbox.runtimes.readiness import until_ready, with_log
from sandbox.runtimes.specs import Access, ServiceSpec, fill_address
from sandbox.system import processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOOPBACK = "127.0.0.1"
_PORT_TAKEN = "address already in use"


class PortTaken(HarnessFault):
    """Somebody else took the port between our choosing it and the service's taking it."""


def is_free(port: int) -> bool:
    """Whether nobody listens at a port of this machine."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        # As servers do: connections that are just closing do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return True
    return False


class ProcessService:
    """A service that runs as a process group, or as a PID namespace, of its own.

    Args:
        spec: what was asked for.
        started: its processes.
        port: where it answers.
        environment: what it was given.
        log: where its output goes.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        started: processes.Started,
        port: int,
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        self.name = spec.name
        self.url = f"http://{LOOPBACK}:{port}"
        self._spec = spec
        self._started = started
        self._port = port
        self._environment = environment
        self._log = log

    def wait_ready(self) -> None:
        """Wait as long as the specification allows."""
        try:
            until_ready(self._spec, LOOPBACK, self._port, self._ending)
        except SandboxError as error:
            raise self._explained(error) from error

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._started.poll() is None

    def logs(self, lines: int = 40) -> str:
        """The last lines it printed."""
        return files.last_lines(self._log, lines)

    def stop(self, grace_s: float = 5.0) -> None:
        """Ask it to end, and end it when the grace is over."""
        self._started.terminate()
        self._started.wait(grace_s)
        self._started.kill()

    def kill(self) -> None:
        """End it at once."""
        self._started.kill()

    def put_file(self, relative: str, content: bytes) -> None:
        """Put a file into its working directory."""
        files.put_file(self._spec.workdir, relative, content)

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> processes.Completed:
        """Run a command beside it, in a sandbox of its own with the same view.

        It shares the working directory with the service, but neither /tmp nor processes.
        """
        added = {key: self._filled(text) for key, text in (environment or {}).items()}
        return processes.run(
            [self._filled(word) for word in command],
            timeout_s=timeout_s,
            workdir=self._spec.workdir,
            environment={**self._environment, **added},
            starter=starter_for(Access.of(self._spec)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _filled(self, text: str) -> str:
        return fill_address(text, LOOPBACK, self._port)

    def _ending(self) -> str | None:
        status = self._started.poll()
        return None if status is None else f"an end with status {status}"

    def _explained(self, error: SandboxError) -> SandboxError:
        """The error with the log below its line, and ours where the service is not to blame."""
        log = self.logs()
        kind: type[SandboxError] = type(error)
        trouble = ""
        # A service may trip over its own port; then nobody has it any more.
        if not self.alive() and _PORT_TAKEN in log.lower() and not is_free(self._port):
            kind = PortTaken
        elif trouble := self._started.trouble():
            kind = HarnessFault
        return with_log(error, kind, self.name, log, trouble)


def starter_for(access: Access) -> processes.Starter:
    """How to start a program: the strongest isolation there is, or the leash for one of ours."""
    if bubblewrap.available():
        return _start_tied
    return bubblewrap.sandboxed(access) if access.isolated else bubblewrap.leashed()


def _start_tied(
    command: Sequence[str],
    *,
    workdir: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
) -> processes.Started:
    """Without bubblewrap: at least the program itself, not its children, ends with the harness.

    By way of setpriv, for the other way is code between fork and exec, which may deadlock in a
    process with threads. There is none on macOS; there, only an orderly end takes services along.
    """
    setpriv = shutil.which("setpriv")
    # The shell in between answers 127 for a command that is not there; setpriv need not.
    tie = [setpriv, "--pdeathsig", "KILL", "--", "/bin/sh", "-c", 'exec "$@"', "sh"]
    return processes.start(
        [word for word in tie if word] + list(command) if setpriv else command,
        workdir=workdir,
        environment=environment,
        stdout=stdout,
        stderr=stderr,
    )
