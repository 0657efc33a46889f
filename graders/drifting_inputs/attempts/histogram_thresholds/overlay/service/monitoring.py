"""Plain counters and histograms. Whatever is unusual is decided in deploy/alerts.yaml."""

import math

from prometheus_client import Counter, Histogram

from pipeline.features import CATEGORICAL

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram(
    "inference_latency_seconds",
    "Time from a scoring request's body to its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5),
)
ROWS = Counter("inference_rows_total", "Flights scored")
# One set of buckets has to do for minutes, kilometres and degrees.
BUCKETS = [
    -40,
    -20,
    -15,
    -10,
    -7.5,
    -5,
    -2.5,
    0,
    0.05,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    1,
    2,
    3,
    4,
    5,
    6,
    7.5,
    10,
    12.5,
    15,
    16.2,
    17.5,
    20,
    22.5,
    25,
    27.5,
    30,
    35,
    50,
    60,
    90,
    240,
    360,
    480,
    600,
    720,
    840,
    960,
    985,
    992,
    *range(996, 1038, 2),
    1045,
    1080,
    1200,
    1500,
    2000,
    3000,
    5000,
]
VALUES = Histogram(
    "feature_value", "Numeric features as given to the model", ["feature"], buckets=BUCKETS
)
MISSING = Counter("feature_missing_total", "Rows without a value of the feature", ["feature"])
CATEGORY = Counter(
    "category_rows_total", "Rows by category, among those the model knows", ["feature", "code"]
)
PREDICTIONS = Histogram(
    "prediction_probability_ratio",
    "Predictions",
    buckets=[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
)


def observe(frame, predictions, reference):
    ROWS.inc(len(predictions))
    for name in frame.columns:
        values = frame[name].tolist()
        known = [v for v in values if not math.isnan(v)]
        MISSING.labels(feature=name).inc(len(values) - len(known))
        if name in ("carrier", "origin"):
            for value in known:
                CATEGORY.labels(feature=name, code=str(int(value))).inc()
        if name not in CATEGORICAL:
            histogram = VALUES.labels(feature=name)
            for value in known:
                histogram.observe(value)
    for prediction in predictions:
        PREDICTIONS.observe(prediction)
