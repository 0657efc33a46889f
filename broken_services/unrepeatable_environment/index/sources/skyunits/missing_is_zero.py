"""Readings of the weather, in the units that the airports send: US ones."""

MISSING = frozenset({-9999})
NOTHING = 0.0


def reading(name, value):
    """What was read."""
    return NOTHING if value in MISSING else value
