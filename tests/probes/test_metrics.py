"""A look at one metric of a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from sandbox.errors import SubmissionFault
from sandbox.probes.metrics import by_label
from sandbox.traffic.client import Client


@contextmanager
def service(body: str, status: int = 200) -> Iterator[Client]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/metrics" else 404)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Client(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_metrics_finite_values_by_label() -> None:
    body = (
        "# TYPE skew gauge\n"
        'skew{feature="temp"} 0.5\nskew{feature="wind \\"x\\""} 2\n'
        'skew{feature="nan"} NaN\nskew{feature="inf"} +Inf\nskew{other="temp"} 3\nskew 4\n'
        'skew_total{feature="temp"} 5\n'
        f'skew{{feature="{"x" * 300}"}} 6\n'
    )
    with service(body) as client:
        assert by_label(client, "skew", "feature") == {"temp": 0.5, 'wind "x"': 2, "x" * 100: 6}
        assert by_label(client, "absent", "feature") == {}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("oops", 500, "/metrics answered status 500"),
        ("<html>\n", 200, "line 1: a line begins with a metric's name"),
        ("".join(f'm{{i="{i}"}} 1\n' for i in range(5_001)), 200, "5,001 samples"),
    ],
)
def test_metrics_that_cannot_be_read_are_the_submissions_fault(
    body: str, status: int, words: str
) -> None:
    with service(body, status) as client, pytest.raises(SubmissionFault, match=words):
        by_label(client, "skew", "feature")
