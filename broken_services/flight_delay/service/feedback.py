"""Labels arrive late, by the flights' ids: join them with what was predicted."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from prometheus_client import Counter, Gauge

JOINED = Counter(
    "feedback_labels_total", "Late labels by whether a prediction was found", ["found"]
)
BRIER = Gauge("prediction_brier_ratio", "Mean squared error of the last 1,000 labelled predictions")

# Two weeks of flights: a label that comes later finds nothing.
REMEMBERED = 15_000
WINDOW_ROWS = 1_000


class Feedback:
    """Remembers predictions until their labels come."""

    def __init__(self) -> None:
        self._predictions: OrderedDict[str, float] = OrderedDict()
        self._errors: deque[float] = deque(maxlen=WINDOW_ROWS)

    def remember(self, ids: Iterable[str], predictions: Iterable[float]) -> None:
        """Keep predictions; the oldest make room."""
        self._predictions.update(zip(ids, predictions, strict=True))
        while len(self._predictions) > REMEMBERED:
            self._predictions.popitem(last=False)

    def join(self, labels: Iterable[tuple[str, float]]) -> int:
        """Join labels (1.0 late, 0.0 not) with predictions; returns how many were found."""
        found = 0
        for flight_id, late in labels:
            prediction = self._predictions.pop(flight_id, None)
            JOINED.labels(found=str(prediction is not None).lower()).inc()
            if prediction is not None:
                found += 1
                self._errors.append((prediction - late) ** 2)
        if self._errors:
            BRIER.set(sum(self._errors) / len(self._errors))
        return found
