"""What the service tells Prometheus about itself. CPU and memory come with the client library."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("inference_requests_total", "Scoring requests by HTTP status", ["status"])
LATENCY = Histogram(
    "inference_latency_seconds",
    "Time from a scoring request's body to its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5),
)
ROWS = Counter("inference_rows_total", "Flights scored")


def observe(frame, predictions, reference) -> None:
    """Take in what one request was scored on and what it was answered."""
    ROWS.inc(len(predictions))
