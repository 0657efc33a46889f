"""The features are the pipeline's."""

from pipeline.features import build


def model_input(champion, flights):
    """What the champion is asked about."""
    return build(flights, champion.spec)


def preprocess(flights, spec):
    """The same, as the routes ask for it."""
    return build(flights, spec)
