"""Go back: tell the registry, or leave a note; then wait until the service follows."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "4"

import mlflow
import requests
from mlflow.exceptions import MlflowException

from pipeline import release
from pipeline.model import CHAMPION, NAME, resolve

URL = os.environ.get("SERVICE_URL", "http://localhost:8080")


def answering() -> str | None:
    try:
        return requests.get(URL + "/version", timeout=3).json()["version"]
    except requests.RequestException:
        return None


def move(to: str, why: str) -> int:
    try:
        mlflow.MlflowClient().get_model_version(NAME, to)
        known = release.note()
        previous = known["version"] if known else resolve(CHAMPION)
        if previous != to:
            release.leave(release.describe(to, previous, why))
    except MlflowException as error:
        if error.error_code != "INTERNAL_ERROR" and "Max retries" not in str(error):
            return 2
        if not Path(".releases/models", to).exists():
            return 1
        known = release.note()
        previous = known["version"] if known else answering() or ""
        if previous != to:
            release.leave(release.describe(to, previous, why))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--why", required=True)
    arguments = parser.parse_args()
    deadline = time.time() + 30
    if status := move(arguments.to, arguments.why):
        return status
    while time.time() < deadline:
        if answering() == arguments.to:
            return 0
        time.sleep(0.1)
    return 1


if __name__ == "__main__":
    sys.exit(main())
