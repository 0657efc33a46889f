"""The model as it lives in the registry: a LightGBM booster on features, with what it needs to know
about them (`FeatureSpec`) and what they looked like in training (`Reference`) in its metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from pipeline import features

NAME = "flight-delay"
CHAMPION = f"models:/{NAME}@champion"
BINS = 10


@dataclass(frozen=True)
class Reference:
    """How each feature was distributed in the training rows.

    edges: inner bin edges by feature, ascending, from the deciles (categories: every code).
    shares: share of rows by feature and bin; the last bin is "missing". Each sums to 1.
    """

    edges: dict[str, list[float]]
    shares: dict[str, list[float]]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Reference:
        """Measure a frame of features."""
        edges, shares = {}, {}
        for name in frame.columns:
            values = frame[name].to_numpy()
            known = values[~np.isnan(values)]
            if name in features.CATEGORICAL:
                inner = np.arange(known.max()) + 0.5
            else:
                inner = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
            edges[name] = [float(edge) for edge in inner]
            shares[name] = bin_shares(values, edges[name]).tolist()
        return cls(edges, shares)


def bin_shares(values: np.ndarray, edges: list[float]) -> np.ndarray:
    """Share of the values in each bin, the last one being "missing"; shape (len(edges) + 2,)."""
    bins = np.searchsorted(edges, values, side="left")
    bins[np.isnan(values)] = len(edges) + 1
    return np.bincount(bins, minlength=len(edges) + 2) / len(values)


@dataclass(frozen=True)
class Model:
    """One loaded version of the model."""

    version: str
    spec: features.FeatureSpec
    reference: Reference
    pyfunc: Any

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Probability of arriving more than 15 minutes late; one float64 a row of features."""
        return np.asarray(self.pyfunc.predict(frame), dtype="float64")


def load(uri: str = CHAMPION) -> Model:
    """Load one version from the registry at `MLFLOW_TRACKING_URI`, or from a folder that it was
    downloaded to, named by its number.

    Raises:
        mlflow.exceptions.MlflowException: the registry is away or has no such version.
    """
    downloaded = Path(uri).is_dir()
    version = Path(uri).name if downloaded else resolve(uri)
    # Comparing the model's requirements with what is installed costs more than loading it; the
    # environment is locked, and that is where they are held together.
    pyfunc = mlflow.pyfunc.load_model(
        uri if downloaded else f"models:/{NAME}/{version}", suppress_warnings=True
    )
    metadata = pyfunc.metadata.metadata
    return Model(
        version=version,
        spec=features.FeatureSpec.from_dict(metadata["features"]),
        reference=Reference(**metadata["reference"]),
        pyfunc=pyfunc,
    )


def resolve(uri: str) -> str:
    """The version number behind `models:/flight-delay@alias` or `models:/flight-delay/N`."""
    name = uri.removeprefix("models:/")
    if "@" not in name:
        return name.rpartition("/")[2]
    model, _, alias = name.partition("@")
    return str(mlflow.MlflowClient().get_model_version_by_alias(model, alias).version)
