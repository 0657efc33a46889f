"""Go back to an earlier version, now.

    python -m pipeline.rollback --to 1 --why "..."

Exit status: 0 that version answers (again: nothing changes), 1 it does not answer in time,
2 there is no such version.
Last line: {"version": "1", "previous": "2", "answering": "1"}

The service is asked at `SERVICE_URL`; it preloads the version before it swaps, so nobody waits.
"""

from __future__ import annotations

import argparse
import os
import time

import mlflow
import requests

from pipeline import command
from pipeline.model import CHAMPION, NAME, resolve
from pipeline.release import point_champion

# MLflow would try again for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")

ANSWERS_WITHIN_S = 30.0
ASK_EVERY_S = 0.1


def answering(url: str) -> str:
    """The version that answers at the service's address; empty where nobody does."""
    try:
        return str(requests.get(f"{url}/version", timeout=2).json()["version"])
    except (requests.RequestException, ValueError, KeyError):
        return ""


def main() -> None:
    """Roll back from the command line."""
    parser = argparse.ArgumentParser(description="Go back to an earlier version, now.")
    parser.add_argument("--to", required=True, help="the version's number")
    parser.add_argument("--why", required=True)
    arguments = parser.parse_args()
    command.require_registry()

    url = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")
    try:
        mlflow.MlflowClient().get_model_version(NAME, arguments.to)
        previous = resolve(CHAMPION)
    except mlflow.exceptions.MlflowException as error:
        command.finish(command.USAGE, error=f"expected version {arguments.to} of {NAME}: {error}")
    point_champion(arguments.to, previous=previous, why=arguments.why)

    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while (version := answering(url)) != arguments.to and time.monotonic() < deadline:
        time.sleep(ASK_EVERY_S)
    command.finish(
        command.DONE if version == arguments.to else command.REFUSED,
        version=arguments.to,
        previous=previous,
        answering=version,
    )


if __name__ == "__main__":
    main()
