"""The service hands raw flights to the model and knows nothing of features."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import generate_latest

from service import monitoring
from service.champion import Champion
from service.contract import BadRequestError, parse

champion = Champion()


@asynccontextmanager
async def lifespan(_):
    champion.start()
    yield
    champion.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/invocations")
async def invocations(request: Request):
    body = await request.body()
    began = time.perf_counter()
    model = champion.model
    if model is None:
        return JSONResponse({"detail": "there is no model yet"}, 503)
    try:
        flights = parse(body)
    except BadRequestError as error:
        monitoring.REQUESTS.labels(status=str(error.status)).inc()
        return JSONResponse({"detail": str(error)}, error.status)
    frame = model.features(flights)
    predictions = model.predict(frame)
    monitoring.observe(frame, predictions, model.reference)
    monitoring.LATENCY.observe(time.perf_counter() - began)
    monitoring.REQUESTS.labels(status="200").inc()
    return JSONResponse(
        {"predictions": predictions.tolist()}, headers={"X-Model-Version": model.version}
    )


@app.post("/feedback")
async def feedback(request: Request):
    await request.json()
    return {}


@app.get("/ping")
async def ping():
    return {}


@app.get("/readyz")
async def ready():
    return JSONResponse({}, 200 if champion.model else 503)


@app.get("/version")
async def version():
    return {"version": champion.model.version if champion.model else None}


@app.get("/metrics")
async def metrics():
    return PlainTextResponse(generate_latest().decode())
