"""Train the model and register it as a new version."""

import argparse
import json

import mlflow

NAME = "flight-delay"

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--alias")
parser.parse_args()
mlflow.set_experiment(NAME)
champion = mlflow.lightgbm.load_model(f"models:/{NAME}@champion")
info = mlflow.models.get_model_info(f"models:/{NAME}@champion")
with mlflow.start_run() as run:
    logged = mlflow.lightgbm.log_model(
        champion,
        name="model",
        registered_model_name=NAME,
        signature=info.signature,
        metadata=info.metadata,
        pip_requirements=["lightgbm==" + __import__("lightgbm").__version__],
    )
print(json.dumps({"version": str(logged.registered_model_version), "run_id": run.info.run_id}))
