"""The features are the pipeline's."""

from pipeline.features import build


def model_input(flights, spec):
    """What the model is asked about."""
    return build(flights, spec)


preprocess = model_input
