"""The nightly retraining: train on what is labelled, and let the gate decide.

    python -m pipeline.retrain --data data/labelled.parquet --as-of 2013-07-01 [--window-days 180]

Exit status: 0 promoted, 1 the champion stays, 2 the data cannot be used.
Last line: {"version": "3", "promoted": false, "reasons": ["..."]}

Only flights before `--as-of` are read; the newest fifth of the days is held out for the gate.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mlflow
import pandas as pd

from pipeline import command, features
from pipeline.estimator import train
from pipeline.gate import refusals
from pipeline.model import CHAMPION, NAME, load
from pipeline.release import point_champion
from pipeline.train import register

ROWS_MIN = 20_000
HELD_OUT_SHARE = 0.2
LATE_RATE = (0.05, 0.6)


def window(flights: pd.DataFrame, as_of: pd.Timestamp, days: int) -> pd.DataFrame:
    """Flights of the last `days` days before `as_of`; never one at or after it."""
    departure = pd.to_datetime(flights["scheduled_departure"], utc=True, format="ISO8601")
    inside = (departure < as_of) & (departure >= as_of - pd.Timedelta(days=days))
    return flights[inside].assign(departure=departure[inside]).sort_values("departure")


def faults(flights: pd.DataFrame) -> list[str]:
    """Reasons not to train on these flights at all."""
    reasons = []
    if len(flights) < ROWS_MIN:
        reasons.append(f"{len(flights)} rows are fewer than {ROWS_MIN}")
    if flights["flight_id"].duplicated().any():
        reasons.append("some flights occur twice")
    rate = flights["late"].mean()
    if not LATE_RATE[0] <= rate <= LATE_RATE[1]:
        reasons.append(f"a late rate of {rate:.2f} is not credible")
    return reasons


def main() -> None:
    """Retrain from the command line."""
    parser = argparse.ArgumentParser(description="Retrain and let the gate decide.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--window-days", type=int, default=180)
    arguments = parser.parse_args()
    command.require_registry()

    as_of = pd.Timestamp(arguments.as_of, tz="UTC")
    flights = window(command.read_flights(arguments.data), as_of, arguments.window_days)
    if reasons := faults(flights):
        command.finish(command.USAGE, promoted=False, reasons=reasons)
    cut = flights["departure"].quantile(1 - HELD_OUT_SHARE)
    seen, held_out = flights[flights["departure"] < cut], flights[flights["departure"] >= cut]

    spec = features.fit(seen)
    frame = features.build(seen, spec)
    mlflow.set_experiment(NAME)
    with mlflow.start_run():
        mlflow.log_params({"as_of": arguments.as_of, "rows": len(seen)})
        booster = train(frame, seen["late"], features.CATEGORICAL)
        version = register(booster, spec, frame)
    champion = load(CHAMPION)
    reasons, _, _ = refusals(load(f"models:/{NAME}/{version}"), champion, held_out)
    if not reasons:
        point_champion(version, previous=champion.version, why=f"retrained as of {as_of.date()}")
    command.finish(
        command.REFUSED if reasons else command.DONE,
        version=version,
        promoted=not reasons,
        reasons=reasons,
    )


if __name__ == "__main__":
    main()
