"""A real Prometheus that holds simulated time: samples are pushed, questions name their instant.

    with prometheus.running(runtime, folder, scrape_interval_s=60) as server:
        server.write(batch)
        server.query('rate(requests_total[5m])', at_s=1372636800)

It scrapes nothing and evaluates no rules, for both would happen at the wall clock's time. A random
password keeps everybody else out: what a submission could write there would be its own evidence.
"""

from __future__ import annotations

import json
import math
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import bcrypt
import urllib3
import yaml

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.runtimes.specs import ServiceSpec
from sandbox.system import tools
from sandbox.system.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sandbox.runtimes.base import Runtime
    from sandbox.telemetry.remote_write import Batch

READY_WITHIN_S = 20.0
# A sample stays visible for so many scrape intervals: one lost scrape makes no gap, two do.
LOOKBACK_SCRAPES = 2.5
QUERY_TIMEOUT_S = 10
QUERY_SAMPLES_MAX = 10_000_000
ANSWER_BYTES_MAX = 64 * 2**20
# It reads what it is asked without looking at its timeout: half a second for so much at the worst.
QUERY_CHARACTERS_MAX = 10_000
# Ten weeks of a hundred series take less than a tenth of it; labels that an expression doubles
# again and again would take all that the machine has.
MEMORY_BYTES = 4 * 2**30

_USER = "harness"
# What Go prints first, and how much of what it prints then to look through.
_OUT_OF_MEMORY, _LOG_LINES = "out of memory", 100_000
_READ_S = QUERY_TIMEOUT_S + 10
# Prometheus' own limit is 11,000; longer ranges are asked for in parts.
_STEPS_MAX = 10_000
# Longer than any replay: nothing is too old, and nothing is compacted while it runs.
_FOREVER = "100y"
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class QueryError(Exception):
    """Prometheus refused an expression; the text is its reason, in one line."""


class _TooLateError(HarnessFault):
    """Prometheus did not answer in time."""


class WriteRefused(HarnessFault):
    """Prometheus refused samples, all of a batch: two values for one series at one time, mostly."""


@dataclass(frozen=True)
class Point:
    """One series at one instant.

    Args:
        labels: its labels, the metric's name as `__name__` among them if there is one.
        value: its value.
        at_s: the instant asked about, in seconds since 1970.
    """

    labels: dict[str, str]
    value: float
    at_s: float


