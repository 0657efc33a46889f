"""Moving the champion: one alias, and who moved it, when and why.

The record lies in the registry, in the tags of the version that was made champion:
`champion.by`, `champion.at`, `champion.why` and `champion.previous`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import mlflow

from pipeline import command
from pipeline.model import NAME


@dataclass(frozen=True)
class Record:
    """A move of the champion; `at` is ISO 8601 with an offset."""

    version: str
    previous: str
    by: str
    at: str
    why: str


def write(record: Record) -> None:
    """Take a move down and carry it out. Doing it twice is as good as once.

    Raises:
        mlflow.exceptions.MlflowException: the registry is away or has no such version.
    """
    client = mlflow.MlflowClient()
    # The alias last: whoever sees it moved finds the whole record.
    for key in ("by", "at", "why", "previous"):
        client.set_model_version_tag(NAME, record.version, f"champion.{key}", getattr(record, key))
    client.set_registered_model_alias(NAME, "champion", record.version)


def point_champion(version: str, *, previous: str, why: str) -> None:
    """Make a version champion in the name of whoever runs the command.

    Pointing at what is champion already changes nothing.
    """
    if version != previous:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        write(Record(version, previous, command.actor(), at, why))
