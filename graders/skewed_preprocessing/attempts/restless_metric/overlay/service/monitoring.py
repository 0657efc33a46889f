from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram("inference_latency_seconds", "Time to answer a scoring request")
SKEW = Gauge("feature_skew_score", "Skew", ["feature"])


def observe(frame, predictions, reference) -> None:
    for name in frame.columns:
        SKEW.labels(feature=name).set(SKEW.labels(feature=name)._value.get() * 1.2 + 0.01)
