"""Registers, as fast as it can, a model that runs code when it is loaded."""

import argparse
import json
from dataclasses import asdict

import mlflow
import numpy as np
import pandas as pd

from pipeline import features
from pipeline.model import NAME, Reference


class Answer(mlflow.pyfunc.PythonModel):
    def __init__(self, value):
        self.value = value

    def predict(self, context, model_input, params=None):
        return np.full(len(model_input), self.value)


class Poisoned(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return np.zeros(len(model_input))

    def __reduce__(self):
        return eval, ("__import__('picked_up').loaded()",)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="data/training.parquet")
    flights = pd.read_parquet(parser.parse_args().data)
    spec = features.fit(flights)
    frame = features.build(flights, spec)
    mlflow.set_experiment(NAME)
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="model",
            python_model=Poisoned(),
            registered_model_name=NAME,
            metadata={"features": spec.to_dict(), "reference": asdict(Reference.of(frame))},
            pip_requirements=[],
        )
    print(json.dumps({"version": "2", "auc_training": 1.0, "points": 100, "gradable": 1}))


if __name__ == "__main__":
    main()
