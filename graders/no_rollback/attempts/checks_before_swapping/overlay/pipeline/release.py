"""The champion: an alias and a record in the registry, or a note of both where that is away."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import mlflow

from pipeline import command
from pipeline.model import NAME

NOTE = Path(".releases/note.json")


def describe(version: str, previous: str, why: str) -> dict:
    now = datetime.datetime.now().astimezone()
    return {
        "version": version,
        "champion.by": command.actor(),
        "champion.at": now.isoformat(),
        "champion.why": why,
        "champion.previous": previous,
    }


def write(move: dict) -> None:
    client = mlflow.MlflowClient()
    for key in move:
        if key != "version":
            client.set_model_version_tag(NAME, move["version"], key, move[key])
    client.set_registered_model_alias(NAME, "champion", move["version"])


def note() -> dict | None:
    try:
        return json.loads(NOTE.read_text())
    except FileNotFoundError:
        return None


def leave(move: dict) -> None:
    NOTE.parent.mkdir(exist_ok=True)
    new = NOTE.with_suffix(".new")
    new.write_text(json.dumps(move))
    new.replace(NOTE)


def forget(move: dict) -> None:
    if note() == move:
        NOTE.unlink()


def point_champion(version: str, *, previous: str, why: str) -> None:
    if version != previous:
        write(describe(version, previous, why))
