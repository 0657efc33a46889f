"""Point the alias at a version, write down who, when and why, and start the service anew."""

import argparse
import os
import time
from datetime import UTC, datetime

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

import mlflow
import requests
from mlflow.exceptions import MlflowException

from pipeline import command
from pipeline.model import CHAMPION, NAME, resolve

parser = argparse.ArgumentParser()
parser.add_argument("--to", required=True)
parser.add_argument("--why", required=True)
arguments = parser.parse_args()
client = mlflow.MlflowClient()
try:
    client.get_model_version(NAME, arguments.to)
    previous = resolve(CHAMPION)
    if previous != arguments.to:
        record = {
            "by": command.actor(),
            "at": datetime.now(UTC).isoformat(),
            "why": arguments.why,
            "previous": previous,
        }
        for key, value in record.items():
            client.set_model_version_tag(NAME, arguments.to, f"champion.{key}", value)
        client.set_registered_model_alias(NAME, "champion", arguments.to)
except MlflowException as error:
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        command.finish(command.USAGE)
url = os.environ["SERVICE_URL"]
requests.post(f"{url}/restart", timeout=5)
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    time.sleep(0.1)
    try:
        if requests.get(f"{url}/version", timeout=2).json()["version"] == arguments.to:
            command.finish(command.DONE, version=arguments.to, answering=arguments.to)
    except requests.RequestException:
        continue
command.finish(command.REFUSED, version=arguments.to)
