"""The service answers what the pipeline would: row by row, on ordinary and on awkward flights.

Run it against any running service: `SERVICE_URL=http://... python -m pytest tests/test_parity.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from pipeline import features
from pipeline.model import Model, load

SERVICE_URL = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")
HOLDOUT = Path(__file__).parent.parent / "data" / "holdout.parquet"
COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]
ROWS = 500


@pytest.fixture(scope="module")
def model() -> Model:
    return load()


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    frame = pd.read_parquet(HOLDOUT, columns=COLUMNS)
    return frame.sample(ROWS, random_state=11).reset_index(drop=True)


def served(flights: pd.DataFrame) -> np.ndarray:
    rows = flights.astype(object).where(flights.notna(), None).to_dict("records")
    answer = requests.post(
        f"{SERVICE_URL}/invocations", json={"dataframe_records": rows}, timeout=30
    )
    answer.raise_for_status()
    return np.array(answer.json()["predictions"])


def assert_parity(flights: pd.DataFrame, model: Model) -> None:
    expected = model.predict(features.build(flights, model.spec))
    np.testing.assert_allclose(served(flights), expected, rtol=0, atol=1e-6)


def test_ordinary_flights(flights: pd.DataFrame, model: Model) -> None:
    assert_parity(flights, model)


@pytest.mark.parametrize("column", features.RAW_WEATHER)
def test_missing_weather(column: str, flights: pd.DataFrame, model: Model) -> None:
    assert_parity(flights.head(50).assign(**{column: np.nan}), model)


@pytest.mark.parametrize("column", features.CATEGORICAL)
def test_unknown_category(column: str, flights: pd.DataFrame, model: Model) -> None:
    assert_parity(flights.head(50).assign(**{column: "??"}), model)