@dataclass(frozen=True)
class RangeSeries:
    """One series over a range; an instant at which it has no value has no point.

    Args:
        labels: as of `Point`.
        points: instants in seconds since 1970, each with its value.
    """

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """Talks to a running server.

    Args:
        url: where it answers, without a slash at the end.
        scrape_interval_s: simulated seconds between two scrapes.
        password: of the server; None where it has none.
    """

    def __init__(self, url: str, scrape_interval_s: float, password: str | None) -> None:
        self.url = url
        self.scrape_interval_s = scrape_interval_s
        self._headers = (
            urllib3.make_headers(basic_auth=f"{_USER}:{password}") if password is not None else {}
        )
        self._dear: set[str] = set()
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=5, read=_READ_S)
        )

    def ready(self) -> bool:
        """Whether it answers, and to us.

        Raises:
            urllib3.exceptions.HTTPError: nobody answers there.
        """
        answer = self._pool.request("GET", f"{self.url}/-/ready", headers=self._headers)
        return answer.status == HTTPStatus.OK

    def _is_well(self) -> bool:
        try:
            return self.ready()
        except urllib3.exceptions.HTTPError:
            return False

    def write(self, batch: Batch) -> None:
        """Write samples, in any order of time; the batch stays as it is. None is no request.

        Raises:
            WriteRefused: the server refused them; none of the batch is written.
            HarnessFault: it does not answer.
        """
        if not len(batch):
            return
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        status, said = self._send("POST", "/api/v1/write", body=batch.encode(), headers=headers)
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            # Any other answer than "a bad request" is a fault of the server.
            fault = WriteRefused if status == HTTPStatus.BAD_REQUEST else HarnessFault
            raise fault(
                expected=f"Prometheus to take {len(batch)} samples",
                seen=f"status {status}: {_one_line(said.decode(errors='replace'))}",
            )

    def query(self, expr: str, at_s: float) -> list[Point]:
        """The value of an expression at one instant; a scalar is one point without labels.

        Raises:
            QueryError: the expression is wrong, too dear, or gives no numbers at an instant.
            HarnessFault: the server does not answer.
        """
        kind, result = self._instant(expr, at_s)
        if kind == "scalar":
            return [Point({}, float(result[1]), float(result[0]))]
        return [
            Point(entry["metric"], float(entry["value"][1]), float(entry["value"][0]))
            for entry in result
        ]

    def measure(self, expr: str, at_s: float) -> list[float] | float:
        """The numbers of an expression at one instant, as an analysis of Argo Rollouts gets them:
        a vector's values as a list, in Prometheus' order, and a scalar as it is.

        Raises:
            QueryError: as of `query`.
            HarnessFault: the server does not answer.
        """
        kind, result = self._instant(expr, at_s)
        if kind == "scalar":
            return float(result[1])
        return [float(entry["value"][1]) for entry in result]

    def _instant(self, expr: str, at_s: float) -> tuple[str, Any]:
        """The kind of an answer, scalar or vector, and what it holds."""
        data = self._ask("/query", {"query": expr, "time": _seconds(at_s)})
        kind: str = data["resultType"]
        if kind not in ("scalar", "vector"):
            raise QueryError(f"the expression gives a {kind}, not one number a series")
        return kind, data["result"]

    def query_range(
        self, expr: str, start_s: float, end_s: float, step_s: float
    ) -> list[RangeSeries]:
        """The values of an expression from `start_s` in steps up to and with `end_s`.

        Ranges of any length: Prometheus' own limit of 11,000 steps does not show.

        Raises:
            QueryError: the expression is wrong, too dear, or gives no numbers at an instant.
            HarnessFault: the server does not answer.
        """
        steps = math.floor((end_s - start_s) / step_s + 1e-9) + 1
        found: dict[tuple[tuple[str, str], ...], RangeSeries] = {}
        for first in range(0, steps, _STEPS_MAX):
            last = min(first + _STEPS_MAX, steps) - 1
            fields = {
                "query": expr,
                "start": _seconds(start_s + first * step_s),
                "end": _seconds(start_s + last * step_s),
                "step": _seconds(step_s),
            }
            for entry in self._ask("/query_range", fields)["result"]:
                labels: dict[str, str] = entry["metric"]
                series = found.setdefault(tuple(sorted(labels.items())), RangeSeries(labels, []))
                series.points.extend((float(at), float(value)) for at, value in entry["values"])
        return list(found.values())

    def series(self, match: str, start_s: float, end_s: float) -> list[dict[str, str]]:
        """Labels of the series that a selector matches and that have samples about that time.

        Raises:
            QueryError: the selector is wrong.
            HarnessFault: the server does not answer.
        """
        fields = {"match[]": match, "start": _seconds(start_s), "end": _seconds(end_s)}
        answer: list[dict[str, str]] = self._ask("/series", fields)
        return answer

    def names(self, start_s: float, end_s: float) -> list[str]:
        """Names of the metrics there are at about that time, sorted.

        Raises:
            HarnessFault: the server does not answer.
        """
        fields = {"start": _seconds(start_s), "end": _seconds(end_s)}
        answer: list[str] = self._ask("/label/__name__/values", fields, method="GET")
        return answer

    def _ask(self, path: str, fields: Mapping[str, str], method: str = "POST") -> Any:
        expr = fields.get("query", "")
        if len(expr) > QUERY_CHARACTERS_MAX:
            raise QueryError(
                f"the expression has {len(expr):,} characters, more than {QUERY_CHARACTERS_MAX:,}"
            )
        if expr in self._dear:
            raise QueryError("the expression took too long before; it is not asked again")
        try:
            return self._answer(path, fields, method)
        except _TooLateError as error:
            # Whose fault is it? A server that is well answers another question meanwhile.
            if not expr or not self._is_well():
                raise
            self._dear.add(expr)
            raise QueryError(f"no answer to the expression within {_READ_S} s") from error

    def _answer(self, path: str, fields: Mapping[str, str], method: str) -> Any:
        status, said = self._send(
            method, f"/api/v1{path}", fields=dict(fields), encode_multipart=False
        )
        try:
            answer = json.loads(said)
            if status == HTTPStatus.OK:
                return answer["data"]
            reason = _one_line(answer["error"]).removeprefix('invalid parameter "query": ')
        except (ValueError, KeyError, TypeError):
            reason = _one_line(said.decode(errors="replace"))
        if status in _REFUSED:
            raise QueryError(reason)
        raise HarnessFault(
            expected=f"Prometheus to answer {path}", seen=f"status {status}: {reason}"
        )

    def _send(self, method: str, path: str, **request: Any) -> tuple[int, bytes]:
        """The status and body of an answer.

        Raises:
            QueryError: the answer is too large to be of use.
            HarnessFault: there is none.
        """
        headers = {**request.pop("headers", {}), **self._headers}
        if method == "GET":
            request.pop("encode_multipart", None)
        try:
            answer = self._pool.request(
                method, self.url + path, headers=headers, preload_content=False, **request
            )
            said = answer.read(ANSWER_BYTES_MAX + 1, decode_content=True)
            if len(said) > ANSWER_BYTES_MAX:
                answer.close()
                raise QueryError(
                    f"the answer exceeds {ANSWER_BYTES_MAX // 2**20} MiB: "
                    "it has too many series, which sum or max by fewer labels would make fewer"
                )
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            late = isinstance(error, urllib3.exceptions.ReadTimeoutError)
            fault = _TooLateError if late else HarnessFault
            raise fault(
                expected=f"Prometheus to answer {path}", seen=f"{type(error).__name__}: {error}"
            ) from error
        return answer.status, said


