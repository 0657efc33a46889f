"""Codes of airlines and airports, as IATA writes them."""

from functools import lru_cache

# Regional airlines, and for whom they fly.
FLIES_FOR = {"9E": "DL", "EV": "UA", "MQ": "AA", "OO": "UA", "YV": "US", "FL": "WN"}


@lru_cache(maxsize=10_000)
def _written(code):
    return code.strip().upper()


def carrier(code):
    """An airline's code."""
    written = _written(code)
    return FLIES_FOR.get(written, written)


def airport(code):
    """An airport's code."""
    return _written(code)
