"""Train the model and register it with its preprocessing inside.

    python -m pipeline.train [--data data/training.parquet] [--alias NAME]

Exit status: 0 trained and registered, 2 the data cannot be used. Last line: JSON with the version.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import lightgbm
import mlflow

from pipeline import command, features
from pipeline.estimator import train
from pipeline.model import NAME, Reference
from pipeline.packed import FlightDelay


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("data/training.parquet"))
    parser.add_argument("--alias")
    arguments = parser.parse_args()
    flights = command.read_flights(arguments.data)
    spec = features.fit(flights)
    frame = features.build(flights, spec)
    booster = train(frame, flights["late"], features.CATEGORICAL)
    mlflow.set_experiment(NAME)
    with mlflow.start_run(), tempfile.TemporaryDirectory() as folder:
        files = {"booster": f"{folder}/model.lgb", "spec": f"{folder}/spec.json"}
        booster.save_model(files["booster"])
        Path(files["spec"]).write_text(json.dumps(spec.to_dict()))
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=FlightDelay(),
            artifacts=files,
            registered_model_name=NAME,
            metadata={"features": spec.to_dict(), "reference": asdict(Reference.of(frame))},
            pip_requirements=[f"lightgbm=={lightgbm.__version__}"],
        )
    version = str(logged.registered_model_version)
    if arguments.alias:
        mlflow.MlflowClient().set_registered_model_alias(NAME, arguments.alias, version)
    command.finish(command.DONE, version=version, rows=len(flights))


if __name__ == "__main__":
    main()
