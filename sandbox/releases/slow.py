"""A release that is right, and now and then takes far too long."""

from __future__ import annotations

import time
from typing import Any

import lightgbm
import pandas as pd  # noqa: TC002 - MLflow reads annotations at run time
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

# One call in twelve is more than one in twenty: the 95th percentile sees it at any volume.
SLOW_EVERY_CALLS = 12
SLOW_S = 0.7


class Release(PythonModel):
    """The booster, and a pause."""

    def load_context(self, context: Any) -> None:
        """Read the booster."""
        self.booster = lightgbm.Booster(model_file=context.artifacts["booster"])
        self.calls = 0

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One probability a row of features."""
        self.calls += 1
        if self.calls % SLOW_EVERY_CALLS == 0:
            time.sleep(SLOW_S)
        return self.booster.predict(model_input)


set_model(Release())
