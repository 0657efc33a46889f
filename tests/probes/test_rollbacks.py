"""Customers who ask while versions change, and a registry that is read."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sandbox import registry
from sandbox.errors import HarnessFault
from sandbox.grading import sequences
from sandbox.models import Kind
from sandbox.probes import rollbacks
from sandbox.probes.rollbacks import ROWS_PER_REQUEST, Questions, Traffic
from sandbox.system.processes import Completed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from sandbox.references import Reference

ANSWERS = {
    version: np.full((3, ROWS_PER_REQUEST), level) + np.arange(3)[:, None] / 100
    for version, level in (("1", 0.2), ("2", 0.5))
}
BODIES = [json.dumps({"question": number}).encode() for number in range(3)]
QUESTIONS = Questions(BODIES, ANSWERS)


class Stand:
    """A service whose version, claims and health are set from outside."""

    def __init__(self) -> None:
        self.version = self.said = "2"
        self.status = 200
        self.off_by = 0.0

    def says(self, body: bytes) -> bytes:
        rows = ANSWERS[self.version][json.loads(body)["question"]] + self.off_by
        return json.dumps({"predictions": rows.tolist()}).encode()


@contextmanager
def serving(stand: Stand, pages: dict[str, Any] | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(stand.status, stand.says(body))

        def do_GET(self) -> None:
            content = (pages or {}).get(self.path.partition("?")[0])
            self.reply(200 if content is not None else stand.status, json.dumps(content).encode())

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("X-Model-Version", stand.said)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(traffic: Traffic, more: int) -> None:
    """Wait until so many more requests were answered, and one after them was begun."""
    until = traffic.begun + more + 1
    while traffic.begun < until:
        traffic.watch(0.01)


def test_the_predictions_tell_who_answered() -> None:
    stand = Stand()
    with serving(stand) as url, Traffic(url, QUESTIONS) as traffic:
        asked(traffic, 4)
        assert traffic.answering() == "2"
        stand.said = "1"  # a claim and no more
        asked(traffic, 4)
        assert not traffic.sees("1", 0.1)
        mark = traffic.begun
        stand.version = "1"
        assert traffic.sees("1", 5)
        asked(traffic, 4)
    runs = traffic.runs()
    assert sequences.versions(runs) == ["2", "1"]
    assert sequences.failures(runs) == (0, "")
    assert sequences.untruths(runs) >= 4
    assert sequences.requests(runs) == traffic.begun
    assert sequences.versions(sequences.part(runs, mark + 1)) == ["1"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": 503}, "status 503"),
        ({"off_by": 0.0001}, "predictions of no version"),
    ],
)
def test_what_is_no_answer_is_a_failure(change: dict[str, Any], problem: str) -> None:
    stand = Stand()
    with serving(stand) as url, Traffic(url, QUESTIONS) as traffic:
        asked(traffic, 2)
        vars(stand).update(change)
        asked(traffic, 2)
        assert traffic.answering() == ""
        vars(stand).update({"status": 200, "off_by": 0.0})
        asked(traffic, 2)
    failed, said = sequences.failures(traffic.runs())
    assert failed >= 2
    assert problem in said
    assert sequences.versions(traffic.runs()) == ["2"]


def test_a_service_that_is_gone_is_a_failure() -> None:
    stand = Stand()
    with serving(stand) as url:
        pass
    with Traffic(url, QUESTIONS) as traffic:
        assert not traffic.sees("2", 0.1)
    assert sequences.versions(traffic.runs()) == []
    assert sequences.failures(traffic.runs())[0] == traffic.begun >= 1


def test_questions_tell_versions_apart(all_flights: pd.DataFrame, champion: Reference) -> None:
    rows = all_flights.iloc[200_000:200_083]
    better = rollbacks.reference(Kind.BETTER, champion)
    held = {
        "1": champion,
        "2": rollbacks.reference(Kind.SHIFTED, champion),
        "3": better,
        "4": rollbacks.reference(Kind.GOOD, champion),
        "5": rollbacks.reference(Kind.WRONG_AIRPORT, champion, "JFK"),
    }
    questions = Questions.about(rows, held)
    assert len(questions.bodies) == 10
    for version, reference in held.items():
        for number in (0, 9, 10):
            start = number % 10 * ROWS_PER_REQUEST
            said = reference.predict(rows.iloc[start : start + ROWS_PER_REQUEST])
            assert questions.version(number, said.tolist()) == version
    with pytest.raises(HarnessFault, match="versions 1 and 2 to differ in every request"):
        Questions.about(
            rows, {"1": champion, "2": rollbacks.reference(Kind.SLOW_TO_LOAD, champion)}
        )
    with pytest.raises(HarnessFault, match="expected one of slow"):
        rollbacks.reference(Kind.NAN, champion)


def test_a_command_is_told_where_and_who(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {}

    def run_pipeline(*arguments: str, timeout_s: float, environment: dict[str, str]) -> Completed:
        told.update(arguments=arguments, environment=environment)
        return Completed(2, "out\n", "err\n" * 500, timed_out=False, duration_s=0.1)

    site = SimpleNamespace(model=SimpleNamespace(url="http://there"), run_pipeline=run_pipeline)
    traffic = Traffic("http://127.0.0.1:9", QUESTIONS)
    seen = rollbacks.rollback(site, traffic, "3", by="amina", why="because")  # type: ignore[arg-type]
    assert told["arguments"] == ("pipeline.rollback", "--to", "3", "--why", "because")
    assert told["environment"] == {"SERVICE_URL": "http://there", "DEPLOYED_BY": "amina"}
    assert (seen["status"], seen["to"], seen["by"], seen["why"]) == (2, "3", "amina", "because")
    assert seen["began"] <= seen["ended"]
    assert seen["first"] == seen["last"] == 0
    assert seen["tail"].endswith("err")
    assert len(seen["tail"]) == rollbacks.TAIL_CHARACTERS


MODEL = "/api/2.0/mlflow/registered-models/get"
VERSIONS = "/api/2.0/mlflow/model-versions/search"


def test_the_registry_is_read() -> None:
    tags = [{"key": key, "value": "x"} for key in sorted(rollbacks.RECORD)]
    pages = {
        MODEL: {"registered_model": {"aliases": [{"alias": "champion", "version": "1"}]}},
        VERSIONS: {"model_versions": [{"version": "1", "tags": tags}, {"version": "2"}]},
    }
    with serving(Stand(), pages) as url:
        seen = registry.entries(url)
        assert seen == {
            "champion": "1",
            "tags": {"1": dict.fromkeys(sorted(rollbacks.RECORD), "x"), "2": {}},
        }
        assert rollbacks.wait_for_record(url, "1", "x", 5.0) == seen
        # Somebody else's record is not what was waited for; what is there comes back all the same.
        assert rollbacks.wait_for_record(url, "1", "y", 0.0) == seen
        assert rollbacks.wait_for_record(url, "2", "x", 0.0) == seen
    with serving(Stand(), {MODEL: {"registered_model": {}}, VERSIONS: {}}) as url:
        assert registry.entries(url) == {"champion": "", "tags": {}}


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_that_is_not_in_mlflows_words_is_ours(status: int) -> None:
    stand = Stand()
    stand.status = status
    with serving(stand) as url, pytest.raises(HarnessFault, match="the registry to answer"):
        registry.entries(url)


def test_the_version_that_is_told() -> None:
    with serving(Stand(), {"/version": {"version": 7}}) as url:
        assert rollbacks.told(url) == "7"
    with serving(Stand(), {"/version": ["no"]}) as url:
        assert rollbacks.told(url) == ""
    assert rollbacks.told(url) == ""
