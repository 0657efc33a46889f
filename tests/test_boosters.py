"""The harness's LightGBM is entered by one thread at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import lightgbm
import numpy as np
import pandas as pd
import pytest

from sandbox import boosters

if TYPE_CHECKING:
    from pathlib import Path

# Longer than a prediction takes, by far.
WELL_S = 0.3


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    values = np.random.default_rng(7).normal(size=(400, 3))
    return pd.DataFrame(values, columns=["a", "b", "c"])


@pytest.fixture(scope="module")
def plain(frame: pd.DataFrame) -> lightgbm.Booster:
    parameters = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(frame, frame["a"] > 0), 5)


def test_a_booster_that_was_read_predicts_what_lightgbm_does(
    plain: lightgbm.Booster, frame: pd.DataFrame, tmp_path: Path
) -> None:
    plain.save_model(tmp_path / "model.lgb")
    said = boosters.read(tmp_path / "model.lgb").predict(frame)
    assert said.shape == (400,)
    assert said.dtype == np.float64
    assert said.tolist() == plain.predict(frame).tolist()


def test_nobody_predicts_while_somebody_trains(
    plain: lightgbm.Booster, frame: pd.DataFrame
) -> None:
    training, done = threading.Event(), threading.Event()

    def train() -> lightgbm.Booster:
        training.set()
        assert done.wait(30)
        return plain

    with ThreadPoolExecutor(2) as pool:
        trained = pool.submit(boosters.trained, train)
        assert training.wait(30)
        predicted = pool.submit(boosters.Booster(plain).predict, frame)
        with pytest.raises(TimeoutError):
            predicted.result(WELL_S)
        done.set()
        assert trained.result(30).held is plain
        assert len(predicted.result(30)) == len(frame)
