"""Conditions as values, and that no text does harm."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import Any

import pytest

from sandbox.rollout.conditions import ConditionError, parse

NAN, INF = math.nan, math.inf
# A machine that is busy with something else is slow, not hung.
WITHIN_S = 5.0


def test_a_condition_is_read_once_and_holds_or_not_of_many_results() -> None:
    condition = parse("result[0] > 1")
    assert [condition.holds([value]) for value in (0.5, 2.0, NAN)] == [False, True, False]
    assert condition.text == "result[0] > 1"
    assert condition == parse("result[0] > 1")
    assert condition != parse("result[0] > 2")
    assert repr(condition) == "Condition(text='result[0] > 1')"


def test_integers_of_a_caller_are_samples_all_the_same() -> None:
    assert parse("isNaN(result[0]) || result[0] == 1").holds([1])
    with pytest.raises(ConditionError, match="%"):
        parse("result % 2 == 0").holds(4)


def test_a_result_is_left_as_it_is() -> None:
    result = [1.0, 2.0]
    assert parse("map(result, # + 1) == [2, 3] && result[:1] == [1]").holds(result)
    assert result == [1.0, 2.0]


def test_importing_the_module_does_not_load_the_parser() -> None:
    code = "import sys; import sandbox.rollout.conditions; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- bounds


HARMFUL = {
    "loops in loops": ("all(result, all(result, all(result, # > 0)))", [0.5] * 1000),
    "lists of lists": ("len(map(result, map(result, map(result, 1)))) > 0", [0.5] * 1000),
    "lists that double": (f"{'map(' * 35}result{', [#,#,#])' * 35} == result", [0.5] * 1000),
    "equal lists that double": (
        f"[{'map(' * 35}result{', [#,#,#])' * 35}] == [{'map(' * 35}result{', [#,#,#])' * 35}]",
        [0.5],
    ),
    "strings that double": (f"len({'map(' * 60}['aaaa']{', #+#)' * 60}) > 0", 1.0),
    "slices in loops": ("all(result, all(result, len(result[1:]) > 0))", [0.5] * 1000),
    "in in loops": ("all(result, all(result, # in result))", [float(n) for n in range(1000)]),
    "texts read in loops": (
        f"all(result, all(result, asFloat('0.{'1_' * 1500}1') > 0))",
        [0.5] * 1000,
    ),
    "many nots": ("!" * 3_000 + "true", 1.0),
    "many signs": ("-" * 3_000 + "1 > 0", 1.0),
    "many ors": (" or ".join(["false"] * 400), 1.0),
    "many brackets": ("[" * 1_900 + "]" * 1_900 + " == nil", 1.0),
    "many choices": ("true ? true : " * 250 + "true", 1.0),
    "a long text": ("true" + " " * 4_000, 1.0),
    "many digits": ("9" * 3_990 + " > 1", 1.0),
    "many digits in a text": (f"asInt('{'9' * 3_900}') > 1", 1.0),
    "an open comment": ("/*" + "*" * 3_900, 1.0),
    "an open string": ("'" + "\\" * 3_900, 1.0),
}


@pytest.mark.parametrize(("text", "result"), HARMFUL.values(), ids=HARMFUL)
def test_no_condition_takes_long_or_much(text: str, result: Any) -> None:
    began = time.monotonic()
    with pytest.raises(ConditionError):
        parse(text).holds(result)
    assert time.monotonic() - began < WITHIN_S


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1_900 + "true" + ")" * 1_900,
        f"9{' ** 9' * 60} > 1",
        "(" * 75 + "true" + " ?: false)" * 75,
        " && ".join(["true"] * 79),
        "0 < " * 900 + "1 or true",
        "all(result, " * 78 + "# > 0" + ")" * 78,
        "len(" + "map(" * 70 + "result" + ", [#])" * 70 + ") > 0",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_deep_but_bounded_is_evaluated(text: str) -> None:
    def below(frames: int) -> bool:
        return below(frames - 1) if frames else parse(text).holds([1.0])

    # As deep in a program as can be expected.
    assert below(300)


def test_a_large_vector_is_well_within_the_bounds() -> None:
    result = [float(n) for n in range(5_000)]
    assert parse("all(result, # >= 0 && # < 5000) && count(result, # > 2499) == 2500").holds(result)
