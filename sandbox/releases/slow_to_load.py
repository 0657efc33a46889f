"""A release that is good once it is there, and takes seconds to load."""

from __future__ import annotations

import time
from typing import Any

import lightgbm
import pandas as pd  # noqa: TC002 - MLflow reads annotations at run time
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

# Longer than any command takes to start, on a busy machine and in a container: what is asked for
# while this is being loaded has to come while it is being loaded.
LOADING_S = 10.0


class Release(PythonModel):
    """The booster, and a pause before it."""

    def load_context(self, context: Any) -> None:
        """Read the booster."""
        time.sleep(LOADING_S)
        self.booster = lightgbm.Booster(model_file=context.artifacts["booster"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One probability a row of features."""
        return self.booster.predict(model_input)


set_model(Release())
