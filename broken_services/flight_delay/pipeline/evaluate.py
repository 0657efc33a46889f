"""Evaluate one version on labelled flights.

    python -m pipeline.evaluate [--model models:/flight-delay@champion] [--data FILE]

Exit status: 0 evaluated, 2 the model or the data cannot be read.
Last line: {"version": "1", "rows": 32000, "auc": 0.69, "brier": 0.16, "mean_prediction": 0.25, ...}
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score

from pipeline import command, features
from pipeline.model import CHAMPION, Model, load


def evaluate(model: Model, flights: pd.DataFrame) -> dict[str, float]:
    """Quality of a model on labelled flights, overall and on its worst airport.

    AUC is NaN-free only where both classes occur; airports with one class are left out.
    """
    late = flights["late"].to_numpy()
    predictions = model.predict(features.build(flights, model.spec))
    airports = {
        origin: float(roc_auc_score(late[rows], predictions[rows]))
        for origin, rows in flights.groupby("origin").indices.items()
        if len(np.unique(late[rows])) > 1
    }
    return {
        "rows": len(flights),
        "auc": float(roc_auc_score(late, predictions)),
        "auc_worst_airport": min(airports.values(), default=float("nan")),
        "brier": float(brier_score_loss(late, predictions)),
        "mean_prediction": float(predictions.mean()),
        "late_rate": float(late.mean()),
    }


def main() -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description="Evaluate one version on labelled flights.")
    parser.add_argument("--model", default=CHAMPION)
    parser.add_argument("--data", type=Path, default=Path("data/holdout.parquet"))
    arguments = parser.parse_args()
    command.require_registry()

    flights = command.read_flights(arguments.data)
    try:
        model = load(arguments.model)
    except mlflow.exceptions.MlflowException as error:
        command.finish(command.USAGE, error=f"expected {arguments.model}; saw {error}")
    command.finish(command.DONE, version=model.version, **evaluate(model, flights))


if __name__ == "__main__":
    main()
