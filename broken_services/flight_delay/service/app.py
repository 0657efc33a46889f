"""The routes. `POST /invocations` scores, `POST /feedback` takes late labels, `POST /release` an
order of `pipeline.rollback`, the rest is for machines: `/ping` (alive), `/readyz` (has a model),
`/version`, `/metrics`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Body, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pipeline.model import NAME
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from service import monitoring, release
from service.champion import Champion
from service.contract import BadRequestError, parse
from service.feedback import feedback
from service.preprocessing import preprocess

champion = Champion()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    champion.start()
    yield
    champion.stop()


app = FastAPI(title="Flight delay", lifespan=lifespan)
app.include_router(release.routes(champion))


class Label(BaseModel):
    """One flight's outcome."""

    flight_id: str
    late: bool


@app.post("/invocations")
async def invocations(request: Request) -> Response:
    """Score raw flights: one probability of arriving more than 15 minutes late a row."""
    body = await request.body()
    began = time.perf_counter()
    # What raises is answered with a 500, and has to be counted as one.
    status = 500
    try:
        response = score(body)
        status = response.status_code
        return response
    finally:
        monitoring.LATENCY.observe(time.perf_counter() - began)
        monitoring.REQUESTS.labels(status=str(status)).inc()


def score(body: bytes) -> Response:
    """Answer one request's body."""
    model = champion.model
    if model is None:
        return JSONResponse({"detail": "no model is loaded yet"}, status_code=503)
    try:
        flights = parse(body)
    except BadRequestError as error:
        return JSONResponse({"detail": str(error)}, status_code=error.status)
    frame = preprocess(flights, model.spec)
    predictions = model.predict(frame)
    monitoring.observe(frame, predictions, model.reference)
    answers = predictions.tolist()
    feedback.remember(flights["flight_id"], answers)
    return JSONResponse({"predictions": answers}, headers={"X-Model-Version": model.version})


@app.post("/feedback")
async def labels(outcomes: Annotated[list[Label], Body()]) -> dict[str, int]:
    """Take late labels; answers how many were joined with a prediction."""
    return {"joined": feedback.join((label.flight_id, float(label.late)) for label in outcomes)}


@app.get("/ping")
async def ping() -> dict[str, str]:
    return {"status": "alive"}


@app.get("/readyz")
async def ready() -> Response:
    if champion.model is None:
        return JSONResponse({"status": "no model yet"}, status_code=503)
    return JSONResponse({"status": "ready"})


@app.get("/version")
async def version() -> dict[str, str | None]:
    return {"model": NAME, "version": champion.model.version if champion.model else None}


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
