"""python -m pipeline.rollback --to N --why TEXT

Fetches version N, tries whether it loads, moves the link, and waits until the service has followed.
"""

import argparse
import os
import time

import mlflow
import requests
from mlflow.exceptions import MlflowException

from pipeline import command, release
from pipeline.model import CHAMPION, NAME, load, resolve

GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def champion():
    """Who is champion, as far as anybody knows."""
    if owed := release.owed():
        return owed["version"]
    try:
        return resolve(CHAMPION)
    except release.AWAY:
        return release.current()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--why", required=True)
    given = parser.parse_args()
    deadline = time.monotonic() + 28
    try:
        mlflow.MlflowClient().get_model_version(NAME, given.to)
    except MlflowException as error:
        if error.error_code in GONE:
            command.finish(command.USAGE, error=str(error))
    except (requests.RequestException, OSError):
        pass
    try:
        load(str(release.fetch(given.to)))
    except Exception as error:
        command.finish(command.REFUSED, error=str(error))
    with release.locked():
        if (previous := champion()) != given.to:
            release.owe(release.record(given.to, previous, given.why))
        release.point(given.to)
    answering = None
    while answering != given.to and time.monotonic() < deadline:
        time.sleep(0.05)
        try:
            answering = requests.get(os.environ["SERVICE_URL"] + "/version", timeout=2).json()[
                "version"
            ]
        except requests.RequestException:
            continue
    command.finish(int(answering != given.to), version=given.to, answering=answering)


if __name__ == "__main__":
    main()
