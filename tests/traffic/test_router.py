"""The router: a real Traefik that splits requests by weight, at once and exactly."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import urllib3

from sandbox.traffic import router
from sandbox.traffic.client import Client
from sandbox.traffic.router import CANARY, STABLE, Router, Share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.runtimes.base import Runtime


@contextmanager
def replica(name: str, status: int = 200) -> Iterator[str]:
    """A replica that answers everything with its name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(
                f"HTTP/1.1 {status} OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
            )

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def entrance(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with router.running(runtime, tmp_path_factory.mktemp("router")) as running:
        yield running


def answers(entrance: Router, number: int) -> list[str]:
    client = Client(entrance.url)
    return [client.ask("POST", "/invocations", b"{}").body.decode() for _ in range(number)]


def test_each_track_gets_its_weight_exactly(entrance: Router) -> None:
    with replica("old") as old, replica("new") as new:
        for weight in (0, 5, 50, 100, 0):
            entrance.route({STABLE: Share(old, 100 - weight), CANARY: Share(new, weight)})
            assert answers(entrance, 200).count("new") == 2 * weight


def test_a_track_may_move_to_another_replica(entrance: Router) -> None:
    with replica("old") as old, replica("new") as new:
        entrance.route({STABLE: Share(old, 100)})
        assert set(answers(entrance, 10)) == {"old"}
        entrance.route({STABLE: Share(new, 100)})
        assert set(answers(entrance, 10)) == {"new"}


def test_it_counts_what_each_track_answered_by_status(entrance: Router) -> None:
    def counted() -> dict[tuple[str, int], int]:
        return entrance.answered(entrance.metrics())

    with replica("old") as old, replica("new", 500) as new:
        entrance.route({STABLE: Share(old, 75), CANARY: Share(new, 25)})
        before = counted()
        answers(entrance, 40)
        after = counted()
    grown = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key)}
    assert grown == {(STABLE, 200): 30, (CANARY, 500): 10}


def test_nobody_else_reaches_its_api_and_its_metrics(entrance: Router) -> None:
    with replica("old") as old:
        entrance.route({STABLE: Share(old, 100)})
        for path in ("/api/rawdata", "/api/http/services"):
            # Like any other path: the service's own.
            said = urllib3.request("POST", entrance.url + path, body=b"{}")
            assert said.data == b"old"
        assert b"traefik_" not in urllib3.request("POST", f"{entrance.url}/metrics", body=b"").data


def test_before_anything_is_routed_nothing_is_there(runtime: Runtime, tmp_path: Path) -> None:
    with router.running(runtime, tmp_path) as entrance:
        assert Client(entrance.url).ask("POST", "/invocations", b"{}").status == 404
