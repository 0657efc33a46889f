"""Follow what is wanted: a note in the working directory, or else the alias."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import threading
from pathlib import Path

import requests
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from pipeline import release
from pipeline.model import CHAMPION, NAME, Model, load, resolve

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
POLL_SECONDS = float(os.environ.get("MODEL_POLL_SECONDS", "2"))
MODEL_URI = os.environ.get("MODEL_URI", CHAMPION)
AWAY = (MlflowException, requests.RequestException, OSError)
KEPT = Path(".releases/models")
STATE = Path(".releases/state.pickle")
log = logging.getLogger(__name__)


class Champion:
    """Old models stay in memory as well: going back to them costs nothing."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self._models: dict[str, Model] = {}
        self._bad: set[str] = set()
        self._stopped = threading.Event()

    def start(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        for target in (self._follow, self._deliver):
            threading.Thread(target=target, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _wanted(self) -> str:
        note = release.note()
        return note["version"] if note else resolve(MODEL_URI)

    def _follow(self) -> None:
        while not self._stopped.wait(0.2 if self.model else 0.05):
            try:
                wanted = self._wanted()
            except AWAY:
                # Nobody to ask: after a start, go on with what there was.
                if self.model is not None or not STATE.exists():
                    continue
                wanted = pickle.loads(STATE.read_bytes())
            if (self.model and self.model.version == wanted) or wanted in self._bad:
                continue
            try:
                model = self._models.get(wanted) or self._load(wanted)
            except AWAY as error:
                log.warning("cannot fetch %s: %s", wanted, error)
                continue
            except Exception:
                log.exception("version %s is bad", wanted)
                self._bad.add(wanted)
                continue
            with contextlib.suppress(*AWAY):
                # Somebody may have changed their mind while it was loading.
                if self._wanted() != wanted:
                    continue
            self._models[wanted] = self.model = model
            STATE.write_bytes(pickle.dumps(wanted))
            for old in list(self._models)[:-4]:
                del self._models[old]

    def _load(self, version: str) -> Model:
        folder = KEPT / version
        if not folder.exists():
            fetched = Path(download_artifacts(f"models:/{NAME}/{version}", dst_path=f"{KEPT}/.new"))
            fetched.rename(folder)
        return load(os.path.abspath(folder))

    def _deliver(self) -> None:
        while not self._stopped.wait(0.5):
            note = release.note()
            if note:
                with contextlib.suppress(*AWAY):
                    release.write(note)
                    release.forget(note)
