"""The model service: MLflow's scoring protocol in front of the champion."""
