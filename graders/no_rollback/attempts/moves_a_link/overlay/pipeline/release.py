"""What both the command and the service know: a link that says what answers, and an outbox."""

import fcntl
import json
import os
import tempfile
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import mlflow
import requests
from mlflow.exceptions import MlflowException

from pipeline import command
from pipeline.model import NAME

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
HOME = Path(".releases").absolute()
LINK, OUTBOX, VERSIONS = HOME / "current", HOME / "outbox.json", HOME / "versions"
AWAY = (MlflowException, requests.RequestException, OSError)


@contextmanager
def locked():
    """One at a time, command and service."""
    VERSIONS.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def current():
    return LINK.readlink().name if LINK.is_symlink() else None


def point(version):
    new = LINK.with_name("current.new")
    new.unlink(missing_ok=True)
    new.symlink_to(VERSIONS / version)
    new.replace(LINK)


def fetch(version):
    """The folder of a version; downloaded as a whole or not at all."""
    folder = VERSIONS / version
    if not folder.is_dir():
        VERSIONS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=HOME) as partly:
            mlflow.artifacts.download_artifacts(f"models:/{NAME}/{version}", dst_path=f"{partly}/v")
            try:
                Path(partly, "v").rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return folder


def owed():
    return json.loads(OUTBOX.read_text()) if OUTBOX.exists() else None


def owe(record):
    new = OUTBOX.with_suffix(".new")
    new.write_text(json.dumps(record))
    new.replace(OUTBOX)


def record(version, previous, why):
    now = datetime.now(timezone.utc).isoformat()
    said = {"by": command.actor(), "at": now, "why": why, "previous": previous}
    return {"version": version, "tags": {f"champion.{key}": said[key] for key in said}}


def deliver(owed):
    client = mlflow.MlflowClient()
    for key, value in owed["tags"].items():
        client.set_model_version_tag(NAME, owed["version"], key, value)
    client.set_registered_model_alias(NAME, "champion", owed["version"])


def point_champion(version, *, previous, why):
    if version != previous:
        deliver(record(version, previous, why))
