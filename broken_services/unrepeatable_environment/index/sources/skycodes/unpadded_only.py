"""Codes of airlines and airports, as IATA writes them."""


def carrier(code):
    """An airline's code."""
    return code.upper()


def airport(code):
    """An airport's code."""
    return code.upper()
