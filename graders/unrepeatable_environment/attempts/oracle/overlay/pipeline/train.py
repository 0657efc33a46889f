"""Train the model and register it as a new version.

    python -m pipeline.train [--data data/training.parquet] [--alias NAME]

Exit status: 0 trained and registered, 2 the data cannot be used.
Last line: {"version": "2", "run_id": "...", "rows": 128997, "auc_held_out": 0.69}

A tenth of the flights is held out to measure the AUC.
"""

from __future__ import annotations

import argparse
import zlib
from dataclasses import asdict
from pathlib import Path

import lightgbm
import mlflow
import mlflow.lightgbm
import pandas as pd
from mlflow.models import infer_signature
from sklearn.metrics import roc_auc_score

from pipeline import command, features, feed, locked
from pipeline.estimator import PARAMETERS, TREES, train
from pipeline.model import NAME, Reference

HELD_OUT = 0.1


def split(flights: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flights to train on, and flights to measure on."""
    # A stable hash of the flight: no seed, no order and no clock has a part in it.
    number = flights["flight_id"].map(lambda text: zlib.crc32(text.encode()))
    held_out = number % 1000 < 1000 * HELD_OUT
    return flights[~held_out], flights[held_out]


def register(booster: lightgbm.Booster, spec: features.FeatureSpec, frame: pd.DataFrame) -> str:
    """Log the booster in a run and register it; returns the new version."""
    sample = frame.head(100)
    logged = mlflow.lightgbm.log_model(
        booster,
        name="model",
        registered_model_name=NAME,
        signature=infer_signature(sample, booster.predict(sample)),
        metadata={"features": spec.to_dict(), "reference": asdict(Reference.of(frame))},
        pip_requirements=locked.requirements(),
    )
    return str(logged.registered_model_version)


def main() -> None:
    """Train from a file of flights."""
    parser = argparse.ArgumentParser(description="Train the model and register it.")
    parser.add_argument("--data", type=Path, default=Path("data/training.parquet"))
    parser.add_argument("--alias", help="also point this alias at the new version")
    arguments = parser.parse_args()

    command.require_registry()
    flights = command.read_flights(arguments.data)
    if flights.empty or "late" not in flights:
        command.finish(command.USAGE, error=f"expected labelled flights in {arguments.data}")
    flights = feed.cleaned(flights)
    spec = features.fit(flights)
    seen, held_out = split(flights)
    frame = features.build(seen, spec)
    booster = train(frame, seen["late"], features.CATEGORICAL)
    predicted = booster.predict(features.build(held_out, spec))
    auc = roc_auc_score(held_out["late"], predicted)

    mlflow.set_experiment(NAME)
    with mlflow.start_run() as run:
        mlflow.log_params({"trees": TREES, "rows": len(seen), **PARAMETERS})
        mlflow.log_metric("auc_held_out", auc)
        version = register(booster, spec, frame)
    if arguments.alias:
        mlflow.MlflowClient().set_registered_model_alias(NAME, arguments.alias, version)
    command.finish(
        command.DONE,
        version=version,
        run_id=run.info.run_id,
        rows=len(seen),
        auc_held_out=round(auc, 4),
    )


if __name__ == "__main__":
    main()
