"""Labels arrive late, by the flights' ids: join them with what was predicted, and say how good the
model has been on the last `WINDOW` flights whose outcome is known.

The window counts labels and not time: at night an hour has none, and nothing here may depend on
what this machine takes the time to be. What is in it is lost when the service starts anew.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator

import numpy as np
from prometheus_client import Counter
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector

LABELS = Counter(
    "feedback_labels_total", "Late labels by whether a prediction was waiting for them", ["found"]
)

# Two weeks of flights: a label that comes later finds nothing.
REMEMBERED = 15_000
WINDOW = 5_000


class Feedback(Collector):
    """Remembers predictions until their labels come, and both of the last `WINDOW` that did."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, float] = OrderedDict()
        self._known: deque[tuple[float, float]] = deque(maxlen=WINDOW)

    def remember(self, ids: Iterable[str], predictions: Iterable[float]) -> None:
        """Keep predictions; the oldest make room."""
        self._waiting.update(zip(ids, predictions, strict=True))
        while len(self._waiting) > REMEMBERED:
            self._waiting.popitem(last=False)

    def join(self, labels: Iterable[tuple[str, float]]) -> int:
        """Join labels (1.0 late, 0.0 not) with predictions; returns how many were found.

        A prediction is given away with its first label: one that comes again finds nothing.
        """
        found = 0
        for flight_id, late in labels:
            prediction = self._waiting.pop(flight_id, None)
            LABELS.labels(found=str(prediction is not None).lower()).inc()
            if prediction is not None:
                found += 1
                self._known.append((prediction, late))
        return found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Quality over a full window: a few labels after a start would say anything."""
        yield GaugeMetricFamily(
            "feedback_window_labels", "Labels in the window of quality", len(self._known)
        )
        if len(self._known) < WINDOW:
            return
        predictions, late = np.array(self._known).T
        yield GaugeMetricFamily(
            "prediction_bias_ratio",
            "Mean prediction less the share of late flights, over the last 5,000 labels",
            float(predictions.mean() - late.mean()),
        )
        yield GaugeMetricFamily(
            "prediction_auc_ratio",
            "Area under the ROC curve over the last 5,000 labels",
            area(predictions, late > 0),
        )


def area(predictions: np.ndarray, late: np.ndarray) -> float:
    """The area under the ROC curve, from the ranks of those that were late (Mann-Whitney U): the
    share of pairs of a late and a punctual flight that are in the right order, ties counting half.
    NaN where one of the two is missing.
    """
    _, place, counts = np.unique(predictions, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives, negatives = int(late.sum()), int((~late).sum())
    if not positives or not negatives:
        return float("nan")
    wins = rank[late].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


feedback = Feedback()
REGISTRY.register(feedback)
