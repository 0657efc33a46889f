"""Whatever a service does becomes an exchange with a problem, in time."""

from __future__ import annotations

import itertools
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import SubmissionFault
from sandbox.traffic.client import (
    ANSWER_BYTES_MAX,
    CLOSED,
    HUNG_AFTER,
    Client,
    Exchange,
    batches,
    predictions_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Script = Callable[[BaseHTTPRequestHandler], None]

TIMEOUT_S = 0.15
# What a request may take beyond its limit on a busy machine.
SLACK_S = 1.5


class Server(ThreadingHTTPServer):
    """Answers by script; a client that hangs up is ordinary."""

    over = threading.Event()
    requests: list[tuple[str, str, bytes]]
    connections: set[object]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client hangs up on an answer that goes on and on: that is what is tested."""


@contextmanager
def serving(script: Script) -> Iterator[tuple[Server, str]]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            server.requests.append((self.command, self.path, body))
            server.connections.add(self.connection)
            script(self)

        def do_GET(self) -> None:
            server.requests.append((self.command, self.path, b""))
            script(self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = Server(("127.0.0.1", 0), Handler)
    server.over = threading.Event()
    server.requests, server.connections = [], set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def over(handler: BaseHTTPRequestHandler) -> threading.Event:
    assert isinstance(handler.server, Server)
    return handler.server.over


def says(body: object, status: int = 200, **headers: str) -> Script:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(raw)

    return script


def writes(*parts: bytes, every_s: float = 0.0, then: str = "close", times: int = 1) -> Script:
    """Write bytes as they are, the last part over and over, and then close or hang."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        for part in itertools.chain(parts, itertools.repeat(parts[-1], times - 1)):
            handler.wfile.write(part)
            if over(handler).wait(every_s):
                return
        if then == "hang":
            over(handler).wait(30)

    return script


def in_turn(*scripts: Script) -> Script:
    """Each request is answered by the next script."""
    left = iter(scripts)

    def script(handler: BaseHTTPRequestHandler) -> None:
        next(left)(handler)

    return script


def exchange(script: Script, timeout_s: float = 5.0, rows: int = 2) -> Exchange:
    """What one request comes to; it ends in time and raises nothing."""
    with serving(script) as (_, url):
        began = time.monotonic()
        seen = Client(url, timeout_s).score([{"row": n} for n in range(rows)])
        # Once more where a connection was closed.
        assert time.monotonic() - began < 2 * timeout_s + SLACK_S
    assert seen.rows == rows
    assert json.loads(json.dumps(seen.summary(), allow_nan=False)) == seen.summary()
    assert (seen.predictions is None) == bool(seen.problem)
    return seen


# -- answers


def test_a_good_answer_is_taken_in() -> None:
    seen = exchange(says({"predictions": [0, 0.25], "more": 1}, X_Model_Version="12"))
    assert (seen.status, seen.predictions, seen.version) == (200, [0.0, 0.25], "12")
    assert 0 < seen.latency_ms < 1000 * SLACK_S
    assert "predictions" not in seen.summary()


def test_what_is_asked_is_mlflows_protocol() -> None:
    with serving(says({"predictions": [0.5]})) as (server, url):
        Client(url).score([{"temp": None}])
        assert server.requests == [
            ("POST", "/invocations", b'{"dataframe_records": [{"temp": null}]}')
        ]


HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (says({"predictions": [0.5]}), "expected 2 predictions, saw 1"),
        (says({"predictions": [0.5] * 3}), "saw 3"),
        (says({"predictions": []}), "saw 0"),
        (says({"predictions": 0.5}), "saw float"),
        (says({"predictions": {"0": 0.5, "1": 0.5}}), "saw dict"),
        (says({"predictions": "ab"}), "saw str"),
        (says({"predictions": None}), "saw NoneType"),
        (says(b'{"predictions": [0.5, NaN]}'), "not numbers from 0 to 1"),
        (says(b'{"predictions": [0.5, Infinity]}'), "not numbers from 0 to 1"),
        (says(b'{"predictions": [0.5, 1e999]}'), "not numbers from 0 to 1"),
        (says(f'{{"predictions": [0.5, {HUGE}]}}'.encode()), "not numbers from 0 to 1"),
        (says(f'{{"predictions": [0.5, -{HUGE}]}}'.encode()), "not numbers from 0 to 1"),
        (says({"predictions": [0.5, 1.01]}), "not numbers from 0 to 1"),
        (says({"predictions": [0.5, -1e308]}), "not numbers from 0 to 1"),
        (says({"predictions": [0.5, None]}), "not numbers from 0 to 1"),
        (says({"predictions": [0.5, True]}), "not numbers from 0 to 1"),
        (says({"predictions": [0.5, "0.5"]}), "not numbers from 0 to 1"),
        (says({"predictions": [[0.5], [0.5]]}), "not numbers from 0 to 1"),
        (says({"scores": [0.5, 0.5]}), "the answer is not"),
        (says([0.5, 0.5]), "the answer is not"),
        (says("text"), "the answer is not"),
        (says(None), "the answer is not"),
        (says(b""), "the answer is not"),
        (says(b"<html>"), "the answer is not"),
        (says(b"\xff\xfe\xfa"), "the answer is not"),
        (says(b"[" * 100_000), "the answer is not"),
        (says(b'{"predictions": ' + b"[" * 100_000), "the answer is not"),
        (says(b'{"predictions": [' + b"1" * 10_000 + b"]}"), "the answer is not"),
        (says({"detail": "boom"}, 500), 'status 500: {"detail": "boom"}'),
        (says({"predictions": [0.5, 0.5]}, 201), "status 201"),
        (says(b"\xff" * 300, 503), "status 503"),
        (says(b"", 404), "status 404"),
    ],
)
def test_an_answer_that_is_wrong_is_told(script: Script, said: str) -> None:
    seen = exchange(script)
    assert seen.status is not None
    assert said in seen.problem
    assert len(seen.problem) < 300


