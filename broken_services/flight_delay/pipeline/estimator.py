"""The estimator and its parameters. They are the data science team's.

Training is seeded and runs on one thread, so that the same rows give the same model.
"""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm
import pandas as pd

TREES = 200
PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.06,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def train(frame: pd.DataFrame, late: pd.Series, categorical: Sequence[str]) -> lightgbm.Booster:
    """Fit the booster.

    Args:
        frame: features, float64, one row a flight.
        late: 1.0 for flights that arrived more than 15 minutes late, else 0.0.
        categorical: the columns of the frame that hold codes instead of quantities.
    """
    rows = lightgbm.Dataset(frame, late, categorical_feature=list(categorical))
    return lightgbm.train(PARAMETERS, rows, TREES)
