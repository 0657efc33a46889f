"""The routes. `POST /invocations` scores, `POST /feedback` takes late labels, the rest is for
machines: `/ping` (alive), `/readyz` (has a model), `/version`, `/metrics`.
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

from service import monitoring
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


class Label(BaseModel):
    """One flight's outcome."""

    flight_id: str
    late: bool


@app.post("/invocations")
async def invocations(request: Request) -> Response:
    """Score raw flights: one probability of arriving more than 15 minutes late a row."""
    model = champion.model
    if model is None:
        return JSONResponse({"detail": "no model is loaded yet"}, status_code=503)
    body = await request.body()
    began = time.perf_counter()
    try:
        flights = parse(body)
    except BadRequestError as error:
        return JSONResponse({"detail": str(error)}, status_code=error.status)
    predictions = model.predict(preprocess(flights, model.spec))
    answers = predictions.tolist()
    feedback.remember(flights, answers)
    monitoring.observe(flights, predictions)
    monitoring.LATENCY.observe(time.perf_counter() - began)
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
