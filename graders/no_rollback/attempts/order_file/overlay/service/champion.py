"""One thread does everything in turn: take orders, deliver their records, follow the alias."""

import json
import logging
import os
import shutil
import threading
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from pipeline import release
from pipeline.model import CHAMPION, NAME, load, resolve

log = logging.getLogger(__name__)

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "5"
MODEL_URI = os.environ.get("MODEL_URI", CHAMPION)
POLL = float(os.environ.get("MODEL_POLL_SECONDS", "2"))
TURN = 0.1


class Champion:
    def __init__(self):
        self.model = None
        self.alias = None
        self.bad = set()
        self.over = threading.Event()

    def start(self):
        for folder in (release.ORDERS, release.TAKEN, release.ANSWERS, release.MODELS):
            folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self.run, daemon=True).start()

    def stop(self):
        self.over.set()

    def run(self):
        turns = 0
        while not self.over.wait(TURN):
            try:
                self.turn(look=turns % max(1, int(POLL / TURN)) == 0 or self.model is None)
            except (MlflowException, OSError):
                log.info("no registry")
            turns += 1

    def turn(self, look):
        if self.model is None and release.LAST.exists():
            self.swap(self.read(release.LAST.read_text()))
        for path in sorted(release.ORDERS.glob("*.json")):
            self.take(path)
        if not look:
            return
        taken = sorted(release.TAKEN.glob("*.json"))
        if taken:
            # Only the newest one counts.
            release.put(**json.loads(taken[-1].read_text()))
            for path in taken:
                path.unlink()
            return
        self.alias = resolve(MODEL_URI)
        if self.alias in self.bad or (self.model and self.model.version == self.alias):
            return
        try:
            self.swap(self.read(self.alias))
        except MlflowException:
            raise
        except Exception:
            log.exception("bad release %s", self.alias)
            self.bad.add(self.alias)

    def take(self, path):
        order = json.loads(path.read_text())
        status, before = 0, self.wanted()
        try:
            if order["version"] != before or self.model.version != before:
                self.swap(self.read(order["version"]))
                order["previous"] = before
                (release.TAKEN / path.name).write_text(json.dumps(order))
        except MlflowException as error:
            status = 2 if error.error_code == "RESOURCE_DOES_NOT_EXIST" else 1
        except Exception:
            log.exception("order %s", order)
            status = 1
        path.unlink()
        (release.ANSWERS / path.name).write_text(str(status))

    def wanted(self):
        taken = sorted(release.TAKEN.glob("*.json"))
        if taken:
            return json.loads(taken[-1].read_text())["version"]
        try:
            return resolve(MODEL_URI)
        except MlflowException:
            return self.alias

    def read(self, version):
        folder = release.MODELS / version
        if not (folder / "MLmodel").exists():
            partly = release.MODELS / f"{version}.partly"
            shutil.rmtree(partly, ignore_errors=True)
            mlflow.artifacts.download_artifacts(f"models:/{NAME}/{version}", dst_path=str(partly))
            shutil.rmtree(folder, ignore_errors=True)
            partly.rename(folder)
        return load(str(folder.resolve()))

    def swap(self, model):
        self.model = model
        release.LAST.write_text(model.version)
