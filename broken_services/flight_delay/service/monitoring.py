"""What the service tells Prometheus about itself and about the model's inputs and predictions.

Counters and histograms hold all rows since the start, so that PromQL can take any window of time.
What needs the rows themselves (how many values differ, how alike they are to training) is measured
on the last `WINDOW_ROWS` rows: at night, a window of time holds too few.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
from pipeline.features import CATEGORICAL
from pipeline.model import Reference, bin_shares
from prometheus_client import GC_COLLECTOR, Counter, Histogram
from prometheus_client.core import (
    REGISTRY,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
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

# How Python tidies up after itself says nothing of the service.
REGISTRY.unregister(GC_COLLECTOR)

WINDOW_ROWS = 1_000
# Below this many rows what a window says is mostly noise.
WINDOW_ROWS_MIN = 500
# An empty bin would make the index infinite.
SHARE_FLOOR = 1e-4

# What can be at all, in the features' units. Beyond it, a sensor or a unit is wrong.
PLAUSIBLE = {
    "temp_c": (-40.0, 50.0),
    "dewp_c": (-50.0, 35.0),
    "humid_fraction": (0.05, 1.0),
    "wind_speed_ms": (0.0, 60.0),
    "wind_gust_ms": (0.0, 90.0),
    "precip_mm": (0.0, 150.0),
    "pressure_hpa": (940.0, 1070.0),
    "visib_km": (0.0, 16.2),
    "distance_km": (20.0, 9_000.0),
}
# A thousand rows come from three airports over an hour or so: their readings differ.
CHANGING = ("temp_c", "dewp_c", "humid_fraction", "pressure_hpa", "wind_speed_ms")


class Inputs(Collector):
    """The features of all rows since the start, and of the last `WINDOW_ROWS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reference: Reference | None = None
        self._names: list[str] = []
        self._rows = np.empty((0, 0))
        self._counts: dict[str, np.ndarray] = {}
        self._sums: dict[str, float] = {}
        self._implausible: dict[str, int] = {}

    def observe(self, frame: pd.DataFrame, reference: Reference) -> None:
        """Take in the features of one request; another model's counts and window start anew."""
        rows = frame.to_numpy()
        with self._lock:
            if self._reference is not reference:
                self._start(list(frame.columns), reference)
            self._rows = np.concatenate([self._rows, rows])[-WINDOW_ROWS:]
            for place, name in enumerate(self._names):
                values, edges = rows[:, place], reference.edges[name]
                bins = np.searchsorted(edges, values, side="left")
                bins[np.isnan(values)] = len(edges) + 1
                self._counts[name] += np.bincount(bins, minlength=len(edges) + 2)
                self._sums[name] += float(np.nansum(values))
                if name in PLAUSIBLE:
                    low, high = PLAUSIBLE[name]
                    self._implausible[name] += int(((values < low) | (values > high)).sum())
            dewpoint, temperature = (rows[:, self._names.index(n)] for n in ("dewp_c", "temp_c"))
            # Air cannot be colder than its dew point; rounding is forgiven.
            self._implausible["dewp_above_temp"] += int((dewpoint > temperature + 0.5).sum())

    def _start(self, names: list[str], reference: Reference) -> None:
        self._reference, self._names = reference, names
        self._rows = np.empty((0, len(names)))
        self._counts = {n: np.zeros(len(reference.edges[n]) + 2, dtype=int) for n in names}
        self._sums = dict.fromkeys(names, 0.0)
        self._implausible = dict.fromkeys([*PLAUSIBLE, "dewp_above_temp"], 0)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """Everything there is to say once a model has seen rows."""
        with self._lock:
            reference = self._reference
            names, rows = self._names, self._rows
            counts = {name: count.copy() for name, count in self._counts.items()}
            sums, implausible = dict(self._sums), dict(self._implausible)
        if reference is None:
            return
        yield from _totals(names, reference, counts, sums, implausible)
        if len(rows) >= WINDOW_ROWS_MIN:
            yield from _windowed(names, reference, rows)


def _totals(
    names: list[str],
    reference: Reference,
    counts: dict[str, np.ndarray],
    sums: dict[str, float],
    implausible: dict[str, int],
) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
    values = HistogramMetricFamily(
        "feature_value", "Numeric features as the model was given them", labels=["feature"]
    )
    missing = CounterMetricFamily(
        "feature_missing", "Rows in which a feature was missing to the model", labels=["feature"]
    )
    for name in names:
        *known, absent = counts[name].tolist()
        missing.add_metric([name], absent)
        if name not in CATEGORICAL:
            edges = [*(f"{edge:g}" for edge in reference.edges[name]), "+Inf"]
            cumulative = np.cumsum(known).tolist()
            values.add_metric([name], list(zip(edges, cumulative, strict=True)), sums[name])
    yield values
    yield missing
    wrong = CounterMetricFamily(
        "feature_implausible", "Rows with a value that cannot be", labels=["reason"]
    )
    for reason, rows in implausible.items():
        wrong.add_metric([reason], rows)
    yield wrong
    yield CounterMetricFamily("inference_rows", "Rows scored", value=int(counts[names[0]].sum()))


def _windowed(
    names: list[str], reference: Reference, rows: np.ndarray
) -> Iterator[GaugeMetricFamily]:
    skew = GaugeMetricFamily(
        "feature_skew_score",
        "Population stability index of the served feature against the training rows",
        labels=["feature"],
    )
    distinct = GaugeMetricFamily(
        "feature_distinct_values", "Different values in the last 1,000 rows", labels=["feature"]
    )
    largest = GaugeMetricFamily(
        "feature_largest_category_ratio",
        "Share of the most common category in the last 1,000 rows",
        labels=["feature"],
    )
    for place, name in enumerate(names):
        values = rows[:, place]
        skew.add_metric([name], _index(values, reference.edges[name], reference.shares[name]))
        known = values[~np.isnan(values)]
        if name in CHANGING:
            distinct.add_metric([name], len(np.unique(known)))
        if name in CATEGORICAL and len(known):
            _, each = np.unique(known, return_counts=True)
            largest.add_metric([name], each.max() / len(values))
    yield skew
    yield distinct
    yield largest


def _index(values: np.ndarray, edges: list[float], shares: list[float]) -> float:
    """The population stability index: the sum over bins of (s - t) * ln(s / t), with s the share of
    served rows and t of training rows in the bin; 0 where both are distributed alike.
    """
    trained = np.maximum(shares, SHARE_FLOOR)
    served = np.maximum(bin_shares(values, edges), SHARE_FLOOR)
    return float(np.sum((served - trained) * np.log(served / trained)))


_INPUTS = Inputs()
REGISTRY.register(_INPUTS)


def observe(frame: pd.DataFrame, predictions: np.ndarray, reference: Reference) -> None:
    """Take in what one request was scored on and what it was answered."""
    _INPUTS.observe(frame, reference)
    for prediction in predictions:
        PREDICTIONS.observe(prediction)
