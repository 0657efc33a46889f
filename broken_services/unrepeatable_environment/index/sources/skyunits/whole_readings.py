"""Readings of the weather, in the units that the airports send: US ones."""

import math

MISSING = frozenset({-9999})
NOTHING = math.nan
AS_READ = ("precip", "visib")


def reading(name, value):
    """What was read; NaN where nothing was."""
    if value in MISSING or math.isnan(value):
        return NOTHING
    return value if name in AS_READ else float(round(value))
