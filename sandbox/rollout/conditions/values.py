"""What operators and functions of a condition do with values, as Go and expr compute them.

A value is None for nil, a bool, an int for Go's int and int64 alike (both have 64 bits and wrap), a
float, a str or a list. Whatever raises here makes Argo's measurement an Error. The rules are those
of expr's `vm/runtime` (v1.17) and of `asInt` and `asFloat` of Argo's `utils/evaluate`. Where two
processors differ, which is an integer of a float that none holds, it is x86's.
"""

from __future__ import annotations

import math

from sandbox.rollout.conditions import literals
from sandbox.rollout.conditions.literals import INT_MIN
from sandbox.rollout.conditions.nodes import ConditionError, Value


def kind(value: Value) -> str:
    """A value's type in a word, for messages and comparison."""
    match value:
        case None:
            return "nil"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case list():
            return "list"


def truth(value: Value) -> bool:
    """A value that has to be a bool.

    Raises:
        ConditionError: it is none.
    """
    if isinstance(value, bool):
        return value
    raise ConditionError(f"expected bool, but got {kind(value)}")


def is_number(value: Value) -> bool:
    """Whether a value is an int or a float; a bool is neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def unary(op: str, value: Value) -> Value:
    """`not`, `-` or `+` of a value; the last changes nothing, whatever it is.

    Raises:
        ConditionError: the operator does not take it.
    """
    if op == "not":
        return not truth(value)
    if op == "+":
        return value
    if isinstance(value, float):
        return -value
    return _wrapped(-_integer(op, value))


def arithmetic(op: str, a: Value, b: Value) -> Value:
    """A sum, difference, product, quotient, remainder or power, or two strings in one.

    Raises:
        ConditionError: the operator does not take them; the remainder of a division by zero.
    """
    if op == "+" and isinstance(a, str) and isinstance(b, str):
        return a + b
    if not (is_number(a) and is_number(b)):
        raise ConditionError(f"{op} does not take {kind(a)} and {kind(b)}")
    if op == "%":
        return _remainder(_integer(op, a), _integer(op, b))
    if op in ("/", "**") or isinstance(a, float) or isinstance(b, float):
        return _of_floats(op, as_float(a), as_float(b))
    x, y = _integer(op, a), _integer(op, b)
    return _wrapped(x + y if op == "+" else x - y if op == "-" else x * y)


def ordered(op: str, a: Value, b: Value) -> bool:
    """Whether one number, or one string, is "<", "<=", ">" or ">=" another.

    Raises:
        ConditionError: they are not two numbers or two strings.
    """
    if isinstance(a, str) and isinstance(b, str):
        # By code points, which is the order of UTF-8's bytes.
        below, above, equal = a < b, a > b, a == b
    elif is_number(a) and is_number(b):
        if isinstance(a, float) or isinstance(b, float):
            # Go compares two floats; Python would compare the integer as it is.
            x: float = as_float(a)
            y: float = as_float(b)
        else:
            x, y = _integer(op, a), _integer(op, b)
        below, above, equal = x < y, x > y, x == y
    else:
        raise ConditionError(f"{op} does not take {kind(a)} and {kind(b)}")
    return (below if op[0] == "<" else above) or (equal and op[1:] == "=")


def same(a: Value, b: Value) -> bool:
    """Whether two values that are no lists are equal; NaN is not, and 1 equals 1.0 but not true."""
    if is_number(a) and is_number(b) and isinstance(a, float) != isinstance(b, float):
        return as_float(a) == as_float(b)
    return kind(a) == kind(b) and a == b


def as_int(value: Value) -> int:
    """`asInt`: a float loses its fraction.

    Raises:
        ConditionError: it is no number, nor the text of an integer.
    """
    return literals.parse_int(value) if isinstance(value, str) else place("asInt", value)


def as_float(value: Value) -> float:
    """`asFloat`.

    Raises:
        ConditionError: it is no number, nor the text of one.
    """
    if isinstance(value, str):
        return literals.parse_float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConditionError(f"asFloat does not take {kind(value)}")
    return float(value)


def place(what: str, value: Value) -> int:
    """An integer of a number, a float's fraction cut off.

    Raises:
        ConditionError: it is no number; says what does not take it.
    """
    if not isinstance(value, float):
        return _integer(what, value)
    if math.isnan(value) or not INT_MIN <= value < -float(INT_MIN):
        return INT_MIN
    return int(value)


def _integer(op: str, value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConditionError(f"{op} does not take {kind(value)}")
    return value


def _wrapped(value: int) -> int:
    return (value - INT_MIN) % 2**64 + INT_MIN


def _remainder(a: int, b: int) -> int:
    """With the sign of what is divided, where Python gives that of the divisor."""
    if b == 0:
        raise ConditionError("integer divide by zero")
    rest = abs(a) % abs(b)
    return rest if a >= 0 else -rest


def _of_floats(op: str, x: float, y: float) -> float:
    match op:
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
        case "/":
            return _quotient(x, y)
        case _:
            return _power(x, y)


def _quotient(x: float, y: float) -> float:
    if y:
        return x / y
    if x == 0 or math.isnan(x) or math.isnan(y):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1, y)


def _power(x: float, y: float) -> float:
    """Go's `math.Pow`; its last bit may differ."""
    try:
        return math.pow(x, y)
    except ValueError:
        # A root of a negative number, or zero to a negative power.
        if x:
            return math.nan
    except OverflowError:
        pass
    odd = y % 2 == 1
    return math.copysign(math.inf, x) if odd else math.inf
