"""The model that answers: the registry's champion at the time the service starts."""

from __future__ import annotations

import logging
import os
import threading

import requests
from mlflow.exceptions import MlflowException
from pipeline.model import CHAMPION, Model, load

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
# `models:/flight-delay/3` pins one version: then no alias is asked for.
MODEL_URI = os.environ.get("MODEL_URI", CHAMPION)

# MLflow would try again by itself after ever longer pauses. We ask again anyway, and sooner.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


class Champion:
    """Loads the champion."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Load it in a thread of its own."""
        threading.Thread(target=self._load, name="champion", daemon=True).start()

    def stop(self) -> None:
        """Stop trying."""
        self._stopped.set()

    def _load(self) -> None:
        # While there is no model yet, the registry is starting as well.
        while self.model is None and not self._stopped.is_set():
            try:
                self.model = load(MODEL_URI)
                log.warning("serving version %s", self.model.version)
            except (MlflowException, requests.RequestException, OSError):
                self._stopped.wait(RETRY_SECONDS)
