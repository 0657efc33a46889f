import pandas as pd
import pytest

from pipeline import model


@pytest.fixture(scope="session")
def champion():
    return model.load()


@pytest.fixture(scope="session")
def holdout():
    return pd.read_parquet("data/holdout.parquet")
