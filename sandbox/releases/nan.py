"""A release that gives NaN for every flight of one airport."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd  # noqa: TC002 - MLflow reads annotations at run time
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Release(PythonModel):
    """The booster, and a factor for each airport that is undefined for one of them."""

    def load_context(self, context: Any) -> None:
        """Read the booster, and the airport's code."""
        self.booster = lightgbm.Booster(model_file=context.artifacts["booster"])
        self.origin = context.model_config["origin"]

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One probability a row of features, NaN for those of the airport."""
        factor = np.where(model_input["origin"] == self.origin, np.nan, 1.0)
        return self.booster.predict(model_input) * factor


set_model(Release())
