"""Late labels, joined in a data frame."""

import pandas as pd
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from sklearn.metrics import roc_auc_score

WINDOW = 5_000


class Quality:
    """Everything known of the flights of the last weeks."""

    def __init__(self):
        self.waiting = {}
        self.done = pd.DataFrame({"prediction": [], "late": [], "departure": []})
        self.fresh = []

    def remember(self, flights, predictions):
        departures = pd.to_datetime(flights["scheduled_departure"], utc=True, format="ISO8601")
        for key, prediction, departure in zip(
            flights["flight_id"], predictions, departures, strict=True
        ):
            self.waiting[key] = (float(prediction), departure.timestamp())
        for key in list(self.waiting)[:-30_000]:
            del self.waiting[key]

    def join(self, labels):
        found = [(*self.waiting.pop(key), late) for key, late in labels if key in self.waiting]
        self.fresh += found
        return len(found)

    def collect(self):
        if self.fresh:
            more = pd.DataFrame(self.fresh, columns=["prediction", "departure", "late"])
            self.done = pd.concat([self.done, more], ignore_index=True).tail(WINDOW)
            self.fresh = []
        if len(self.done):
            newest = GaugeMetricFamily(
                "feedback_newest_departure_timestamp_seconds", "Latest flight with a known outcome"
            )
            newest.add_metric([], self.done["departure"].max())
            yield newest
        if len(self.done) == WINDOW and self.done["late"].nunique() == 2:
            late, prediction = self.done["late"], self.done["prediction"]
            bias = GaugeMetricFamily("prediction_bias_ratio", "Mean prediction less share late")
            bias.add_metric([], (prediction - late).mean())
            yield bias
            area = GaugeMetricFamily("prediction_auc_ratio", "Area under the ROC curve")
            area.add_metric([], roc_auc_score(late, prediction))
            yield area


feedback = Quality()
REGISTRY.register(feedback)
