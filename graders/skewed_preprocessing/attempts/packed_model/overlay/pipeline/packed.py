"""A model that takes raw flights: features and booster in one."""

from __future__ import annotations

import json

import lightgbm
import mlflow.pyfunc

from pipeline import features


class FlightDelay(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.booster = lightgbm.Booster(model_file=context.artifacts["booster"])
        with open(context.artifacts["spec"]) as file:
            self.spec = features.FeatureSpec.from_dict(json.load(file))

    def features(self, flights):
        return features.build(flights, self.spec)

    def predict(self, context, model_input, params=None):
        return self.booster.predict(self.features(model_input))
