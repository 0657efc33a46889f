"""How many standard deviations the mean of each served feature is from its training mean."""

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram("inference_latency_seconds", "Time to answer a scoring request")
SKEW = Gauge("feature_skew_score", "Standardised distance of the mean from training", ["feature"])

window = None


def observe(frame, predictions, reference) -> None:
    global window
    rows = frame.to_numpy()
    window = rows if window is None else np.concatenate([window, rows])[-1000:]
    with np.errstate(all="ignore"):
        means = np.nanmean(window, axis=0) if len(window) else []
    for name, mean in zip(frame.columns, means, strict=True):
        if np.isfinite(mean):
            score = abs(mean - reference.mean[name]) / max(reference.spread[name], 1e-9)
            SKEW.labels(feature=name).set(score)