def spec(folder: Path, scrape_interval_s: float, password: str) -> ServiceSpec:
    """A server with its configuration and its samples in a folder of its own.

    It asks for the password at every path, so readiness is for the one who knows it: see `running`.

    Raises:
        UsageError: Prometheus is not installed.
    """
    program = tools.find("prometheus")
    # Samples of other series, of recording rules above all, are written long after their time.
    configuration = {
        "storage": {"tsdb": {"out_of_order_time_window": _FOREVER}},
        # By which a subquery without a step of its own goes, as in `[1h:]`.
        "global": {"evaluation_interval": milliseconds(scrape_interval_s)},
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    # The cheapest hash there is: the password is random, and Prometheus remembers the right one.
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
    web = folder / "web.yml"
    web.touch(mode=0o600)
    web.write_text(yaml.safe_dump({"basic_auth_users": {_USER: digest}}))
    return ServiceSpec(
        name="Prometheus",
        command=(
            *_bounded(),
            str(program),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.config.file={web}",
            "--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--storage.tsdb.retention.time={_FOREVER}",
            f"--storage.tsdb.min-block-duration={_FOREVER}",
            f"--storage.tsdb.max-block-duration={_FOREVER}",
            f"--query.lookback-delta={milliseconds(LOOKBACK_SCRAPES * scrape_interval_s)}",
            f"--query.timeout={QUERY_TIMEOUT_S}s",
            f"--query.max-samples={QUERY_SAMPLES_MAX}",
            "--log.level=warn",
        ),
        workdir=folder,
        environment={},
        ready_path=None,
        ready_within_s=READY_WITHIN_S,
        trusted=True,
    )


@contextmanager
def running(runtime: Runtime, folder: Path, scrape_interval_s: float) -> Iterator[Prometheus]:
    """A server for the length of the block.

    Args:
        runtime: where to start it.
        folder: an empty folder of its own; what is in it afterwards is of no use.
        scrape_interval_s: simulated seconds between two scrapes.

    Raises:
        UsageError: Prometheus is not installed.
        HarnessFault: it does not get ready.
        SubmissionFault: what it was asked in the block took all of its memory.
    """
    password = secrets.token_urlsafe(24)
    with runtime.start(spec(folder, scrape_interval_s, password)) as service:
        server = Prometheus(service.url, scrape_interval_s, password)
        wait_for(
            lambda: server.ready() or None,
            what="Prometheus to let us in",
            within_s=READY_WITHIN_S,
            stop_when=lambda: None if service.alive() else f"its end: {service.logs()}",
        )
        try:
            yield server
        except HarnessFault as fault:
            service.stop()
            if _OUT_OF_MEMORY in service.logs(_LOG_LINES):
                raise SubmissionFault(
                    expected=f"metrics and expressions for which {MEMORY_BYTES // 2**30} GiB are"
                    " memory enough",
                    seen="Prometheus ran out of it",
                    hint="look for label_replace and label_join that make labels longer",
                ) from fault
            raise


def _bounded() -> tuple[str, ...]:
    """What bounds the memory of the program that follows; nothing where there is no such tool."""
    program = shutil.which("prlimit")
    return (program, f"--data={MEMORY_BYTES}", "--") if program else ()


def milliseconds(seconds: float) -> str:
    """A duration as Prometheus writes it."""
    return f"{round(seconds * 1000)}ms"


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
