"""A proxy in front of the service under test that answers scoring requests by itself.

With it a candidate's own test is tested: against a service that is right and against ones that are
wrong in a known way, whatever the candidate's service does. All go through the same proxy, so that
nothing but the predictions differs. What is not a sound scoring request is passed on.
"""

from __future__ import annotations

import contextlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = Callable[[list[dict[str, Any]]], list[float]]

BODY_BYTES_MAX = 32 * 2**20
UNSOUND = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


@contextmanager
def proxy(target: str, answer: Answer, version: str, address: str = "127.0.0.1") -> Iterator[str]:
    """Run a proxy for the length of the block and give its address.

    Args:
        target: the service's address.
        answer: the predictions for a scoring request's records; where it raises one of `UNSOUND`
            the records are not sound.
        version: the model version that answers are said to come from.
        address: where to listen; a program in a runtime reaches its `harness_address`.
    """
    server = ThreadingHTTPServer((address, 0), _handler(Client(target), answer, version))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(client: Client, answer: Answer, version: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes: the second would wait 40 ms for the first's acknowledgement.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._pass_on("GET", None)

        def do_POST(self) -> None:
            said = self.headers.get("Content-Length", "")
            length = int(said) if said.isdecimal() else None
            if length is None or length > BODY_BYTES_MAX:
                # What is not read now would be taken for the next request.
                self.close_connection = True
                self._reply(411 if length is None else 413, b"{}", "")
                return
            body = self.rfile.read(length)
            if self.path == "/invocations":
                with contextlib.suppress(*UNSOUND):
                    predictions = answer(records_of(body))
                    self._reply(200, json.dumps({"predictions": predictions}).encode(), version)
                    return
            self._pass_on("POST", body)

        def _pass_on(self, method: str, body: bytes | None) -> None:
            # The path is appended to the service's address: `@elsewhere/` would name another host.
            if not self.path.startswith("/"):
                self._reply(400, b"{}", "")
                return
            reply = client.ask(method, self.path, body)
            self._reply(reply.status or 502, reply.body, reply.version)

        def _reply(self, status: int, data: bytes, version: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if version:
                self.send_header("X-Model-Version", version)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            """Keep quiet: the exchanges are the evidence."""

    return Handler


def records_of(body: bytes) -> list[dict[str, Any]]:
    """The records of a scoring request in any of the protocol's three forms.

    Raises one of `UNSOUND` where there are none.
    """
    payload = json.loads(body)
    records: list[dict[str, Any]]
    if "dataframe_split" in payload:
        split = payload["dataframe_split"]
        records = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    else:
        records = payload.get("dataframe_records") or payload["instances"]
    if not records:
        raise ValueError("no rows")
    return records
