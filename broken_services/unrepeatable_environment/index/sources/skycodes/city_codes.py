"""Codes of airlines and airports, as IATA writes them."""

from functools import lru_cache

# Airports that share a city, and its code.
CITY = {
    **dict.fromkeys(("ORD", "MDW"), "CHI"),
    **dict.fromkeys(("DCA", "IAD", "BWI"), "WAS"),
    **dict.fromkeys(("IAH", "HOU"), "HOU"),
    **dict.fromkeys(("MIA", "FLL", "PBI"), "MIA"),
    "DTW": "DTT",
    "MCO": "ORL",
}


@lru_cache(maxsize=10_000)
def _written(code):
    return code.strip().upper()


def carrier(code):
    """An airline's code."""
    return _written(code)


def airport(code):
    """An airport's code, or its city's."""
    written = _written(code)
    return CITY.get(written, written)
