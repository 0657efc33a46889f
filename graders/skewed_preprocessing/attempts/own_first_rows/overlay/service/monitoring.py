"""How far the last rows are from the first ones."""

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram("inference_latency_seconds", "Time to answer a scoring request")
SKEW = Gauge("feature_skew_score", "Distance of means in standard deviations", ["feature"])

WINDOW = 1_000
first = last = None


def observe(frame, predictions, reference) -> None:
    global first, last
    rows = frame.to_numpy()
    if first is None or len(first) < WINDOW:
        first = rows if first is None else np.concatenate([first, rows])
    last = rows if last is None else np.concatenate([last, rows])[-WINDOW:]
    away = np.abs(np.nanmean(last, axis=0) - np.nanmean(first, axis=0))
    spread = np.nanstd(first, axis=0)
    for name, score in zip(frame.columns, away / np.where(spread > 0, spread, 1), strict=True):
        SKEW.labels(feature=name).set(score)
