"""Make a version the champion, through the gate.

    python -m pipeline.promote --model models:/flight-delay/2 --why "..." [--data FILE]

Exit status: 0 promoted (or champion already), 1 the gate refused, 2 wrong usage.
Last line: {"version": "2", "previous": "1", "promoted": true, "reasons": []}
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mlflow

from pipeline import command
from pipeline.gate import refusals
from pipeline.model import CHAMPION, load
from pipeline.release import point_champion


def main() -> None:
    """Promote from the command line."""
    parser = argparse.ArgumentParser(description="Make a version the champion.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--why", required=True)
    parser.add_argument("--data", type=Path, default=Path("data/holdout.parquet"))
    arguments = parser.parse_args()
    command.require_registry()

    flights = command.read_flights(arguments.data)
    try:
        model, champion = load(arguments.model), load(CHAMPION)
    except mlflow.exceptions.MlflowException as error:
        command.finish(command.USAGE, error=f"expected {arguments.model} and a champion: {error}")
    reasons = [] if model.version == champion.version else refusals(model, champion, flights)[0]
    if reasons:
        command.finish(
            command.REFUSED,
            version=model.version,
            previous=champion.version,
            promoted=False,
            reasons=reasons,
        )
    point_champion(model.version, previous=champion.version, why=arguments.why)
    command.finish(
        command.DONE,
        version=model.version,
        previous=champion.version,
        promoted=model.version != champion.version,
        reasons=[],
    )


if __name__ == "__main__":
    main()
