"""Readings of the weather, in the units that the airports send: US ones."""

import math

MISSING = frozenset({-9999})
NOTHING = math.nan


def reading(name, value):
    """What was read; NaN where nothing was."""
    return NOTHING if value in MISSING else value
