"""From flights as they are sent to what the model reads."""

from __future__ import annotations

import pandas as pd
from pipeline import features, feed


def preprocess(flights: pd.DataFrame, spec: features.FeatureSpec) -> pd.DataFrame:
    """Flights to features, exactly as in training."""
    return features.build(feed.cleaned(flights), spec)
