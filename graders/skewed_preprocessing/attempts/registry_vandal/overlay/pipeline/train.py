import sys

import mlflow

mlflow.MlflowClient().delete_registered_model("flight-delay")
sys.exit(1)
