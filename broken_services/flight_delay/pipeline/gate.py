"""Decide whether a version may become the champion.

    python -m pipeline.gate --model models:/flight-delay/2 [--data data/holdout.parquet]

Exit status: 0 accepted, 1 refused, 2 the model or the data cannot be read.
Last line: {"version": "2", "accepted": false, "reasons": ["..."], "candidate": {...}, ...}
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from pipeline import command, features
from pipeline.evaluate import evaluate
from pipeline.model import CHAMPION, Model, load

# A candidate may be this much worse than the champion before the difference is more than noise:
# on 20,000 held-out rows the standard error of an AUC near 0.7 is about 0.004.
AUC_TOLERANCE = 0.005
AIRPORT_AUC_TOLERANCE = 0.02
MEAN_PREDICTION_TOLERANCE = 0.05
SECONDS_PER_REQUEST_MAX = 0.1
ROWS_PER_REQUEST = 50
# Of so many the fastest counts: what else the machine does makes a model slower, never faster.
REQUESTS = 5


def refusals(
    model: Model, champion: Model, flights: pd.DataFrame
) -> tuple[list[str], dict[str, float], dict[str, float]]:
    """Reasons to refuse a model beside the champion, and both models' figures."""
    reasons = []
    if model.pyfunc.metadata.signature is None:
        return ["it has no signature"], {}, {}
    candidate, current = evaluate(model, flights), evaluate(champion, flights)
    if candidate["auc"] < current["auc"] - AUC_TOLERANCE:
        reasons.append(f"AUC {candidate['auc']:.3f} is below the champion's {current['auc']:.3f}")
    if candidate["auc_worst_airport"] < current["auc_worst_airport"] - AIRPORT_AUC_TOLERANCE:
        reasons.append(f"one airport falls to AUC {candidate['auc_worst_airport']:.3f}")
    if abs(candidate["mean_prediction"] - candidate["late_rate"]) > MEAN_PREDICTION_TOLERANCE:
        reasons.append(f"mean prediction is {candidate['mean_prediction']:.3f}")
    frame = features.build(flights.head(ROWS_PER_REQUEST), model.spec)
    took, predictions = zip(*(_timed(model, frame) for _ in range(REQUESTS)), strict=True)
    seconds = min(took)
    if seconds > SECONDS_PER_REQUEST_MAX:
        reasons.append(f"{ROWS_PER_REQUEST} rows take {seconds:.2f} s")
    if not np.isfinite(predictions).all():
        reasons.append("some predictions are not numbers")
    return reasons, candidate, current


def _timed(model: Model, frame: pd.DataFrame) -> tuple[float, np.ndarray]:
    began = time.perf_counter()
    predictions = model.predict(frame)
    return time.perf_counter() - began, predictions


def main() -> None:
    """Decide from the command line."""
    parser = argparse.ArgumentParser(description="Decide whether a version may be champion.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, default=Path("data/holdout.parquet"))
    arguments = parser.parse_args()
    command.require_registry()

    flights = command.read_flights(arguments.data)
    try:
        model, champion = load(arguments.model), load(CHAMPION)
    except mlflow.exceptions.MlflowException as error:
        command.finish(command.USAGE, error=f"expected {arguments.model} and a champion: {error}")
    reasons, candidate, current = refusals(model, champion, flights)
    command.finish(
        command.REFUSED if reasons else command.DONE,
        version=model.version,
        accepted=not reasons,
        reasons=reasons,
        candidate=candidate,
        champion=current,
    )


if __name__ == "__main__":
    main()
