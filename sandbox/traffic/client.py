"""Requests to the service under test: bounded in time and size, and every answer accounted for.

Whatever a service does (errors, hangs, endless bodies, wrong lengths, NaN) becomes an `Exchange`
with a problem in words. Nothing it answers raises.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3

from sandbox.errors import SubmissionFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from _typeshed import WriteableBuffer

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 8 * 2**20
# After this many requests in a row without an answer the service is taken for hung.
HUNG_AFTER = 3
# Far more than any service within its objective needs; it bounds what a slow one can hold up.
ALL_WITHIN_S = 120.0
ROWS_PER_REQUEST = 50
CLOSED = "the connection was closed without an answer"
_OK = 200


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, or what happened instead.

    Args:
        status: the HTTP status; None where no answer came.
        body: what it said.
        version: the model version it says it used, empty where it does not say.
        latency_ms: milliseconds from sending to the whole answer.
        problem: what went wrong on the way; empty where nothing did.
    """

    status: int | None
    body: bytes
    version: str
    latency_ms: float
    problem: str = ""


@dataclass(frozen=True)
class Exchange:
    """One scoring request and what came of it.

    Args:
        rows: flights asked about.
        status: the HTTP status; None where no answer came.
        predictions: one probability a row; None where the answer does not give that.
        version: the model version that answered.
        latency_ms: milliseconds from sending to the whole answer.
        problem: what is wrong with the answer, in words; empty where nothing is.
    """

    rows: int
    status: int | None
    predictions: list[float] | None
    version: str
    latency_ms: float
    problem: str

    def summary(self) -> dict[str, Any]:
        """Everything but the predictions, as plain JSON."""
        fields = asdict(self)
        del fields["predictions"]
        return fields


A = TypeVar("A", Answer, Exchange)


class Patience:
    """Gives a service up that leaves the same question unanswered `HUNG_AFTER` times in a row."""

    def __init__(self) -> None:
        self._unanswered: dict[str, int] = {}

    def saw(self, asked: str, answer: A) -> A:
        """Take note of an answer and hand it on.

        Args:
            asked: what was asked for, in words.
            answer: what came of it; an error is an answer, too.

        Raises:
            SubmissionFault: once too often nothing came.
        """
        answered = answer.status is not None
        self._unanswered[asked] = 0 if answered else self._unanswered.get(asked, 0) + 1
        if self._unanswered[asked] >= HUNG_AFTER:
            raise SubmissionFault(
                expected=f"the service to answer {asked}",
                seen=f"{HUNG_AFTER} in a row without an answer, the last: {answer.problem}",
                hint="look at the service's log",
            )
        return answer


class _Until(threading.local):
    """When the request that a thread is waiting for has to be over."""

    deadline = 0.0


_until = _Until()


class _Socket(socket.socket):
    """Gives up at the deadline, however slowly it is fed: a timeout counts from the last byte."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        left = _until.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


class _Connection(urllib3.connection.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _Socket(fileno=self.sock.detach())
        self.sock.settimeout(self.timeout)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class Client:
    """Talks to one service over a kept-alive connection."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._pool = urllib3.PoolManager(retries=False, maxsize=4)
        self._pool.pool_classes_by_scheme = {"http": _Pool}

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One request of any kind."""
        answer = self._ask(method, path, body)
        if answer.status is None and answer.problem == CLOSED:
            # A server may close a kept-alive connection at any time (RFC 9112, 9.5); it only counts
            # when a fresh connection fares no better.
            self._pool.clear()
            answer = self._ask(method, path, body)
        return answer

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        began = time.monotonic()
        _until.deadline = began + self._timeout_s
        try:
            response = self._pool.request(
                method,
                self.url + path,
                body=body,
                headers={"Content-Type": "application/json"},
                timeout=self._timeout_s,
                preload_content=False,
                redirect=False,
            )
            data, problem = _read(response)
            status: int | None = response.status
            version = response.headers.get("X-Model-Version", "")[:40]
        # A chunk of less than nothing is a ValueError there.
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            status, data, version = None, b"", ""
            problem = _in_words(error, self._timeout_s)
        return Answer(status, data, version, (time.monotonic() - began) * 1000, problem)

    def score(self, records: Sequence[object]) -> Exchange:
        """Ask for one prediction a record."""
        return self.score_body(
            json.dumps({"dataframe_records": list(records)}).encode(), len(records)
        )

    def score_body(self, body: bytes, rows: int) -> Exchange:
        """Ask with a body as it is; `rows` predictions should come back."""
        answer = self.ask("POST", "/invocations", body)
        predictions, problem = (
            _predictions(answer, rows) if not answer.problem else (None, answer.problem)
        )
        return Exchange(
            rows, answer.status, predictions, answer.version, answer.latency_ms, problem
        )

    def score_all(
        self, records: Sequence[object], rows_per_request: int = ROWS_PER_REQUEST
    ) -> list[Exchange]:
        """Ask about many flights, one request after the other.

        Raises:
            SubmissionFault: the service stopped answering, or takes far too long for all of them.
        """
        exchanges: list[Exchange] = []
        deadline = time.monotonic() + ALL_WITHIN_S
        patience = Patience()
        for batch in batches(records, rows_per_request):
            exchanges.append(patience.saw("scoring requests", self.score(batch)))
            if time.monotonic() > deadline:
                raise SubmissionFault(
                    expected=f"{len(records)} flights to be scored within {ALL_WITHIN_S:g} s",
                    seen=f"{len(exchanges)} requests answered by then",
                    hint="look at where the service spends its time",
                )
        return exchanges


def batches(records: Sequence[object], size: int) -> Iterator[Sequence[object]]:
    """Consecutive slices; the last may be shorter."""
    return (records[start : start + size] for start in range(0, len(records), size))


def predictions_of(exchanges: Iterable[Exchange]) -> list[float | None]:
    """One entry a row asked about, in order; None where no usable prediction came."""
    rows: list[float | None] = []
    for exchange in exchanges:
        rows.extend(
            [None] * exchange.rows if exchange.predictions is None else exchange.predictions
        )
    return rows


def _read(response: urllib3.BaseHTTPResponse) -> tuple[bytes, str]:
    parts: list[bytes] = []
    size = 0
    for chunk in response.stream(64 * 1024):
        parts.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            response.close()
            return b"", f"the answer went on beyond {ANSWER_BYTES_MAX} bytes"
    response.release_conn()
    return b"".join(parts), ""


def _in_words(error: Exception, timeout_s: float) -> str:
    # A refused connection is a timeout, too, in urllib3.
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "no answer: nobody listens there"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, urllib3.exceptions.ProtocolError | ValueError):
        return CLOSED
    return f"no answer: {type(error).__name__}"


def _predictions(answer: Answer, rows: int) -> tuple[list[float] | None, str]:
    if answer.status != _OK:
        said = answer.body[:200].decode("utf-8", "replace")
        return None, f"status {answer.status}: {said}"
    try:
        values = json.loads(answer.body)["predictions"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, 'the answer is not {"predictions": [...]}'
    if not isinstance(values, list) or len(values) != rows:
        seen = len(values) if isinstance(values, list) else type(values).__name__
        return None, f"expected {rows} predictions, saw {seen}"
    if not all(_is_probability(value) for value in values):
        return None, "some predictions are not numbers from 0 to 1"
    return [float(value) for value in values], ""


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