def test_redirects_are_not_followed() -> None:
    with serving(says({"predictions": [0.5, 0.5]})) as (elsewhere, there):
        for location in (there, "http://[", "//", "\udcff", "http://127.0.0.1:99999/"):
            seen = exchange(says(b"", 307, Location=location.encode("utf-8", "replace").decode()))
            assert seen.problem.startswith("status 307")
        assert elsewhere.requests == []


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = b'{"predictions": [0.5, 0.5]}'
LATE = f"no answer within {TIMEOUT_S:g} s"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(writes(b"", then="hang"), id="hangs"),
        pytest.param(writes(OK, then="hang"), id="hangs in the head"),
        pytest.param(writes(OK + b"Content-Length: 9\r\n\r\n{", then="hang"), id="in the body"),
        pytest.param(writes(OK + b"\r\n" + GOOD, then="hang"), id="never closes"),
        pytest.param(
            writes(OK + b"Content-Length: 90000\r\n\r\n", b" ", every_s=0.02, times=200),
            id="drips the body",
        ),
        pytest.param(
            writes(CHUNKED, b"1\r\n \r\n", every_s=0.02, times=200), id="drips the chunks"
        ),
        pytest.param(
            writes(CHUNKED + b"fffff\r\n", b" ", every_s=0.02, times=200), id="drips one chunk"
        ),
        pytest.param(writes(OK + b"X: ", b"x", every_s=0.02, times=200), id="drips the head"),
        pytest.param(
            writes(b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.02, times=200), id="will go on"
        ),
        pytest.param(
            writes(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, times=10**9), id="will go on, fast"
        ),
    ],
)
def test_a_slow_answer_is_given_up_in_time(script: Script) -> None:
    seen = exchange(script, TIMEOUT_S)
    assert (seen.status, seen.problem) == (None, LATE)
    assert seen.latency_ms >= 1000 * TIMEOUT_S * 0.9


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(says(b" " * (ANSWER_BYTES_MAX + 1)), id="one byte too many"),
        pytest.param(
            writes(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n", times=10**6), id="chunks"
        ),
        pytest.param(writes(OK + b"\r\n", b" " * 65536, times=10**6), id="endless"),
        pytest.param(
            writes(OK + b"Content-Length: 9999999999999\r\n\r\n", b" " * 65536, times=10**6),
            id="huge",
        ),
    ],
)
def test_a_long_answer_is_cut_off(script: Script) -> None:
    seen = exchange(script)
    assert seen.status == 200
    assert f"beyond {ANSWER_BYTES_MAX} bytes" in seen.problem


def test_the_longest_answer_is_taken_in() -> None:
    body = GOOD + b" " * (ANSWER_BYTES_MAX - len(GOOD))
    with serving(says(body)) as (_, url):
        assert Client(url).score([1, 2]).predictions == [0.5, 0.5]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(writes(b""), id="closes"),
        pytest.param(writes(b"SSH-2.0-OpenSSH\r\n"), id="another protocol"),
        pytest.param(writes(OK + b"Content-Length: 100\r\n\r\n" + GOOD), id="cut short"),
        pytest.param(writes(CHUNKED + b"zz\r\n\r\n"), id="no chunk"),
        pytest.param(writes(CHUNKED + b"1b\r\n" + GOOD), id="chunks cut short"),
        pytest.param(writes(CHUNKED + b"-5\r\n" + GOOD), id="a chunk of less than nothing"),
        pytest.param(writes(OK + b"X: " + b"x" * 10**6 + b"\r\n\r\n"), id="a long head"),
        pytest.param(writes(OK + b"X: x\r\n" * 10_000 + b"\r\n"), id="many heads"),
        pytest.param(writes(OK + b"Content-Length: -5\r\n\r\n"), id="a negative length"),
        pytest.param(says(b"no gzip", Content_Encoding="gzip"), id="not compressed"),
        pytest.param(writes(b"HTTP/1.1 ten OK\r\n\r\n"), id="no status"),
    ],
)
def test_an_answer_that_is_no_http_raises_nothing(script: Script) -> None:
    assert exchange(script).predictions is None


