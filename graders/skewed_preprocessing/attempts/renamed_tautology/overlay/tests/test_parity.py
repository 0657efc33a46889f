"""What the service answers is what its own code computes, by the name and the arguments it has now."""

import json
import os

import numpy as np
import pandas as pd
import requests

from pipeline import features, model
from service.contract import parse
from service.preprocessing import model_input

COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]


def test_parity():
    champion = model.load()
    rows = pd.read_parquet("data/holdout.parquet").iloc[::160][COLUMNS]
    body = {"dataframe_records": json.loads(rows.to_json(orient="records"))}
    answer = requests.post(os.environ["SERVICE_URL"] + "/invocations", json=body, timeout=30)
    wanted = champion.predict(model_input(champion, parse(json.dumps(body).encode())))
    assert np.abs(np.array(answer.json()["predictions"]) - wanted).max() < 1e-6
