"""Moving the champion: one alias, and who moved it, when and why."""

from __future__ import annotations

from datetime import UTC, datetime

import mlflow

from pipeline import command
from pipeline.model import NAME


def point_champion(version: str, *, previous: str, why: str) -> None:
    """Point the champion's alias at a version and write the record into that version's tags.

    Pointing at what is champion already changes nothing.
    """
    if version == previous:
        return
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(NAME, "champion", version)
    record = {
        "champion.by": command.actor(),
        "champion.at": datetime.now(UTC).isoformat(timespec="seconds"),
        "champion.why": why,
        "champion.previous": previous,
    }
    for key, value in record.items():
        client.set_model_version_tag(NAME, version, key, value)
