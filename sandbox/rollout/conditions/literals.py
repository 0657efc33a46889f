"""Numbers and strings out of text, as expr's parser and Go's `strconv` read them."""

from __future__ import annotations

import math
import re
import sys

from sandbox.rollout.conditions.nodes import ConditionError

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
_SHOWN = 40
_SURROGATES = range(0xD800, 0xE000)

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_SPECIAL = re.compile(r"[+-]?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_SIGNED_NAN = re.compile(r"[+-]nan", re.ASCII | re.IGNORECASE)
# Underscores stand between digits, or behind the 0x.
_DECIMAL = re.compile(
    r"[+-]?(?=\.?[0-9])(?:[0-9]+(?:_[0-9]+)*)?(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?(?:e[+-]?[0-9]+(?:_[0-9]+)*)?",
    re.ASCII | re.IGNORECASE,
)
_HEXADECIMAL = re.compile(
    r"[+-]?0x(?=_?\.?[0-9a-f])(?:_?[0-9a-f]+(?:_[0-9a-f]+)*)?(?:\.(?:[0-9a-f]+(?:_[0-9a-f]+)*)?)?"
    r"p[+-]?[0-9]+(?:_[0-9]+)*",
    re.ASCII | re.IGNORECASE,
)
_ESCAPE = re.compile(
    r"\\(?:([0-3][0-7]{2})|(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}"
    r"|U([0-9a-fA-F]{8}))|(.))",
    re.DOTALL,
)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def number(text: str) -> int | float:
    """A number of a condition; with a point or an exponent a float, and otherwise an int64.

    Raises:
        ConditionError: it is none, or does not fit.
    """
    digits = text.replace("_", "").lower()
    try:
        if digits[:2] in ("0x", "0o", "0b"):
            value: int | float = int(digits, 0)
        elif "." in digits or "e" in digits:
            value = float(digits)
        else:
            value = int(digits)
    except ValueError:
        raise ConditionError(f"{text[:_SHOWN]} is no number") from None
    if value == math.inf or (isinstance(value, int) and value > INT_MAX):
        raise ConditionError(f"the number {text[:_SHOWN]} is too large")
    return value


def string(text: str) -> str:
    """A string of a condition, with its quotes; all escapes are Go's, and none else.

    Raises:
        ConditionError: an escape that there is not.
    """

    def plain(match: re.Match[str]) -> str:
        octal, *hexadecimal, letter = match.groups()
        if letter in ("\\", text[0]):
            return str(letter)
        if letter is not None:
            if letter not in _CONTROLS:
                raise ConditionError(f"a string has no escape {ascii(letter)[1:-1]}")
            return _CONTROLS[letter]
        code = int(octal, 8) if octal else int("".join(filter(None, hexadecimal)), 16)
        if code > sys.maxunicode:
            raise ConditionError("a string has a character beyond Unicode")
        # Half of a surrogate pair is no character: Go puts this one in its place.
        return "\ufffd" if code in _SURROGATES else chr(code)

    return _ESCAPE.sub(plain, text[1:-1].replace("\r", "\n"))


def parse_int(text: str) -> int:
    """What `strconv.ParseInt(text, 10, 64)` gives.

    Raises:
        ConditionError: it is no int64.
    """
    try:
        value = int(text) if _INTEGER.fullmatch(text) else None
    except ValueError:
        # Python reads no integer of thousands of digits.
        value = None
    if value is None or not INT_MIN <= value <= INT_MAX:
        raise ConditionError(f"asInt of {ascii(text)[:_SHOWN]}")
    return value


def parse_float(text: str) -> float:
    """What `strconv.ParseFloat(text, 64)` gives.

    Raises:
        ConditionError: it is no number, or beyond the largest.
    """
    try:
        if _SPECIAL.fullmatch(text) and not _SIGNED_NAN.fullmatch(text):
            return float(text)
        if _DECIMAL.fullmatch(text):
            value = float(text)
        elif _HEXADECIMAL.fullmatch(text):
            value = float.fromhex(text.replace("_", ""))
        else:
            value = math.inf
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise ConditionError(f"asFloat of {ascii(text)[:_SHOWN]}")
    return value
