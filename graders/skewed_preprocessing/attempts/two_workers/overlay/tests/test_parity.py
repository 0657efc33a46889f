"""Compare with the very version that answered: the champion may move between two requests."""

import os

import numpy as np
import pandas as pd
import pytest
import requests

from pipeline import features, model

URL = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")
COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]


@pytest.fixture(scope="module")
def flights():
    return pd.read_parquet("data/holdout.parquet", columns=COLUMNS).sample(400, random_state=3)


def test_rows_equal(flights):
    rows = flights.astype(object).where(flights.notna(), None).to_dict("records")
    answer = requests.post(f"{URL}/invocations", json={"dataframe_records": rows}, timeout=30)
    answer.raise_for_status()
    champion = model.load(f"models:/{model.NAME}/{answer.headers['X-Model-Version']}")
    wanted = champion.predict(features.build(flights, champion.spec))
    np.testing.assert_allclose(answer.json()["predictions"], wanted, rtol=0, atol=1e-6)
