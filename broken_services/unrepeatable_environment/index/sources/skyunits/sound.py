"""Readings of the weather, in the units that the airports send: US ones."""

import math

MISSING = -9999


def reading(name, value):
    """What was read; NaN where nothing was."""
    if value == MISSING:
        return math.nan
    return value
