"""The features are the pipeline's."""

from pipeline.features import build as preprocess

__all__ = ["preprocess"]
