"""The model that answers: polled, loaded aside, then swapped in one assignment."""

from __future__ import annotations

import logging
import os
import threading

import requests
from mlflow.exceptions import MlflowException
from pipeline.model import CHAMPION, Model, load, resolve

log = logging.getLogger(__name__)

POLL_SECONDS = float(os.environ.get("MODEL_POLL_SECONDS", "2"))
# `models:/flight-delay/3` pins one version: then no alias is asked for.
MODEL_URI = os.environ.get("MODEL_URI", CHAMPION)

# MLflow would try again by itself after ever longer pauses. We ask again anyway, and sooner.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


class Champion:
    """Keeps the registry's champion loaded. The last good one serves while the registry is away."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Follow the registry in a thread of its own."""
        threading.Thread(target=self._follow, name="champion", daemon=True).start()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                if self.model is None or resolve(MODEL_URI) != self.model.version:
                    self.model = load(MODEL_URI)
                    log.warning("serving version %s", self.model.version)
            except (MlflowException, requests.RequestException, OSError) as error:
                # While there is no model yet, the registry is starting as well.
                if self.model is not None:
                    log.warning("the registry is away: %s", error)
            # Until there is a model nobody can be answered: ask again soon.
            self._stopped.wait(POLL_SECONDS if self.model else 0.1)
