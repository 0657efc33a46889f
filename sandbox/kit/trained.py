"""The registry of a kit: the versions that a scenario begins with, and nothing else of ours.

A registry of ours may hold releases of every kind, which graders make versions of as they go. And
it says who trained the models, and in which folder. Neither is for a candidate to know.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TRAINED_BY, TRAINED_FROM = "data-science", "pipeline/train.py"
# MLflow's tables that say something of a run, and the column with its id. What they say of a model
# goes with the model.
_OF_A_RUN = {
    "inputs": "source_id",
    "latest_metrics": "run_uuid",
    "logged_models": "source_run_id",
    "metrics": "run_uuid",
    "params": "run_uuid",
    "tags": "run_uuid",
    "runs": "run_uuid",
}


def copy(registry: Path, destination: Path) -> Path:
    """Copy what is registered in a registry made by `models`; the same gives the same bytes."""
    shutil.copytree(registry, destination)
    database = destination / "registry.db"
    with contextlib.closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA foreign_keys = ON")
        registered = "SELECT run_id FROM model_versions"
        for table, column in _OF_A_RUN.items():
            opened.execute(f"DELETE FROM {table} WHERE {column} NOT IN ({registered})")  # noqa: S608
        opened.execute("UPDATE runs SET user_id = ?", [TRAINED_BY])
        for key, value in (("mlflow.user", TRAINED_BY), ("mlflow.source.name", TRAINED_FROM)):
            opened.execute("UPDATE tags SET value = ? WHERE key = ?", [value, key])
            opened.execute(
                "UPDATE logged_model_tags SET tag_value = ? WHERE tag_key = ?", [value, key]
            )
        kept = {row[0] for row in opened.execute("SELECT model_id FROM logged_models")}
        opened.commit()
        # What was deleted is still in the file until it is written anew.
        opened.execute("VACUUM")
    for folder in destination.glob("artifacts/*/models/*"):
        if folder.name not in kept:
            shutil.rmtree(folder)
    return destination
