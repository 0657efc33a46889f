"""Statistics on a window of rows, against the training rows of the same hours of the day."""

from collections import deque
from functools import lru_cache

import numpy as np
import pandas as pd
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import REGISTRY, CounterMetricFamily, HistogramMetricFamily
from scipy.spatial.distance import jensenshannon

from pipeline import features

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram(
    "inference_latency_seconds",
    "Time from a scoring request's body to its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5),
)
PREDICTIONS = Histogram(
    "prediction_probability_ratio", "Predictions", buckets=np.linspace(0.05, 0.95, 19).tolist()
)
SCORE = Gauge(
    "input_test_score_ratio", "Statistic of the window over its bound", ["test", "feature"]
)
WINDOW, EVERY = 1_000, 200
WEATHER = [
    "temp_c",
    "dewp_c",
    "humid_fraction",
    "wind_speed_ms",
    "pressure_hpa",
    "visib_km",
    "precip_mm",
]
SHIFTABLE = ["carrier", "origin"]


@lru_cache(maxsize=1)
def trained():
    """The training rows as features, with the codes that the champion uses."""
    flights = pd.read_parquet("data/training.parquet")
    return features.build(flights, features.fit(flights))


@lru_cache(maxsize=64)
def trained_at(hour):
    """Shares of categories in the training rows of an hour and the two beside it."""
    rows = trained()
    near = rows[(rows["departure_hour"] // 1 - hour).abs() <= 1]
    return {name: near[name].value_counts(normalize=True) for name in SHIFTABLE}


class Totals:
    def __init__(self):
        self.edges, self.counts, self.missing, self.rows = {}, {}, {}, 0

    def add(self, frame):
        self.rows += len(frame)
        for name in frame.columns:
            values = frame[name].to_numpy()
            known = values[~np.isnan(values)]
            self.missing[name] = self.missing.get(name, 0) + len(values) - len(known)
            if name in features.CATEGORICAL:
                continue
            if name not in self.edges:
                column = trained()[name].dropna()
                self.edges[name] = np.unique(column.quantile(np.linspace(0, 1, 21)).round(3))
                self.counts[name] = np.zeros(len(self.edges[name]) + 1)
            places = np.searchsorted(self.edges[name], known, side="left")
            self.counts[name] += np.bincount(places, minlength=len(self.counts[name]))

    def collect(self):
        values = HistogramMetricFamily(
            "feature_value", "Features given to the model", labels=["feature"]
        )
        for name, counts in self.counts.items():
            bounds = [*map(str, self.edges[name]), "+Inf"]
            values.add_metric([name], list(zip(bounds, np.cumsum(counts))), 0)
        yield values
        missing = CounterMetricFamily("feature_missing", "Rows without a value", labels=["feature"])
        for name, count in self.missing.items():
            missing.add_metric([name], count)
        yield missing


totals = Totals()
REGISTRY.register(totals)
window = deque(maxlen=WINDOW)
seen = 0


def observe(frame, predictions, reference):
    global seen
    totals.add(frame)
    for prediction in predictions:
        PREDICTIONS.observe(prediction)
    window.extend(frame.itertuples(index=False, name=None))
    before, seen = seen, seen + len(frame)
    if len(window) == WINDOW and seen // EVERY != before // EVERY:
        test(pd.DataFrame(list(window), columns=list(frame.columns)))


def test(rows):
    base = trained()
    for name in frame_columns(rows):
        absent = rows[name].isna().mean() - base[name].isna().mean()
        bound = 0.1 if name in features.CATEGORICAL else 0.4
        SCORE.labels("missing", name).set(absent / bound)
    for name in WEATHER:
        low, high = base[name].min(), base[name].max()
        room = 0.1 * (high - low)
        outside = ((rows[name] < low - room) | (rows[name] > high + room)).mean()
        SCORE.labels("outside of training", name).set(outside / 0.05)
    SCORE.labels("colder than its dew point", "temp_c").set(
        (rows["temp_c"] < rows["dewp_c"] - 0.5).mean() / 0.1
    )
    # In a thousand rows of a fortnight there are dozens of different readings.
    still = [n for n in WEATHER[:5] if 0 < rows[n].nunique() <= 8]
    SCORE.labels("stands still", "weather").set(len(still) / 1.5)
    hour = int(rows["departure_hour"].median())
    for name in SHIFTABLE:
        usual = trained_at(hour)[name]
        now = rows[name].value_counts(normalize=True)
        codes = sorted(set(usual.index) | set(now.index))
        apart = jensenshannon(
            [usual.get(c, 0.0) for c in codes], [now.get(c, 0.0) for c in codes], base=2
        )
        SCORE.labels("mix", name).set(apart / BOUND[name])


BOUND = {"carrier": 0.5, "origin": 0.4}


def frame_columns(rows):
    return [name for name in rows.columns if name != "wind_gust_ms"]
