"""The service answers what the pipeline answers, and its code says so, too."""

import json
import os
import urllib.error
import urllib.request

import numpy as np
import pandas as pd
import pytest

from pipeline import features, model
from service.preprocessing import model_input

COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]


@pytest.fixture(scope="module")
def champion():
    return model.load()


@pytest.fixture(scope="module")
def rows():
    return pd.read_parquet("data/holdout.parquet").iloc[::160][COLUMNS]


def test_the_answers_are_the_models(champion, rows):
    body = {"dataframe_records": json.loads(rows.to_json(orient="records"))}
    request = urllib.request.Request(
        os.environ["SERVICE_URL"] + "/invocations",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        said = np.array(json.load(answer)["predictions"])
    wanted = champion.predict(features.build(rows, champion.spec))
    assert np.abs(said - wanted).max() < 1e-6


def test_the_code_builds_what_the_pipeline_builds(champion, rows):
    wanted = features.build(rows, champion.spec)
    pd.testing.assert_frame_equal(model_input(rows, champion.spec), wanted)


def test_a_time_that_is_none_is_refused(rows):
    flight = json.loads(rows.iloc[:1].to_json(orient="records"))[0]
    body = {"dataframe_records": [{**flight, "scheduled_departure": "now"}]}
    request = urllib.request.Request(
        os.environ["SERVICE_URL"] + "/invocations",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=30)
