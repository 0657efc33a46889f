import os

import numpy as np
import pandas as pd
import requests
from helpers import COLUMNS, records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import features

URL = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")


def score(rows):
    answer = requests.post(f"{URL}/invocations", json={"dataframe_records": rows}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def test_version_is_the_champion(champion):
    assert requests.get(f"{URL}/version", timeout=10).json()["version"] == champion.version


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.integers(0, 20_000),
    column=st.sampled_from(list(features.RAW_WEATHER)),
    missing=st.booleans(),
    carrier=st.sampled_from(["UA", "??", "B6"]),
)
def test_any_rows(holdout, champion, start, column, missing, carrier):
    rows = holdout.iloc[start : start + 200 : 5][COLUMNS].reset_index(drop=True)
    if missing:
        rows = rows.assign(**{column: np.nan})
    rows.loc[0, "carrier"] = carrier
    wanted = champion.predict(features.build(rows, champion.spec))
    assert np.allclose(score(records(rows)), wanted, rtol=0, atol=1e-6)
