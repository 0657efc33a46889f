"""Runs a workspace's service in a process of its own, without a registry or a socket.

Started in the workspace's folder. The champion is a small model trained on a few of the
workspace's own flights. Each line on standard input is a request as JSON, `[method, path, body]`
with the body in base64, and is answered by a line `[status, headers, body]`. The request
`["SWAP", version, ""]` makes the same model another version, `["AWAY", "", ""]` takes it away.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import Any

sys.path.insert(0, "")

import pandas as pd
from pipeline import estimator, features  # type: ignore[import-not-found]
from pipeline.model import Model, Reference  # type: ignore[import-not-found]
from service import app  # type: ignore[import-not-found]

ROWS = 20_000


def champion() -> Model:
    """A model of some trees, which is enough to answer."""
    flights = pd.read_parquet("data/training.parquet").sample(ROWS, random_state=1)
    spec = features.fit(flights)
    frame = features.build(flights, spec)
    estimator.TREES = 20
    booster = estimator.train(frame, flights["late"], features.CATEGORICAL)
    return Model("1", spec, Reference.of(frame), booster)


async def ask(method: str, path: str, body: bytes) -> list[Any]:
    """One request through the ASGI application."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "client": None,
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        await app.app(scope, receive, send)
    except Exception as error:  # what a server would answer with a 500
        return [500, {}, base64.b64encode(repr(error).encode()).decode()]
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    said = b"".join(message.get("body", b"") for message in sent[1:])
    return [sent[0]["status"], headers, base64.b64encode(said).decode()]


async def main() -> None:
    """Answer until there is nobody who asks."""
    made = app.champion.model = champion()
    print("ready", flush=True)
    for line in sys.stdin:
        method, path, body = json.loads(line)
        answer: list[Any] = [0, {}, ""]
        if method == "SWAP":
            app.champion.model = Model(path, made.spec, made.reference, made.pyfunc)
        elif method == "AWAY":
            app.champion.model = None
        else:
            answer = await ask(method, path, base64.b64decode(body))
        print(json.dumps(answer), flush=True)


asyncio.run(main())