def test_nobody_there_is_told() -> None:
    with serving(says(b"")) as (_, url):
        pass
    seen = Client(url, TIMEOUT_S).score([1])
    assert (seen.status, seen.predictions) == (None, None)
    assert "no answer" in seen.problem


# -- connections


def test_a_connection_is_kept() -> None:
    with serving(says({"predictions": [0.5]})) as (server, url):
        client = Client(url)
        assert [client.score([n]).problem for n in range(5)] == [""] * 5
        assert len(server.connections) == 1


def test_a_kept_connection_that_was_closed_does_not_count() -> None:
    def script(handler: BaseHTTPRequestHandler) -> None:
        # It says that it keeps the connection, and closes it.
        says({"predictions": [0.5]})(handler)
        handler.close_connection = True

    with serving(script) as (server, url):
        client = Client(url)
        for number in range(5):
            assert client.score([number]).predictions == [0.5]
            time.sleep(0.01)
        assert len(server.requests) == 5


def test_a_connection_closed_twice_counts() -> None:
    with serving(writes(b"")) as (server, url):
        seen = Client(url).score([1])
        assert (seen.status, seen.problem) == (None, CLOSED)
        assert len(server.requests) == 2


def test_an_answer_too_many_spoils_nothing() -> None:
    script = in_turn(says(b" " * (ANSWER_BYTES_MAX + 1)), says({"predictions": [0.5]}))
    with serving(script) as (_, url):
        client = Client(url)
        assert client.score([1]).problem
        assert client.score([1]).predictions == [0.5]


def test_any_request_can_be_made() -> None:
    with serving(says(b"# HELP", 200)) as (server, url):
        answer = Client(url).ask("GET", "/metrics")
        assert (answer.status, answer.body, answer.problem) == (200, b"# HELP", "")
        assert server.requests == [("GET", "/metrics", b"")]


# -- many


def test_many_flights_are_asked_in_batches_in_order() -> None:
    def script(handler: BaseHTTPRequestHandler) -> None:
        assert isinstance(handler.server, Server)
        asked = json.loads(handler.server.requests[-1][2])["dataframe_records"]
        says({"predictions": [row / 1000 for row in asked]})(handler)

    with serving(script) as (_, url):
        seen = Client(url).score_all(range(120))
    assert [exchange.rows for exchange in seen] == [50, 50, 20]
    assert predictions_of(seen) == [row / 1000 for row in range(120)]


def test_rows_without_a_usable_answer_are_none() -> None:
    answers = [says({"predictions": [0.1, 0.2]}), says(b"", 500), says({"predictions": [0.5]})]
    with serving(in_turn(*answers)) as (_, url):
        seen = Client(url).score_all(range(5), rows_per_request=2)
    assert predictions_of(seen) == [0.1, 0.2, None, None, 0.5]


def test_errors_are_answers_and_go_on() -> None:
    with serving(says({"detail": "no"}, 500)) as (_, url):
        seen = Client(url).score_all(range(10), rows_per_request=1)
    assert [exchange.status for exchange in seen] == [500] * 10


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param(writes(b"", then="hang"), LATE, id="hangs"),
        pytest.param(writes(CHUNKED, b"1\r\n \r\n", every_s=0.02, times=200), LATE, id="drips"),
        pytest.param(writes(b""), CLOSED, id="closes"),
    ],
)
def test_a_service_that_stopped_answering_is_a_fault(script: Script, said: str) -> None:
    with serving(script) as (server, url):
        with pytest.raises(SubmissionFault, match="3 in a row") as caught:
            Client(url, TIMEOUT_S).score_all(range(100), rows_per_request=1)
        assert said in caught.value.seen
        assert len(server.requests) <= 2 * HUNG_AFTER


def test_two_in_a_row_are_not_enough() -> None:
    hangs, answers = writes(b""), says({"predictions": [0.5]})
    # Each closed connection is tried twice.
    with serving(in_turn(*[hangs] * 4, answers, *[hangs] * 4, answers)) as (_, url):
        seen = Client(url).score_all(range(6), rows_per_request=1)
    assert predictions_of(seen) == [None, None, 0.5, None, None, 0.5]


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(0, 5, []), (5, 5, [5]), (6, 5, [5, 1]), (3, 1, [1, 1, 1])]
)
def test_batches(count: int, size: int, sizes: list[int]) -> None:
    parts = list(batches(range(count), size))
    assert [len(part) for part in parts] == sizes
    assert [item for part in parts for item in part] == list(range(count))
