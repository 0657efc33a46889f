"""Where orders lie, and how a record is put into the registry."""

from datetime import datetime, timezone
from pathlib import Path

import mlflow

from pipeline import command
from pipeline.model import NAME

HOME = Path(".releases")
ORDERS, TAKEN, ANSWERS, MODELS = (HOME / name for name in ("orders", "taken", "answers", "models"))
LAST = HOME / "last"


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def put(version, previous, by, at, why):
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(NAME, "champion", version)
    for key, value in {"by": by, "at": at, "why": why, "previous": previous}.items():
        client.set_model_version_tag(NAME, version, f"champion.{key}", value)


def point_champion(version, *, previous, why):
    if version != previous:
        put(version, previous, command.actor(), now(), why)
