"""The supervisor of a live take-home: keeps the stack running and production traffic flowing.

    python -m sandbox.live WORKSPACE RUNTIME

Days from July on are replayed on a simulated clock, an hour of it a tick: each hour's flights are
scored, and the labels of the same hour of the day before arrive. The first days go by as fast as
the service answers, so that there are figures to look at; then an hour takes a second. When a file
of the workspace changes, the service is restarted on it.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sandbox import flights, models, paths, registry, scenario, session, stack
from sandbox.errors import SandboxError
from sandbox.grading.statistics import auc, percentile
from sandbox.runtimes import open_runtime
from sandbox.session import Figures, State
from sandbox.traffic import Client, predictions_of
from sandbox.workspace import entries, read_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.references import Reference
    from sandbox.runtimes.base import Runtime, Service
    from sandbox.scenario import Scenario
    from sandbox.traffic import Exchange

FIRST_DAY = pd.Timestamp("2013-07-01", tz=flights.AIRPORT_TIMEZONE)
HOUR = pd.Timedelta(hours=1)
LABELS_LATE_BY = pd.Timedelta(days=1)
# So much is replayed at once, for labels to be in when `start` returns.
HEAD_START = pd.Timedelta(days=4)
TICK_S = 1.0
SERVICE_PORT, REGISTRY_PORT = 8080, 5000
REQUESTS_KEPT = 300
FLIGHTS_KEPT = 3_000
FLIGHTS_MIN = 500
LOG_LINES = 400
RESTART_TRIES_EVERY_S = 1.0


class Traffic:
    """Replays production hour by hour and keeps the figures."""

    def __init__(self) -> None:
        everything = flights.load()
        self._flights = everything[everything["departure"] >= FIRST_DAY.tz_convert("UTC")]
        self._hours = self._flights["departure"].dt.floor("h")
        self._exchanges: deque[tuple[float, Exchange]] = deque(maxlen=REQUESTS_KEPT)
        self._waiting: deque[tuple[pd.Timestamp, pd.DataFrame, list[float | None]]] = deque()
        # By flight, as its place in the table: the prediction that was served.
        self._labelled: deque[tuple[int, float]] = deque(maxlen=FLIGHTS_KEPT)
        self._expected: dict[int, float] = {}
        self.reference: Reference | None = None
        self.now = FIRST_DAY.tz_convert("UTC")

    def tick(self, client: Client) -> None:
        """Replay one hour: score its flights, then send the labels that are due."""
        rows = self._flights[self._hours == self.now]
        if len(rows):
            exchange = client.score(flights.records(rows))
            self._exchanges.append((time.monotonic(), exchange))
            predictions = predictions_of([exchange])
            self._waiting.append((self.now, rows, predictions))
        while self._waiting and self._waiting[0][0] <= self.now - LABELS_LATE_BY:
            self._label(client, *self._waiting.popleft()[1:])
        self.now += HOUR
        if self.now > self._hours.iloc[-1]:
            self.now = FIRST_DAY.tz_convert("UTC")

    def _label(self, client: Client, rows: pd.DataFrame, predictions: list[float | None]) -> None:
        labels = [
            {"flight_id": flight_id, "late": bool(late)}
            for flight_id, late in zip(rows["flight_id"], rows["late"], strict=True)
        ]
        client.ask("POST", "/feedback", json.dumps(labels).encode())
        self._labelled.extend(
            (place, prediction)
            for place, prediction in zip(rows.index, predictions, strict=True)
            if prediction is not None
        )

    def figures(self) -> Figures:
        """How the service fares, over the last requests and labels."""
        exchanges = list(self._exchanges)
        recent = [at for at, _ in exchanges if at > time.monotonic() - 10]
        places = [place for place, _ in self._labelled]
        predictions = [prediction for _, prediction in self._labelled]
        late = self._flights["late"].loc[places].tolist()
        return Figures(
            now=self.now.tz_convert(flights.AIRPORT_TIMEZONE).isoformat(timespec="minutes"),
            requests_per_s=round(len(recent) / 10, 1),
            p95_ms=round(percentile([e.latency_ms for _, e in exchanges], 95), 1)
            if exchanges
            else 0.0,
            errors=sum(e.predictions is None for _, e in exchanges) / max(1, len(exchanges)),
            auc=_auc(late, predictions),
            pipeline_auc=_auc(late, self._references(places)),
            labelled=len(late),
            mean_prediction=round(sum(predictions) / len(late), 3) if late else None,
            late_rate=round(sum(late) / len(late), 3) if late else None,
        )

    def _references(self, places: list[int]) -> list[float]:
        """What the pipeline predicts for the same flights; empty while there is no reference."""
        if self.reference is None:
            return []
        if missing := [place for place in places if place not in self._expected]:
            predicted = self.reference.predict(self._flights.loc[missing]).tolist()
            self._expected |= dict(zip(missing, predicted, strict=True))
        return [self._expected[place] for place in places]


def _auc(late: Sequence[float], predictions: Sequence[float]) -> float | None:
    """AUC; None where there are too few to tell anything."""
    if len(predictions) < FLIGHTS_MIN:
        return None
    area = auc(late, predictions)
    return None if math.isnan(area) else round(area, 3)


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
    state = State(os.getpid(), mark.scenario, mark.seed, str(workspace), "starting")
    session.write_state(state)
    with ExitStack() as stack_of_all:
        scratch = stack_of_all.enter_context(paths.run_folder())
        folder = stack.copy_registry(models.releases(), scratch / "registry")
        runtime = stack_of_all.enter_context(open_runtime(runtime_name))
        server = runtime.launch(registry.spec(folder, REGISTRY_PORT))
        live = Live(setting, workspace, runtime, server)
        live.launch()
        # While both import, read the flights.
        traffic = Traffic()
        server.wait_ready()
        state = replace(state, registry_url=server.url, isolation=runtime.isolation)
        head_start = FIRST_DAY + HEAD_START
        while not stopped.is_set():
            problem = live.attend()
            if not problem:
                client = Client(live.url)
                traffic.tick(client)
                if not state.answered_at:
                    state = replace(state, answered_at=time.time())
                while traffic.now < head_start and not stopped.is_set():
                    traffic.tick(client)
            phase = "down" if problem else "running"
            session.write_state(
                replace(
                    state,
                    phase=phase,
                    problem=problem,
                    service_url=live.url,
                    figures=traffic.figures(),
                )
            )
            session.SERVICE_LOG.write_text(live.logs(), encoding="utf-8")
            if traffic.reference is None:
                # Imports LightGBM: after the first state is written, nobody waits for it.
                traffic.reference = _reference(folder)
            stopped.wait(TICK_S if not problem else RESTART_TRIES_EVERY_S)


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
