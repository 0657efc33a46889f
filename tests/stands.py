"""Replicas that stand in for the model service, and a small manifest to ship them by."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from sandbox.errors import SubmissionFault
from sandbox.shipping import Replica

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: flight-delay}
spec:
  progressDeadlineSeconds: 60
  progressDeadlineAbort: true
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec: {containers: [{name: a, image: "a:1"}]}
  strategy:
    canary:
      stableService: flight-delay-stable
      canaryService: flight-delay-canary
      trafficRouting: {traefik: {weightedTraefikServiceName: flight-delay}}
      steps:
        - setWeight: 10
        - pause: {duration: 40s}
        - analysis: {templates: [{templateName: mean}]}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: mean}
spec:
  metrics:
    - name: mean
      successCondition: result[0] < 0.4
      provider:
        prometheus:
          query: >-
            sum(rate(prediction_sum{track="canary",version="2"}[40s]))
            / sum(rate(prediction_count{track="canary",version="2"}[40s]))
"""


@dataclass
class Stand:
    """A replica that answers every row alike.

    Args:
        version: that it says it has.
        prediction: its answer.
        loads: whether it ever gets ready; otherwise it ends.
    """

    version: str
    prediction: float
    loads: bool = True
    url: str = ""
    rows: int = 0
    stopped: bool = False
    asked: list[str] = field(default_factory=list)

    def wait_ready(self) -> None:
        if not self.loads:
            raise SubmissionFault(expected="a replica that gets ready", seen="its end")

    def alive(self) -> bool:
        return self.loads and not self.stopped

    def stop(self, grace_s: float = 5.0) -> None:
        self.stopped = True

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, method: str, body: bytes) -> str:
        if method == "POST":
            rows = len(json.loads(body)["dataframe_records"])
            self.rows += rows
            self.asked.append("scores")
            return json.dumps({"predictions": [self.prediction] * rows})
        total = self.rows * self.prediction
        return f"prediction_count {self.rows}\nprediction_sum {total}\n"


@contextmanager
def answering(stand: Stand) -> Iterator[Replica]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            said = stand.answer(
                self.command, self.rfile.read(int(self.headers.get("Content-Length") or 0))
            )
            kind = "application/json" if self.command == "POST" else "text/plain; version=0.0.4"
            self.wfile.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nX-Model-Version: {stand.version}\r\n"
                f"Content-Length: {len(said)}\r\n\r\n{said}".encode()
            )

        do_POST = do_GET  # noqa: N815 - its name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        stand.url = f"http://127.0.0.1:{server.server_port}"
        yield Replica(stand, stand.version)  # type: ignore[arg-type] - all of it that is used
        server.shutdown()
