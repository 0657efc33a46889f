"""The model in the registry takes raw flights. Versions from before it did are wrapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlflow
import mlflow.lightgbm
import numpy as np
import pandas as pd

from pipeline import features

NAME = "flight-delay"
CHAMPION = f"models:/{NAME}@champion"
BINS = 10


@dataclass(frozen=True)
class Reference:
    """Mean and spread of every feature in the training rows."""

    mean: dict[str, float]
    spread: dict[str, float]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Reference:
        return cls(frame.mean().to_dict(), frame.std().to_dict())


@dataclass(frozen=True)
class Model:
    version: str
    spec: features.FeatureSpec
    reference: Reference
    booster: Any

    def features(self, flights: pd.DataFrame) -> pd.DataFrame:
        return features.build(flights, self.spec)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.booster.predict(frame)


def load(uri: str = CHAMPION) -> Model:
    version = resolve(uri)
    uri = f"models:/{NAME}/{version}"
    info = mlflow.models.get_model_info(uri)
    spec = features.FeatureSpec.from_dict(info.metadata["features"])
    if "lightgbm" in info.flavors:
        booster = mlflow.lightgbm.load_model(uri)
    else:
        booster = mlflow.pyfunc.load_model(uri).unwrap_python_model().booster
    stored = info.metadata["reference"]
    if "mean" in stored:
        reference = Reference(**stored)
    else:
        rows = pd.read_parquet("data/training.parquet").sample(20_000, random_state=1)
        reference = Reference.of(features.build(rows, spec))
    return Model(version, spec, reference, booster)


def resolve(uri: str) -> str:
    name = uri.removeprefix("models:/")
    if "@" not in name:
        return name.rpartition("/")[2]
    model, _, alias = name.partition("@")
    return str(mlflow.MlflowClient().get_model_version_by_alias(model, alias).version)
