"""The supervisor of a live take-home: keeps the stack running and production traffic flowing.

    python -m sandbox.live WORKSPACE RUNTIME

Days from July on are replayed on a simulated clock, an hour of it a tick: each hour's flights are
scored, and the labels of the same hour of the day before arrive. The first days go by as fast as
the service answers, so that there are figures to look at; then an hour takes a second. When a file
of the workspace changes, the service is restarted on it. Where the scenario is about monitoring, a
real Prometheus watches all of it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import models, paths, registry, scenario, session, stack, variant
from sandbox.errors import SandboxError
from sandbox.runtimes import open_runtime
from sandbox.session import State
from sandbox.traffic import Client
from sandbox.workspace import entries, read_mark

if TYPE_CHECKING:
    from sandbox.gateway import Gateway
    from sandbox.monitor import Monitor
    from sandbox.production import Production
    from sandbox.references import Reference
    from sandbox.runtimes.base import Runtime, Service
    from sandbox.scenario import Scenario
    from sandbox.variant import Variant

TICK_S = 1.0
SERVICE_PORT, REGISTRY_PORT = 8080, 5000
LOG_LINES = 400
RESTART_TRIES_EVERY_S = 1.0


def supervise(workspace: Path, runtime_name: str) -> None:
    """Run a workspace until somebody sends SIGTERM.

    Raises:
        UsageError: the folder is no workspace, or another one is running.
        HarnessFault: the registry did not start.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    session.hold_lock()
    mark = read_mark(workspace)
    setting = scenario.load(mark.scenario)
    chosen = variant.choose(setting, mark.seed)
    state = State(os.getpid(), mark.scenario, mark.seed, str(workspace), "starting")
    session.write_state(state)
    with ExitStack() as stack_of_all:
        scratch = stack_of_all.enter_context(paths.run_folder())
        folder = stack.copy_registry(models.releases(), scratch / "registry")
        runtime = stack_of_all.enter_context(open_runtime(runtime_name))
        server = runtime.launch(registry.spec(folder, REGISTRY_PORT))
        live = Live(setting, workspace, runtime, server)
        live.launch()
        # While both import, so do we, and read the flights.
        production, gateway = _production(setting, chosen)
        monitor = None
        if setting.telemetry is not None:
            rules = workspace / setting.telemetry.rules
            monitor = _monitor(stack_of_all, runtime, scratch / "prometheus", rules, gateway)
            monitor.launch(live.url)
        server.wait_ready()
        state = replace(state, registry_url=server.url, isolation=runtime.isolation)
        while not stopped.is_set():
            problem = live.attend()
            if not problem:
                client = Client(live.url)
                production.tick(client)
                if not state.answered_at:
                    state = replace(state, answered_at=time.time())
                while production.ahead and not stopped.is_set():
                    production.tick(client)
            phase = "down" if problem else "running"
            session.write_state(
                replace(
                    state,
                    phase=phase,
                    problem=problem,
                    service_url=live.url,
                    figures=production.figures(),
                    monitoring=monitor.attend(live.url) if monitor else None,
                )
            )
            session.SERVICE_LOG.write_text(live.logs(), encoding="utf-8")
            if production.reference is None:
                # Imports LightGBM: after the first state is written, nobody waits for it.
                production.reference = _reference(folder)
            stopped.wait(TICK_S if not problem else RESTART_TRIES_EVERY_S)


def _production(setting: Scenario, chosen: Variant) -> tuple[Production, Gateway]:
    """The traffic of a scenario, and the gateway it goes through."""
    # Here and not at the top: neither service waits for what these import.
    from sandbox import flights, gateway, production  # noqa: PLC0415

    entrance = gateway.Gateway(chosen.number("gateway"))
    feed = production.feed_of(setting, chosen)
    return production.Production(flights.load(), setting.live_from, entrance, feed), entrance


def _monitor(
    stack_of_all: ExitStack, runtime: Runtime, folder: Path, rules: Path, gateway: Gateway
) -> Monitor:
    from sandbox import monitor  # noqa: PLC0415 - only where a scenario has telemetry

    address = stack_of_all.enter_context(monitor.metrics_of(gateway))
    return monitor.Monitor(runtime, folder, rules, address)


def _reference(registry_folder: Path) -> Reference:
    from sandbox import references  # noqa: PLC0415 - see where it is called

    return references.champion(registry_folder)


class Live:
    """The model service of a workspace, restarted when its files change."""

    def __init__(
        self, setting: Scenario, workspace: Path, runtime: Runtime, server: Service
    ) -> None:
        self._setting = setting
        self._workspace = workspace
        self._runtime = runtime
        self._server = server
        self._service: Service | None = None
        self._files: dict[str, tuple[int, int]] = {}
        self._ready = False
        self._problem = ""
        self._port = SERVICE_PORT
        self.url = ""

    def launch(self) -> None:
        """Start the service on the files as they are now, at the address it had before."""
        if self._service is not None:
            self._service.stop()
        self._files = self._stamps()
        self._ready, self._problem = False, ""
        spec = stack.service_spec(self._setting, self._workspace, self._server.url, self._port)
        self._service = self._runtime.launch(spec)
        self.url = self._service.url
        self._port = int(self.url.rpartition(":")[2])

    def attend(self) -> str:
        """Restart what changed or died; gives why the service does not answer, or nothing."""
        changed = self._stamps() != self._files
        if changed or (self._ready and self._service and not self._service.alive()):
            self.launch()
        if not self._ready and not self._problem and self._service is not None:
            try:
                self._service.wait_ready()
                self._ready = True
            except SandboxError as error:
                # It stays down until a file changes: trying the same again would only hide it.
                self._problem = str(error).partition("\n")[0]
        return self._problem

    def logs(self) -> str:
        """What the service printed last."""
        return self._service.logs(LOG_LINES) if self._service else ""

    def _stamps(self) -> dict[str, tuple[int, int]]:
        return {
            path: (status.st_mtime_ns, status.st_size)
            for path, status in entries(self._workspace).items()
            if path.startswith(("service/", "pipeline/"))
        }


if __name__ == "__main__":
    try:
        supervise(Path(sys.argv[1]), sys.argv[2])
    except SandboxError as error:
        sys.exit(" ".join(str(error).split()))
