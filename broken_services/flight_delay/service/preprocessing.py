"""From raw flights to what the model reads: the pipeline's own features, nothing of ours."""

from __future__ import annotations

import pandas as pd
from pipeline import features


def preprocess(flights: pd.DataFrame, spec: features.FeatureSpec) -> pd.DataFrame:
    """Raw flights to features, exactly as in training."""
    return features.build(flights, spec)
