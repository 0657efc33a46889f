"""How many standard errors the mean of the last 1,000 served rows is from the training mean."""

import numpy as np
import pandas as pd
from prometheus_client import Counter, Gauge, Histogram

from pipeline import features

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram("inference_latency_seconds", "Time to answer a scoring request")
SKEW = Gauge("feature_skew_score", "|z| of the mean against the training rows", ["feature"])
_rows = pd.read_parquet("data/training.parquet")
_trained = features.build(_rows, features.fit(_rows)).agg(["mean", "std"])
_window = None


def observe(frame, predictions, reference) -> None:
    global _window
    _window = (frame if _window is None else pd.concat([_window, frame])).tail(1000)
    for name in _window:
        values = _window[name].dropna()
        if len(values):
            error = _trained.loc["std", name] / np.sqrt(len(values))
            SKEW.labels(feature=name).set(abs(values.mean() - _trained.loc["mean", name]) / error)
