"""What the releases are made of: `make` trains and logs them, the other modules travel inside.

A release that misbehaves by code is an MLflow model "from code": its module is copied into the
model, alone, and loaded from there. So each of these modules stands for itself.
"""
