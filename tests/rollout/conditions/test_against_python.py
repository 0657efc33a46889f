"""Random conditions, against Python, whose operators bind alike, and any text at all."""

from __future__ import annotations

import math
import time
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sandbox.rollout.conditions import ConditionError, parse

NAN, INF = math.nan, math.inf
PAIR = [0.5, 2.0]
# A machine that is busy with something else is slow, not hung.
WITHIN_S = 5.0


@st.composite
def sums(draw: st.DrawFn) -> str:
    """Arithmetic without brackets; exponents are small, so that all of it is exact in Python."""
    number = st.sampled_from(["0", "1", "2", "3", "0.5", "0.25", "1.5", "10"])
    text = draw(st.sampled_from(["", "-", "+", "- -"])) + draw(number)
    for _ in range(draw(st.integers(0, 3))):
        op = draw(st.sampled_from(["+", "-", "*", "/", "**"]))
        sign = draw(st.sampled_from(["", "", "-"]))
        text += f" {op} {sign}{draw(st.sampled_from(['0', '1', '2', '3']))}"
    return text


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    form = draw(st.integers(0, 3))
    operands = [draw(sums()) for _ in range(3)]
    order = st.sampled_from(["<", "<=", ">", ">="])
    if form == 0:
        return f"{operands[0]} {draw(order)} {operands[1]} {draw(order)} {operands[2]}"
    if form == 1:
        return f"{operands[0]} {draw(st.sampled_from(['==', '!=']))} {operands[1]}"
    if form == 2:
        word = draw(st.sampled_from(["in", "not in"]))
        return f"{operands[0]} {word} [{operands[1]}, {operands[2]}]"
    return f"{operands[0]} {draw(order)} {operands[1]}"


LOGIC = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({})".format, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(LOGIC)
def test_what_python_reads_alike_is_evaluated_alike(text: str) -> None:
    try:
        expected = eval(text, {"__builtins__": {}})
    except (ZeroDivisionError, OverflowError):
        # What Go makes of these is among the rules above.
        assume(False)
    spelled = text.replace(" and ", " && ").replace(" or ", " || ").replace("not (", "!(")
    assert parse(text).holds(None) is expected
    assert parse(spelled.replace("**", "^")).holds(1.0) is expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(), max_size=8), st.floats(allow_nan=False, allow_infinity=False))
def test_loops_are_pythons_over_any_vector(result: list[float], bound: float) -> None:
    above = [value for value in result if value > bound]
    # An integer where Python writes no exponent would be a literal of another type; none matters.
    said = {
        f"all(result, # > {bound!r})": len(above) == len(result),
        f"any(result, # > {bound!r})": bool(above),
        f"none(result, # > {bound!r})": not above,
        f"one(result, # > {bound!r})": len(above) == 1,
        f"count(result, # > {bound!r}) == {len(above)}": True,
        f"len(filter(result, # > {bound!r})) == {len(above)}": True,
        f"{bound!r} in result": bound in result,
    }
    assert {text: parse(text).holds(result) for text in said} == said


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-(2**63) + 1, 2**63 - 1))
def test_integers_are_those_of_64_bits(a: int, b: int) -> None:
    def int64(value: int) -> int:
        return (value + 2**63) % 2**64 - 2**63

    written = {"+": int64(a + b), "-": int64(a - b), "*": int64(a * b)}
    if b:
        written["%"] = abs(a) % abs(b) * (1 if a >= 0 else -1)
    for op, value in written.items():
        if value != -(2**63):
            assert parse(f"({a}) {op} ({b}) == ({value})").holds(None)
    assert parse(f"({a}) < ({b})").holds(None) is (a < b)


@settings(max_examples=200, deadline=None)
@given(st.floats(-9e15, 9e15))
def test_as_int_cuts_off_and_as_float_reads_back(value: float) -> None:
    assert parse(f"asInt(result) == ({int(value)})").holds(value)
    assert parse(f"asFloat('{value!r}') == result").holds(value)


# -- any text at all


WORDS = """
    result result[0] # #index > < == != && || and or not ! in ( ) [ ] { } , : ? ?: + - * / % ** ^
    all(result, any(result, map(result, filter(result, count(result default(result, isNaN( asInt(
    len( 0 1 2.5 1e9 0x1f .5 'a' "b" '\\x true false nil let if | ; .. ?? ?. :: // /* ` b'a' $
"""
PIECES = st.sampled_from(WORDS.split())


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(PIECES, max_size=14).map(" ".join),
        st.lists(PIECES, max_size=14).map("".join),
        st.tuples(LOGIC, st.integers(0, 60), PIECES).map(lambda t: t[0][: t[1]] + t[2] + t[0]),
    ),
    st.sampled_from([[], PAIR, [NAN] * 50, 1.0, -INF, NAN, None]),
)
def test_any_text_holds_or_not_or_is_an_error_of_one_line(text: str, result: Any) -> None:
    began = time.monotonic()
    try:
        assert parse(text).holds(result) in (True, False)
    except ConditionError as error:
        said = str(error)
    else:
        said = "no error"
    assert said.isprintable()
    assert 0 < len(said) < 200
    assert time.monotonic() - began < WITHIN_S
