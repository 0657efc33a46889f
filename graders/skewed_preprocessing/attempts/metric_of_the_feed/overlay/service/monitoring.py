"""What the service tells Prometheus about itself and about the model's inputs and predictions."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
from pipeline.model import Reference, bin_shares
from prometheus_client import Counter, Histogram
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram(
    "inference_latency_seconds",
    "Time from a scoring request's body to its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5),
)
PREDICTIONS = Histogram(
    "prediction_probability_ratio",
    "Predicted probability of arriving late",
    buckets=[tenth / 10 for tenth in range(1, 10)],
)

WINDOW_ROWS = 1_000
# Below this many rows the index is mostly noise.
WINDOW_ROWS_MIN = 500
# An empty bin would make the index infinite.
SHARE_FLOOR = 1e-4


class FeatureSkew(Collector):
    """How far the features of the last `WINDOW_ROWS` served rows are from the training rows.

    The population stability index by feature: the sum over bins of (s - t) * ln(s / t), with s the
    share of served rows and t of training rows in the bin; 0 where both are distributed alike.
    """

    def __init__(self) -> None:
        self._reference: Reference | None = None
        self._rows: pd.DataFrame | None = None
        self._lock = threading.Lock()

    def observe(self, frame: pd.DataFrame, reference: Reference) -> None:
        """Take in the features of one request; another model's window starts empty."""
        with self._lock:
            if self._reference is not reference or self._rows is None:
                self._reference, self._rows = reference, frame.tail(WINDOW_ROWS)
            else:
                self._rows = pd.concat([self._rows, frame]).tail(WINDOW_ROWS)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a feature once the window is full enough."""
        family = GaugeMetricFamily(
            "feature_skew_score",
            "Population stability index of the served feature against the training rows",
            labels=["feature"],
        )
        with self._lock:
            reference, rows = self._reference, self._rows
        if reference is not None and rows is not None and len(rows) >= WINDOW_ROWS_MIN:
            for name, edges in reference.edges.items():
                values = rows[name].to_numpy()
                family.add_metric([name], _index(values, edges, reference.shares[name]))
        yield family


def _index(values: np.ndarray, edges: list[float], shares: list[float]) -> float:
    trained = np.maximum(shares, SHARE_FLOOR)
    served = np.maximum(bin_shares(values, edges), SHARE_FLOOR)
    return float(np.sum((served - trained) * np.log(served / trained)))


_SKEW = FeatureSkew()
REGISTRY.register(_SKEW)


def observe(frame: pd.DataFrame, predictions: np.ndarray, reference: Reference) -> None:
    """Take in what one request was scored on and what it was answered."""
    _SKEW.observe(frame, reference)
    for prediction in predictions:
        PREDICTIONS.observe(prediction)
