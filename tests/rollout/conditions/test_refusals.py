"""What is refused by name, and what cannot be read or evaluated."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.rollout.conditions import ConditionError, UnsupportedError, parse

PAIR = [0.5, 2.0]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("result | all(# > 1)", "a pipe (|)"),
        ("let x = result; x > 1", "the word let"),
        ("1; true", "a sequence (;)"),
        ("if true { true } else { false }", "the word if"),
        ("result ?? 1 > 0", "a fallback for nil (??)"),
        ("result?.x > 0", "optional chaining (?.)"),
        ("result.x > 0", "a field (.)"),
        ("result .x > 0", "a field (.)"),
        ("1 in 1..3", "a range (..)"),
        ("1 in 1 .. 3", "a range (..)"),
        ("::len(result) > 0", "a builtin called by (::)"),
        ("'a' matches 'a'", "the word matches"),
        ("'a' not contains 'a'", "the word contains"),
        ("'a' startsWith 'a'", "the word startsWith"),
        ("'a' endsWith 'a'", "the word endsWith"),
        ("{'a': 1} == nil", "a map ({})"),
        ("len({}) == 0", "a map ({})"),
        ("all({}, true)", "a map ({})"),
        ("len({a: 1, 'b': 2, (result): 3,}) == 3", "a map ({})"),
        ("any(result, {x: 1})", "a map ({})"),
        ("`a` == 'a'", "a string in backticks"),
        ("b'a' == nil", "a string of bytes (b)"),
        ("sum(result) > 1", "the function sum"),
        ("max(result) > 1", "the function max"),
        ("abs(result[0]) > 1", "the function abs"),
        ("any(map(result, #index), # > 0)", "#index"),
        ("all(result, #acc > 0)", "#acc"),
        ("$env == nil", "$env"),
        ("isNaN == nil", "isNaN without arguments"),
        ("len == nil", "len without arguments"),
        ("'abc'[0:1] == 'a'", "a slice of a string"),
    ],
)
def test_the_rest_of_expr_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        parse(text).holds(PAIR)
    assert str(raised.value) == f"{named} is not supported here"


@pytest.mark.parametrize("text", ["letter > 1", "containsx > 1", "ifs", "note > 1", "infinite"])
def test_a_name_that_begins_like_a_word_is_a_name(text: str) -> None:
    with pytest.raises(ConditionError, match="unknown name"):
        parse(text)


def test_a_string_or_a_comment_holds_anything() -> None:
    assert parse("'a | let {} .. ??' != \"; b'x' //\" // | let ??").holds(1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("result[0] = 1", "unexpected '=' at character 11"),
        ("result > 1 & true", "unexpected '&' at character 12"),
        ("result >> 1", "unexpected '>' at character 9"),
        ("result 1", "unexpected '1' at character 8"),
        ("result > 'é", 'unexpected "\'" at character 10'),
        ("\u00e9 > 1", "unexpected '\\xe9' at character 1"),
        ("result >", "the condition ends too early"),
        ("resutl[0] > 1", "unknown name resutl"),
        ("all(result)", "all takes a list and a predicate"),
        ("default(result)", "default takes 2 and has 1"),
        ("# > 1", "# stands for an element, and is outside of any loop"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "result", "message"),
    [
        ("result[3] > 1", PAIR, "index out of range: 3 (the list has 2)"),
        ("result > 1", PAIR, "> does not take []float64 and int"),
        ("result > 1", None, "> does not take nil and int"),
        ("result", 1.0, "expected bool, but got float64"),
        ("not result[0] > 1", PAIR, "not does not take float64"),
        ("asFloat('x') > 1", 1.0, "asFloat of 'x'"),
    ],
)
def test_what_cannot_be_evaluated_is_said(text: str, result: Any, message: str) -> None:
    condition = parse(text)
    with pytest.raises(ConditionError) as raised:
        condition.holds(result)
    assert str(raised.value) == message
