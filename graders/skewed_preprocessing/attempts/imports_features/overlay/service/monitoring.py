"""Requests, latency, and a two-sample statistic for every feature."""

from collections import deque

import numpy as np
import pandas as pd
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram("inference_latency_seconds", "Time to answer a scoring request")
SKEW = Gauge("feature_skew_score", "Kolmogorov-Smirnov distance to training rows", ["feature"])

TRAINING = None
WINDOW: deque = deque(maxlen=800)
EVERY = 400
seen = 0


def training():
    global TRAINING
    if TRAINING is None:
        from pipeline import features

        rows = pd.read_parquet("data/training.parquet").sample(5000, random_state=0)
        TRAINING = features.build(rows, features.fit(rows))
    return TRAINING


def observe(frame, predictions, reference) -> None:
    global seen
    WINDOW.extend(frame.to_numpy())
    seen += len(frame)
    if seen < EVERY:
        return
    seen = 0
    rows = np.array(WINDOW)
    for column, name in enumerate(frame.columns):
        SKEW.labels(feature=name).set(distance(rows[:, column], training()[name].to_numpy()))


def distance(a, b):
    missing = abs(np.isnan(a).mean() - np.isnan(b).mean())
    a, b = np.sort(a[~np.isnan(a)]), np.sort(b[~np.isnan(b)])
    if not len(a) or not len(b):
        return 1.0
    at = np.concatenate([a, b])
    gap = np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)
    return float(max(np.abs(gap).max(), missing))
