"""The proxy answers scoring requests by itself and passes on everything else."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from sandbox import flights, paths
from sandbox.probes import inputs
from sandbox.traffic.client import Client
from sandbox.traffic.proxy import proxy

if TYPE_CHECKING:
    from collections.abc import Iterator


Seen = list[tuple[str, str, bytes]]


@contextmanager
def service() -> Iterator[tuple[str, Seen]]:
    """A service that refuses everything with 418 and keeps what it was asked."""
    seen: Seen = []

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            seen.append((self.command, self.path, body))
            self.send_response(418)
            self.send_header("X-Model-Version", "7")
            self.end_headers()
            self.wfile.write(b"of the service")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_column(records: list[dict[str, Any]]) -> list[float]:
    return [record["x"] / 10 for record in records]


def by_frame(records: list[dict[str, Any]]) -> list[float]:
    """As graders do it: what `inputs.frame` refuses is not answered."""
    times = pd.to_datetime(inputs.frame(records)["scheduled_departure"], utc=True, format="ISO8601")
    return (times.dt.minute / 60).tolist()


@pytest.fixture(scope="module")
def rows(all_flights: pd.DataFrame) -> list[dict[str, Any]]:
    return list(flights.records(all_flights.iloc[100_000:100_040]))


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"x": 1, "y": 0}, {"x": 2, "y": 0}]},
        {"instances": [{"x": 1}, {"x": 2}]},
        {"dataframe_split": {"columns": ["y", "x"], "data": [[0, 1], [0, 2]]}},
    ],
)
def test_every_form_is_answered_by_the_proxy(body: dict[str, Any]) -> None:
    with service() as (target, seen), proxy(target, by_column, "9") as url:
        answer = Client(url).score_body(json.dumps(body).encode(), 2)
        assert (answer.status, answer.predictions) == (200, [0.1, 0.2])
        assert answer.version == "9"
        assert seen == []


def test_other_routes_are_passed_on_as_they_are() -> None:
    with service() as (target, seen), proxy(target, by_column, "9") as url:
        client = Client(url)
        answers = [
            client.ask("GET", "/version?x=1"),
            client.ask("GET", "/metrics"),
            client.ask("POST", "/feedback", b'[{"flight_id": "F1", "late": true}]'),
        ]
        assert {(a.status, a.body, a.version) for a in answers} == {(418, b"of the service", "7")}
        assert seen == [
            ("GET", "/version?x=1", b""),
            ("GET", "/metrics", b""),
            ("POST", "/feedback", b'[{"flight_id": "F1", "late": true}]'),
        ]


UNSOUND_BODIES = [
    b"",
    b"not JSON",
    b"\xff\xfe",
    b"null",
    b"5",
    b'"dataframe_split"',
    b"[]",
    b'["dataframe_records"]',
    b"{}",
    b'{"rows": []}',
    b'{"dataframe_records": []}',
    b'{"instances": []}',
    b'{"dataframe_records": [1, 2]}',
    b'{"dataframe_records": [{"y": 1}]}',
    b'{"dataframe_records": [{"x": "1"}]}',
    b'{"dataframe_split": {"columns": ["x"], "data": [[1, 2]]}}',
    b'{"dataframe_split": [1]}',
    b'{"dataframe_split": {"columns": ["x"], "data": []}}',
    b'{"dataframe_split": null}',
    b"[" * 100_000,
]


def test_what_is_no_sound_request_is_the_services_to_refuse() -> None:
    with service() as (target, seen), proxy(target, by_column, "9") as url:
        client = Client(url)
        for body in UNSOUND_BODIES:
            answer = client.ask("POST", "/invocations", body)
            assert (answer.status, answer.body) == (418, b"of the service"), body[:50]
        assert seen == [("POST", "/invocations", body) for body in UNSOUND_BODIES]


def test_every_malformed_flight_reaches_the_service(rows: list[dict[str, Any]]) -> None:
    # A candidate's test may check refusals, too; the proxy must not answer in the service's place.
    bodies = inputs.malformed_bodies(rows[:3])
    bodies["text that looks like a number"] = json.dumps(
        {"dataframe_records": [{**rows[0], "temp": "71"}]}
    ).encode()
    bodies["a number that is a truth"] = json.dumps(
        {"dataframe_records": [{**rows[0], "distance": True}]}
    ).encode()
    bodies["a distance that is missing"] = json.dumps(
        {"dataframe_records": [{**rows[0], "distance": None}]}
    ).encode()
    # pandas takes most of these for times; they are none that anybody could read off the feed.
    for time in ("", "now", "2013", "2013-07-01", "1372651200", "2013-02-30T12:00:00Z"):
        bodies[f"the time {time!r}"] = json.dumps(
            {"dataframe_records": [{**rows[0], "scheduled_departure": time}]}
        ).encode()
    with service() as (target, seen), proxy(target, by_frame, "9") as url:
        client = Client(url)
        statuses = {
            case: client.ask("POST", "/invocations", b).status for case, b in bodies.items()
        }
        assert statuses == dict.fromkeys(bodies, 418)
        assert [body for _, _, body in seen] == list(bodies.values())


def test_what_is_answered_for_a_time_is_one_to_the_healthy_service() -> None:
    contract = (paths.HEALTHY / "service/contract.py").read_text("utf-8")
    assert f'r"{inputs.INSTANT.pattern}"' in contract


def test_every_ordinary_flight_is_answered_by_the_proxy(rows: list[dict[str, Any]]) -> None:
    with service() as (target, seen), proxy(target, by_frame, "9") as url:
        client = Client(url)
        for case in inputs.ordinary_cases(rows):
            assert inputs.send_ordinary(client, case)["problem"] == "", case.name
        assert seen == []


def test_a_path_cannot_lead_elsewhere() -> None:
    with (
        service() as (target, seen),
        service() as (other, others),
        proxy(target, by_column, "9") as url,
    ):
        for path in (f"@{other.removeprefix('http://')}/secret", f"{other}/secret", "x", "*"):
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
            connection.putrequest("GET", path)
            connection.endheaders()
            assert connection.getresponse().status in (400, 502)
            connection.close()
        assert seen == others == []


@pytest.mark.parametrize(
    ("length", "status"), [(str(10**12), 413), ("-1", 411), ("ten", 411), ("", 411), (None, 411)]
)
def test_a_body_beyond_the_limit_or_of_no_length_is_refused(
    length: str | None, status: int
) -> None:
    with service() as (target, seen), proxy(target, by_column, "9") as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        connection.putrequest("POST", "/invocations")
        if length is not None:
            connection.putheader("Content-Length", length)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == status
        assert answer.read() == b"{}"
        # What was not read must not be taken for another request.
        assert answer.will_close or connection.sock is None or connection.sock.recv(1) == b""
        connection.close()
        assert seen == []


def test_a_service_that_is_away_is_a_bad_gateway() -> None:
    with service() as (target, _):
        pass
    with proxy(target, by_column, "9") as url:
        assert Client(url).ask("GET", "/ping").status == 502
        scored = Client(url).score([{"x": 1}])
        assert scored.predictions == [0.1]


def test_requests_are_answered_side_by_side() -> None:
    together = threading.Barrier(4, timeout=5)

    def answer(records: list[dict[str, Any]]) -> list[float]:
        together.wait()
        return by_column(records)

    found: list[list[float] | None] = []
    with service() as (target, _), proxy(target, answer, "9") as url:
        client = Client(url)
        threads = [
            threading.Thread(target=lambda: found.append(client.score([{"x": 3}]).predictions))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [[0.3]] * 4


def test_the_proxy_is_gone_after_the_block() -> None:
    with service() as (target, _), proxy(target, by_column, "9") as url:
        assert Client(url).score([{"x": 1}]).status == 200
    assert Client(url, 1).score([{"x": 1}]).status is None
