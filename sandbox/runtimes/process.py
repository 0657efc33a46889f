"""The process runtime: plain processes on loopback. Needs no daemon; the default on laptops.

Where bubblewrap works, a submission's processes run in its sandbox and ours on its leash (see
`bubblewrap.py`). Where it does not, nothing keeps them apart, and `isolation` says so.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sandbox import paths
from sandbox.errors import HarnessFault
from sandbox.runtimes import bubblewrap
from sandbox.runtimes.process_service import (
    LOOPBACK,
    PortTaken,
    ProcessService,
    is_free,
    starter_for,
)
from sandbox.runtimes.specs import CHILD_ENVIRONMENT, Access, CommandSpec, ServiceSpec, fill_address
from sandbox.system import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

# Between our choosing a port and the service's taking it, somebody else may take it.
_PORTS_TRIED = 3
_PORTS = range(20_000, 32_000)
_CLOSE_GRACE_S = 2.0
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def open_runtime() -> ProcessRuntime:
    """A runtime with a folder of its own for logs."""
    return ProcessRuntime(Path(tempfile.mkdtemp(prefix=paths.run_prefix())))


class ProcessRuntime:
    """Runs services as processes of this machine.

    Args:
        folder: for logs and homes, out of a submission's sight; removed by `close`.
    """

    name = "process"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._running: list[processes.Started] = []
        # The kernel's parent-death signal goes off when the *thread* that started a child ends, and
        # the caller's may be a worker that is done long before the service. So one thread, which
        # lives as long as the runtime, starts them all.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="starter")

    @property
    def isolation(self) -> str:
        """What keeps a submission apart from the harness, for the scorecard."""
        if reason := bubblewrap.available():
            return f"none: bubblewrap cannot run here ({reason})"
        return (
            f"{bubblewrap.version()}: own PID namespace, read-only system, no sight of graders, "
            "evidence or home, not root; network shared with this machine"
            + ("; weaker because the harness runs as root" if os.geteuid() == 0 else "")
        )

    @property
    def details(self) -> dict[str, str]:
        """The programs are those of this machine, and what says their versions is elsewhere."""
        return {}

    @property
    def harness_address(self) -> str:
        """Loopback is shared."""
        return LOOPBACK

    @property
    def builder(self) -> None:
        """Processes need no images."""
        return

    def start(self, spec: ServiceSpec) -> ProcessService:
        """Start a service and wait until it is ready."""
        taken = None
        for _ in range(_PORTS_TRIED):
            service = self.launch(spec)
            try:
                service.wait_ready()
            except PortTaken as error:
                taken = error
            except BaseException:
                service.kill()
                raise
            else:
                return service
        # Nobody is that unlucky: the service asks for a port of its own.
        assert taken is not None
        raise Access.of(spec).fault(expected=taken.expected, seen=taken.seen) from taken

    def run(self, spec: CommandSpec) -> processes.Completed:
        """Run a command to its end."""
        access = Access.of(spec)
        return processes.run(
            spec.command,
            timeout_s=spec.timeout_s,
            workdir=spec.workdir,
            environment=_environment(spec.environment, access, self._new_folder()),
            starter=starter_for(access),
        )

    def close(self) -> None:
        """End everything that was started; may be called again."""
        deadline = time.monotonic() + _CLOSE_GRACE_S
        with contextlib.ExitStack() as last:  # each of these happens, whatever the others raise
            last.callback(shutil.rmtree, self._folder, ignore_errors=True)
            last.callback(self._thread.shutdown)
            for started in self._running:
                last.callback(started.kill)
                started.terminate()
            for started in self._running:
                started.wait(max(0.0, deadline - time.monotonic()))
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self, spec: ServiceSpec) -> ProcessService:
        """Start a service without waiting."""
        folder = self._new_folder()
        port = _free_port(spec.port)
        access = Access.of(spec)
        given = {
            name: fill_address(value, LOOPBACK, port) for name, value in spec.environment.items()
        }
        environment = _environment({"HOST": LOOPBACK, "PORT": str(port), **given}, access, folder)
        log = folder / "log"

        def begin() -> processes.Started:
            # Appending keeps a service that reopens its output from writing over what it said.
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                started = starter_for(access)(
                    [fill_address(word, LOOPBACK, port) for word in spec.command],
                    workdir=spec.workdir,
                    environment=environment,
                    stdout=output,
                    stderr=output,
                )
            finally:
                os.close(output)
            self._running.append(started)
            return started

        try:
            started = self._thread.submit(begin).result()
        except (FileNotFoundError, PermissionError) as error:
            raise access.fault(
                expected=f"{spec.name} to start as {spec.command[0]}", seen=str(error)
            ) from error
        return ProcessService(spec, started, port, environment, log)

    def _new_folder(self) -> Path:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        return folder


def _environment(given: Mapping[str, str], access: Access, folder: Path) -> dict[str, str]:
    """All that a program finds in its environment.

    Ours get the harness's own PATH, for tools that are installed in odd places; a submission gets
    that of the system. In the sandbox /tmp is private; elsewhere the folder takes its place.
    """
    inside = access.isolated and not bubblewrap.available()
    home = "/tmp" if inside else str(folder)  # noqa: S108
    path = os.environ.get("PATH", _SYSTEM_PATH) if access.trusted else _SYSTEM_PATH
    return {
        "PATH": f"{sys.prefix}/bin:{path}",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        **CHILD_ENVIRONMENT,
        **given,
    }


def _free_port(wanted: int | None) -> int:
    """The wanted port, or one out of those that the kernel never gives to outgoing connections.

    Traffic opens thousands of connections; any could take an ephemeral port before the service.
    """
    # Two runs should differ, and nobody guesses.
    others = random.sample(_PORTS, len(_PORTS))
    for port in others if wanted is None else [wanted, *others]:
        if is_free(port):
            return port
    raise HarnessFault(expected=f"a free port in {_PORTS}", seen="none")
