"""Production as a live take-home sees it: real flights replayed hour by hour, labels a day later.

A scenario may say in `live.py` what is wrong with its feed: a function

    faulty(rows: pd.DataFrame, now: pd.Timestamp, variant: Variant) -> pd.DataFrame

gets the flights of one simulated hour (columns as of `flights.load`) and the hour's local start,
and gives the same rows as the feed has them.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from sandbox import flights
from sandbox.grading.statistics import auc, percentile
from sandbox.live.session import Figures
from sandbox.system.modules import module_from
from sandbox.traffic.client import predictions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from sandbox.references import Reference
    from sandbox.scenario import Scenario
    from sandbox.traffic.client import Client, Exchange
    from sandbox.traffic.gateway import Gateway
    from sandbox.variant import Variant

OWN_FEED = "live.py"
HOUR = pd.Timedelta(hours=1)
LABELS_LATE_BY = pd.Timedelta(days=1)
# So much is replayed at once, for labels to be in when `start` returns.
HEAD_START = pd.Timedelta(days=4)
REQUESTS_KEPT = 300
FLIGHTS_KEPT = 3_000
FLIGHTS_MIN = 500


class Production:
    """Replays production hour by hour and keeps the figures.

    Args:
        everything: all flights, as of `flights.load`.
        first_day: the local day on which it begins, and begins again after the last flight.
        gateway: what the requests go through.
        feed: what the feed makes of an hour's flights; None if it is right.
    """

    def __init__(
        self,
        everything: pd.DataFrame,
        first_day: date,
        gateway: Gateway,
        feed: Callable[[pd.DataFrame, pd.Timestamp], pd.DataFrame] | None = None,
    ) -> None:
        start = pd.Timestamp(first_day, tz=flights.AIRPORT_TIMEZONE).tz_convert("UTC")
        self._flights = everything[everything["departure"] >= start]
        self._hours = self._flights["departure"].dt.floor("h")
        self._gateway = gateway
        self._feed = feed
        self._exchanges: deque[tuple[float, Exchange]] = deque(maxlen=REQUESTS_KEPT)
        self._waiting: deque[tuple[pd.Timestamp, pd.DataFrame, list[float | None]]] = deque()
        # By flight, as its place in the table: the prediction that was served.
        self._labelled: deque[tuple[int, float]] = deque(maxlen=FLIGHTS_KEPT)
        self._expected: dict[int, float] = {}
        self._start = self._now = start
        self.reference: Reference | None = None

    @property
    def ahead(self) -> bool:
        """Whether the head start lasts, in which hours go by as fast as the service answers."""
        return self._now < self._start + HEAD_START

    @property
    def now(self) -> pd.Timestamp:
        """The simulated local time."""
        return self._now.tz_convert(flights.AIRPORT_TIMEZONE)

    def tick(self, client: Client) -> None:
        """Replay one hour: score its flights, then send the labels that are due."""
        rows = self._flights[self._hours == self._now]
        if len(rows):
            local = self._now.tz_convert(flights.AIRPORT_TIMEZONE)
            fed = self._feed(rows, local) if self._feed else rows
            exchange = self._gateway.forward(partial(client.score, flights.records(fed)), len(rows))
            self._exchanges.append((time.monotonic(), exchange))
            self._waiting.append((self._now, rows, predictions_of([exchange])))
        while self._waiting and self._waiting[0][0] <= self._now - LABELS_LATE_BY:
            self._label(client, *self._waiting.popleft()[1:])
        self._now += HOUR
        if self._now > self._hours.iloc[-1]:
            self._now = self._start

    def _label(self, client: Client, rows: pd.DataFrame, predictions: list[float | None]) -> None:
        client.ask("POST", "/feedback", json.dumps(flights.outcomes(rows)).encode())
        self._labelled.extend(
            (place, prediction)
            for place, prediction in zip(rows.index, predictions, strict=True)
            if prediction is not None
        )

    def figures(self) -> Figures:
        """How the service fares, over the last requests and labels."""
        exchanges = list(self._exchanges)
        recent = [at for at, _ in exchanges if at > time.monotonic() - 10]
        places = [place for place, _ in self._labelled]
        predictions = [prediction for _, prediction in self._labelled]
        late = self._flights["late"].loc[places].tolist()
        return Figures(
            now=self.now.isoformat(timespec="minutes"),
            requests_per_s=round(len(recent) / 10, 1),
            p95_ms=round(percentile([e.latency_ms for _, e in exchanges], 95), 1)
            if exchanges
            else 0.0,
            errors=sum(e.predictions is None for _, e in exchanges) / max(1, len(exchanges)),
            auc=_auc(late, predictions),
            pipeline_auc=_auc(late, self._references(places)),
            labelled=len(late),
            mean_prediction=round(sum(predictions) / len(late), 3) if late else None,
            late_rate=round(sum(late) / len(late), 3) if late else None,
            version=exchanges[-1][1].version if exchanges else "",
        )

    def _references(self, places: list[int]) -> list[float]:
        """What the pipeline predicts for the flights as they are; empty without a reference."""
        if self.reference is None:
            return []
        if missing := [place for place in places if place not in self._expected]:
            predicted = self.reference.predict(self._flights.loc[missing]).tolist()
            self._expected |= dict(zip(missing, predicted, strict=True))
        return [self._expected[place] for place in places]


def feed_of(
    setting: Scenario, variant: Variant
) -> Callable[[pd.DataFrame, pd.Timestamp], pd.DataFrame] | None:
    """What a scenario's feed makes of an hour's flights; None where it says nothing about that."""
    own = setting.folder / OWN_FEED
    if not own.exists():
        return None
    made = module_from(own.read_text("utf-8"), f"live_of_{setting.name}", str(own))
    return partial(made.faulty, variant=variant)


def _auc(late: Sequence[float], predictions: Sequence[float]) -> float | None:
    """AUC; None where there are too few to tell anything."""
    if len(predictions) < FLIGHTS_MIN:
        return None
    area = auc(late, predictions)
    return None if math.isnan(area) else round(area, 3)
