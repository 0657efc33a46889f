from flask import Flask, Response, jsonify, request
from prometheus_client import generate_latest

from service import monitoring
from service.champion import Champion
from service.contract import BadRequestError, parse
from service.preprocessing import preprocess

app = Flask("flight-delay")
champion = Champion()


@app.post("/invocations")
def invocations():
    model = champion.model
    try:
        flights = parse(request.get_data())
    except BadRequestError as error:
        return jsonify(error=str(error)), error.status
    frame = preprocess(flights, model.spec)
    predictions = model.predict(frame)
    monitoring.observe(frame, predictions, model.reference)
    return jsonify(predictions=predictions.tolist())


@app.post("/feedback")
def feedback():
    return jsonify(joined=0)


@app.get("/ping")
def ping():
    return "pong"


@app.get("/readyz")
def ready():
    return ("ready", 200) if champion.model else ("not yet", 503)


@app.get("/version")
def version():
    return jsonify(version=champion.model.version if champion.model else None)


@app.get("/metrics")
def metrics():
    return Response(generate_latest(), mimetype="text/plain")
