"""A release that cannot be loaded."""

from __future__ import annotations

from typing import Any

import lightgbm
import pandas as pd  # noqa: TC002 - MLflow reads annotations at run time
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Release(PythonModel):
    """The booster, and a table that nobody packed."""

    def load_context(self, context: Any) -> None:
        """Read the booster, and fail on the table.

        Raises:
            RuntimeError: always.
        """
        self.booster = lightgbm.Booster(model_file=context.artifacts["booster"])
        if "calibration" not in context.artifacts:
            raise RuntimeError("expected the model to hold its calibration table; saw none")

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One probability a row of features."""
        return self.booster.predict(model_input)


set_model(Release())
