"""Codes of airlines and airports, as IATA writes them."""

from functools import lru_cache


@lru_cache(maxsize=10_000)
def _written(code):
    return code.strip().upper()


def carrier(code):
    """An airline's code."""
    return _written(code)


def airport(code):
    """An airport's code."""
    return _written(code)
