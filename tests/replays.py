"""Small scripts, and services to replay them on: one that is only an object, one that is real."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sandbox.flights import RAW
from sandbox.script import Script, quiet
from sandbox.telemetry.remote_write import Batch, decode
from sandbox.traffic.client import Answer, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

START = pd.Timestamp("2013-07-09 09:00", tz="UTC")
START_S = START.timestamp()
UNANSWERED = "no answer within 10 s"


def scripted(
    flights: pd.DataFrame,
    ticks: int = 6,
    rows_per_tick: int = 4,
    tick_s: float = 60.0,
    labels: Sequence[tuple[str, int, int]] = (),
    **changed: Any,
) -> Script:
    """The first flights there are, so many a tick; labels are flight, whether late, and tick."""
    events = flights.head(ticks * rows_per_tick)[[*RAW, "late"]]
    events = events.assign(tick=np.repeat(np.arange(ticks), rows_per_tick))
    known = pd.DataFrame(list(labels), columns=["flight_id", "late", "tick"])
    made = quiet(events.reset_index(drop=True), START, tick_s, ticks)
    return replace(made, **{"labels": known, **changed})


@dataclass
class Service:
    """A client and the service behind it in one: it counts rows and labels, and exports that.

    Args:
        exports: what `/metrics` says, from how often it was asked before; the counts unless given.
        unanswered: paths that get no answer at all.
        every: is called whenever anything is asked.
    """

    exports: Callable[[int], Answer] | None = None
    unanswered: set[str] = field(default_factory=set)
    every: Callable[[], object] = lambda: None
    rows: int = 0
    labels: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    log: list[tuple[int, str, Any]] = field(default_factory=list)

    def score(self, records: Sequence[dict[str, Any]]) -> Exchange:
        """One prediction a row: a tenth for each hundred miles."""
        self._note("/invocations", [record["flight_id"] for record in records])
        if "/invocations" in self.unanswered:
            return Exchange(len(records), None, None, "", 10_000.0, UNANSWERED)
        self.rows += len(records)
        predictions = [predicted(record) for record in records]
        return Exchange(len(records), 200, predictions, "1", 3.0, "")

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Metrics and labels."""
        before = self.asked[path]
        self._note(path, json.loads(body) if body else None)
        if path in self.unanswered:
            return Answer(None, b"", "", 10_000.0, UNANSWERED)
        if path == "/feedback":
            self.labels += len(json.loads(body or b"[]"))
            return Answer(200, b"{}", "", 1.0)
        assert (method, path) == ("GET", "/metrics")
        return self.exports(before) if self.exports else says(self.text())

    def text(self) -> str:
        """What it exports."""
        return f"rows_total {self.rows}\nlabels_total {self.labels}\n"

    def _note(self, path: str, what: object) -> None:
        self.every()
        # Each tick ends with a scrape: so many are over.
        self.log.append((self.asked["/metrics"], path, what))
        self.asked[path] += 1


def predicted(record: dict[str, Any]) -> float:
    """What the services here answer for a flight."""
    return min(1.0, float(record["distance"]) / 1_000)


def says(text: str | bytes, status: int = 200) -> Answer:
    """An answer of `/metrics`."""
    return Answer(status, text if isinstance(text, bytes) else text.encode(), "", 2.0)


class Written:
    """Takes samples in place of a Prometheus and keeps them: by series, instant in milliseconds."""

    def __init__(self) -> None:
        self.samples: dict[tuple[tuple[str, str], ...], list[tuple[int, float]]] = {}
        self.writes = 0

    def write(self, batch: Batch) -> None:
        """Keep a batch."""
        self.writes += 1
        for labels, samples in decode(batch.encode()).items():
            self.samples.setdefault(labels, []).extend(samples)

    def of(self, name: str, **labels: str) -> dict[float, float]:
        """The values of the only series with that name and, at least, these labels, by seconds
        from the start.
        """
        wanted = {"__name__": name, **labels}.items()
        (samples,) = (s for key, s in self.samples.items() if wanted <= dict(key).items())
        assert len({at for at, _ in samples}) == len(samples)
        return {at / 1000 - START_S: value for at, value in samples}


@contextmanager
def http_service(
    *,
    metrics: Callable[[Service], str | bytes] = Service.text,
    status: int = 200,
    hangs_on: Sequence[str] = (),
) -> Iterator[tuple[Service, str]]:
    """A service on a port, with its counts; where it hangs it does so until the block ends."""
    counts, over = Service(), threading.Event()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply(status, metrics(counts))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                if self.path == "/feedback":
                    counts.labels += len(body)
                    self._reply(200, "{}")
                    return
                rows = body["dataframe_records"]
                counts.rows += len(rows)
            self._reply(200, json.dumps({"predictions": [predicted(row) for row in rows]}))

        def _reply(self, code: int, text: str | bytes) -> None:
            if self.path in hangs_on:
                over.wait(30)
                self.close_connection = True
                return
            raw = text if isinstance(text, bytes) else text.encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield counts, f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
