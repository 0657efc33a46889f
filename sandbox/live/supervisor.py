"""The supervisor of a live take-home: keeps the stack running and production traffic flowing.

    python -m sandbox.live.supervisor WORKSPACE RUNTIME

Days from July on are replayed on a simulated clock, an hour of it a tick: each hour's flights are
scored, and the labels of the same hour of the day before arrive. The first days go by as fast as
the service answers, so that there are figures to look at; then an hour takes a second. When a file
of the workspace changes, the service is restarted on it. Where the scenario is about monitoring, a
real Prometheus watches all of it. Where releases are rolled out, customers ask a real router, and
`sandbox release` has one shipped.
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

from sandbox import paths, registry, scenario, stack, variant
from sandbox.errors import SandboxError
from sandbox.live import session
from sandbox.live.session import State
from sandbox.runtimes import open_runtime
from sandbox.traffic.client import Client
from sandbox.workspace import entries, read_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.live.monitor import Measured, Monitor
    from sandbox.live.production import Production
    from sandbox.live.releasing import Site
    from sandbox.references import Reference
    from sandbox.runtimes.base import Runtime, Service
    from sandbox.scenario import Scenario
    from sandbox.shipping import Replica
    from sandbox.traffic.gateway import Gateway
    from sandbox.variant import Variant

TICK_S = 1.0
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
        folder = stack.copy_registry(stack.trained(setting), scratch / "registry")
        runtime = stack_of_all.enter_context(open_runtime(runtime_name))
        server = registry.launch(runtime, folder, session.REGISTRY_PORT)
        live = Live(setting, workspace, runtime, server)
        live.launch()
        # While both import, so do we, and read the flights.
        production, gateway = _production(setting, chosen)
        site = None
        if setting.manifest is not None:
            site = _site(stack_of_all, live, scratch, stopped.is_set)
        monitor = None
        if setting.needs_prometheus:
            rules = workspace / setting.telemetry.rules if setting.telemetry else None
            entrance = site.router if site else gateway
            monitor = _monitor(stack_of_all, runtime, scratch / "prometheus", rules, entrance)
            monitor.launch(live.url)
        server.wait_ready()
        state = replace(
            state,
            registry_url=server.url,
            isolation=runtime.isolation,
            releases=_releases(setting) if site else (),
        )
        while not stopped.is_set():
            problem = live.attend()
            customers_ask = site.router.url if site else live.url
            if not problem:
                if site:
                    _follow(site, live, production)
                client = Client(customers_ask)
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
                    service_url=customers_ask,
                    figures=production.figures(),
                    monitoring=monitor.attend(live.url) if monitor else None,
                    version=live.version or "",
                )
            )
            session.SERVICE_LOG.write_text(live.logs(), encoding="utf-8")
            if production.reference is None:
                # Imports LightGBM: after the first state is written, nobody waits for it.
                production.reference = _reference(folder)
            stopped.wait(TICK_S if not problem else RESTART_TRIES_EVERY_S)


def _site(stack_of_all: ExitStack, live: Live, scratch: Path, stopped: Callable[[], bool]) -> Site:
    """A router in front of the service, at the address at which it would answer otherwise."""
    # Here and not at the top: only where releases are rolled out.
    from sandbox.live import releasing  # noqa: PLC0415
    from sandbox.traffic import router  # noqa: PLC0415

    releasing.forget()
    folder = scratch / "router"
    folder.mkdir()
    entrance = stack_of_all.enter_context(
        router.running(live.runtime, folder, session.SERVICE_PORT)
    )
    return releasing.Site(
        live.setting, live.workspace, live.runtime, entrance, live.registry_url, scratch, stopped
    )


def _releases(setting: Scenario) -> tuple[str, ...]:
    assert setting.releases is not None
    return tuple(str(number) for number in range(1, len(setting.releases.registered) + 2))


def _follow(site: Site, live: Live, production: Production) -> None:
    """Send customers to the service that there is, and ship what somebody asked for."""
    from sandbox import flights  # noqa: PLC0415
    from sandbox.live import releasing  # noqa: PLC0415
    from sandbox.traffic.router import STABLE, Share  # noqa: PLC0415

    site.router.route({STABLE: Share(live.url, 100)})
    if version := releasing.asked_for():
        script = releasing.customers(flights.load(), production.now, seed=int(version))
        if promoted := releasing.ship(site, version, script, live.replica):
            live.adopt(promoted)


def _production(setting: Scenario, chosen: Variant) -> tuple[Production, Gateway]:
    """The traffic of a scenario, and the gateway it goes through."""
    # Here and not at the top: neither service waits for what these import.
    from sandbox import flights  # noqa: PLC0415
    from sandbox.live import production  # noqa: PLC0415
    from sandbox.traffic import gateway  # noqa: PLC0415

    entrance = gateway.Gateway(chosen.number("gateway"))
    feed = production.feed_of(setting, chosen)
    return production.Production(flights.load(), setting.live_from, entrance, feed), entrance


def _monitor(
    stack_of_all: ExitStack,
    runtime: Runtime,
    folder: Path,
    rules: Path | None,
    entrance: Measured,
) -> Monitor:
    from sandbox.live import monitor  # noqa: PLC0415 - only where there is something to monitor

    address = stack_of_all.enter_context(monitor.metrics_of(entrance))
    return monitor.Monitor(runtime, folder, rules, address)


def _reference(registry_folder: Path) -> Reference:
    from sandbox import references  # noqa: PLC0415 - see where it is called

    return references.champion(registry_folder)


class Live:
    """The model service of a workspace, restarted when its files change."""

    def __init__(
        self, setting: Scenario, workspace: Path, runtime: Runtime, server: Service
    ) -> None:
        self.setting = setting
        self.workspace = workspace
        self.runtime = runtime
        self.registry_url = server.url
        self._service: Service | None = None
        self._files: dict[str, tuple[int, int]] = {}
        self._ready = False
        self._problem = ""
        # Where releases are rolled out, that is the router's port and the versions are pinned.
        rolled_out = setting.manifest is not None
        self._port = None if rolled_out else session.SERVICE_PORT
        self.version = str(setting.releases.champion) if setting.releases and rolled_out else None
        self.url = ""

    def launch(self) -> None:
        """Start the service on the files as they are now, at the address it had before."""
        if self._service is not None:
            self._service.stop()
        self._files = self._stamps()
        self._ready, self._problem = False, ""
        spec = stack.service_spec(
            self.setting, self.workspace, self.registry_url, self._port, self.version
        )
        self._service = self.runtime.launch(spec)
        self.url = self._service.url
        self._port = int(self.url.rpartition(":")[2])

    @property
    def replica(self) -> Replica:
        """The service and the version it is pinned to."""
        from sandbox.shipping import Replica  # noqa: PLC0415 - only where releases are rolled out

        assert self._service is not None
        assert self.version is not None
        return Replica(self._service, self.version)

    def adopt(self, promoted: Replica) -> None:
        """Let a release that was promoted take the service's place."""
        if self._service is not None:
            self._service.stop()
        self._service, self.version = promoted.service, promoted.version
        self.url = promoted.service.url
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
            for path, status in entries(self.workspace).items()
            if path.startswith(("service/", "pipeline/", "requirements."))
        }


if __name__ == "__main__":
    try:
        supervise(Path(sys.argv[1]), sys.argv[2])
    except SandboxError as error:
        sys.exit(" ".join(str(error).split()))
