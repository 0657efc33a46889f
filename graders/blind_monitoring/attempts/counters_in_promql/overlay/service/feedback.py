"""Joins labels with predictions and adds up both; windows are for PromQL to take."""

import bisect
from collections import OrderedDict, deque

from prometheus_client import Counter, Gauge

RECEIVED = Counter("labels_received_total", "Labels that came, of whatever flight")
LABELLED = Counter("labelled_predictions_total", "Predictions whose outcome is known")
CHANCES = Counter("labelled_probability_total", "Sum of the predictions whose outcome is known")
LATE = Counter("labelled_late_total", "Flights with a prediction that were late")
BIAS = Gauge("prediction_bias_ratio", "Mean prediction less share late, 5,000 labels")
AUC = Gauge("prediction_auc_ratio", "Area under the ROC curve, 5,000 labels")

ROWS = 5_000
KEPT = 40_000


class Feedback:
    def __init__(self):
        self._predicted = OrderedDict()
        self._seen = OrderedDict()
        self._window = deque(maxlen=ROWS)
        BIAS.set_function(self._bias)
        AUC.set_function(self._auc)

    def remember(self, ids, predictions):
        for key, prediction in zip(ids, predictions, strict=True):
            self._predicted[key] = prediction
        while len(self._predicted) > KEPT:
            self._predicted.popitem(last=False)

    def join(self, labels):
        found = 0
        for key, late in labels:
            RECEIVED.inc()
            if key in self._seen or key not in self._predicted:
                continue
            self._seen[key] = None
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
            chance = self._predicted[key]
            LABELLED.inc()
            CHANCES.inc(chance)
            LATE.inc(late)
            self._window.append((chance, late))
            found += 1
        return found

    def _bias(self):
        if not self._window:
            return float("nan")
        return sum(chance - late for chance, late in self._window) / len(self._window)

    def _auc(self):
        late = sorted(chance for chance, is_late in self._window if is_late)
        punctual = sorted(chance for chance, is_late in self._window if not is_late)
        if not late or not punctual:
            return float("nan")
        # For each late flight: how many punctual ones had a smaller prediction, ties half.
        wins = sum(
            bisect.bisect_left(punctual, chance) + bisect.bisect_right(punctual, chance)
            for chance in late
        )
        return wins / 2 / (len(late) * len(punctual))


feedback = Feedback()
