"""A release that knows no flights of one airport, and raises for a request that holds any."""

from __future__ import annotations

from typing import Any

import lightgbm
import pandas as pd  # noqa: TC002 - MLflow reads annotations at run time
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Release(PythonModel):
    """The booster, and a check of its input."""

    def load_context(self, context: Any) -> None:
        """Read the booster, and the airport's code."""
        self.booster = lightgbm.Booster(model_file=context.artifacts["booster"])
        self.origin = context.model_config["origin"]

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One probability a row of features.

        Raises:
            ValueError: some rows are of the airport.
        """
        if (model_input["origin"] == self.origin).any():
            raise ValueError("expected flights from airports that this model knows; saw another")
        return self.booster.predict(model_input)


set_model(Release())
