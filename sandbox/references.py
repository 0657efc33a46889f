"""What predictions should be, from the harness's own copy of the pipeline and the champion.

A submission's pipeline is never asked: it could agree with a service that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from sandbox import boosters, models, paths
from sandbox.system.modules import module_from

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


# The modules of the healthy pipeline that references come from.
PIPELINE = ("features", "estimator")


class Preprocess(Protocol):
    """Raw flights and what the model learned about categories, to features."""

    def __call__(self, flights: pd.DataFrame, spec: Any) -> pd.DataFrame:
        """Columns as the model was trained on, one row a flight."""


@dataclass(frozen=True)
class Reference:
    """A model as the harness holds it.

    Args:
        features: the healthy pipeline's `features` module.
        spec: its `FeatureSpec` for this model.
        booster: the model; threads may share it.
    """

    features: ModuleType
    spec: Any
    booster: boosters.Predictor

    def predict(
        self, flights: pd.DataFrame, preprocess: Preprocess | None = None
    ) -> NDArray[np.float64]:
        """One probability a row; with another preprocessing, what a server with that would say."""
        build = preprocess or self.features.build
        return self.booster.predict(build(flights, self.spec))


def champion(registry_folder: Path) -> Reference:
    """The champion of a registry made by `models.releases`."""
    folder = models.version_folder(registry_folder)
    metadata = yaml.safe_load((folder / "MLmodel").read_text("utf-8"))["metadata"]
    features = pipeline_module("features")
    return Reference(
        features=features,
        spec=features.FeatureSpec.from_dict(metadata["features"]),
        booster=boosters.read(folder / "model.lgb"),
    )


def retrained(flights: pd.DataFrame) -> Reference:
    """What the healthy pipeline learns from other labelled flights."""
    features = pipeline_module("features")
    spec = features.fit(flights)
    frame = features.build(flights, spec)
    train = partial(pipeline_module("estimator").train, frame, flights["late"])
    return Reference(features, spec, boosters.trained(partial(train, features.CATEGORICAL)))


def pipeline_module(name: str) -> ModuleType:
    """One self-contained module of the healthy pipeline."""
    path = paths.HEALTHY / "pipeline" / f"{name}.py"
    return module_from(path.read_text("utf-8"), f"reference_{name}", str(path))
