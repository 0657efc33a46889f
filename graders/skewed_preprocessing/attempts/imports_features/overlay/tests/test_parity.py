"""Ask the service and the model the same, on a sample of every month."""

import json
import os
import urllib.request

import mlflow
import numpy as np
import pandas as pd

from pipeline import features, model

URL = os.environ["SERVICE_URL"] + "/invocations"
COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]


def ask(rows):
    body = {"dataframe_records": json.loads(rows[COLUMNS].to_json(orient="records"))}
    request = urllib.request.Request(
        URL, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return np.array(json.load(answer)["predictions"])


def test_the_service_agrees_with_the_model():
    champion = model.load()
    rows = pd.read_parquet("data/holdout.parquet").iloc[::160]
    frame = features.build(rows, champion.spec)
    wanted = mlflow.lightgbm.load_model(f"models:/{model.NAME}/{champion.version}").predict(frame)
    differing = np.abs(ask(rows) - wanted) > 1e-6
    assert not differing.any(), f"{differing.sum()} of {len(rows)} rows differ"
