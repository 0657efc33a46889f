from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import HarnessFault, UsageError
from sandbox.grading import check, guard
from sandbox.grading.checks import Check, Credit, Guard, NotEarned, declaration


def _declare(decorator, name="test_it"):
    def function(): ...

    function.__name__ = name
    function.__qualname__ = name
    return decorator(function)


class TestDeclarations:
    def test_a_check_carries_what_was_declared(self):
        function = _declare(check(points=12, competency="parity", runtimes=("docker",)))
        assert declaration(function) == Check(12, "parity", ("docker",))

    def test_a_guard_carries_what_was_declared(self):
        function = _declare(guard(of=("a", "b"), competency="service levels"))
        assert declaration(function) == Guard(("a", "b"), "service levels")

    def test_nothing_declared(self):
        assert declaration(len) is None

    def test_a_declaration_is_frozen(self):
        what = declaration(_declare(check(points=1, competency="parity")))
        with pytest.raises(FrozenInstanceError):
            what.points = 100  # type: ignore[union-attr, misc]

    def test_zero_points_are_allowed(self):
        assert _declare(check(points=0, competency="parity"))

    @pytest.mark.parametrize("points", [-1, math.nan, math.inf, "3", None, True])
    def test_points_that_are_none(self, points):
        with pytest.raises(UsageError, match="points"):
            check(points=points, competency="parity")

    @pytest.mark.parametrize("competency", ["", "  ", None])
    def test_no_competency(self, competency):
        with pytest.raises(UsageError, match="competency"):
            check(points=1, competency=competency)
        with pytest.raises(UsageError, match="competency"):
            guard(of=("a",), competency=competency)

    @pytest.mark.parametrize("names", ["process", (), [], ("",), ("a", "a"), (1,)])
    def test_names_that_are_no_tuple_of_different_names(self, names):
        with pytest.raises(UsageError, match="of as a tuple"):
            guard(of=names, competency="parity")
        with pytest.raises(UsageError, match="runtimes as a tuple"):
            check(points=1, competency="parity", runtimes=names)

    def test_a_runtime_that_does_not_exist(self):
        with pytest.raises(UsageError, match="dokcer"):
            check(points=1, competency="parity", runtimes=("dokcer",))

    def test_two_declarations_on_one_function(self):
        function = _declare(check(points=1, competency="parity"))
        with pytest.raises(UsageError, match="two on test_it"):
            guard(of=("a",), competency="parity")(function)

    @pytest.mark.parametrize("name", ["answers_in_time", "test_", "testing"])
    def test_a_name_that_pytest_would_pass_over(self, name):
        with pytest.raises(UsageError, match="begins with test_"):
            _declare(check(points=1, competency="parity"), name)

    def test_a_method(self):
        with pytest.raises(UsageError, match="plain function"):

            class Checks:
                @check(points=1, competency="parity")
                def test_it(self): ...

    def test_a_class(self):
        with pytest.raises(UsageError, match="plain function"):

            @check(points=1, competency="parity")
            class test_it:  # noqa: N801
                pass


class TestCredit:
    @pytest.mark.parametrize("share", [1, 1.0, True, np.True_, np.float64(1)])
    def test_everything(self, share):
        credit = Credit()
        credit.award(share, expected="e", seen="s", where="w")
        assert [award.share for award in credit.awards] == [1.0]

    @given(st.floats(min_value=0, max_value=1, exclude_min=True))
    def test_a_share(self, share):
        credit = Credit()
        credit.award(share, expected="e", seen="s", where="w")
        assert [award.share for award in credit.awards] == [share]

    @pytest.mark.parametrize("share", [0, 0.0, -0.0, False, np.False_])
    def test_nothing_fails_and_says_why(self, share):
        credit = Credit()
        with pytest.raises(NotEarned) as caught:
            credit.award(share, expected="e", seen="s", where="w")
        error = caught.value
        assert isinstance(error, AssertionError)
        assert (error.expected, error.seen, error.where) == ("e", "s", "w")
        assert str(error) == "expected e; saw s (w)"

    @given(st.floats().filter(lambda value: not 0 <= value <= 1))
    def test_no_share(self, share):
        credit = Credit()
        with pytest.raises(HarnessFault, match="a share from 0 to 1"):
            credit.award(share, expected="e", seen="s", where="w")
        assert credit.awards == ()

    @pytest.mark.parametrize("share", [None, "1", b"1", [1], "nan"])
    def test_not_even_a_number(self, share):
        with pytest.raises(HarnessFault, match="a share from 0 to 1"):
            Credit().award(share, expected="e", seen="s", where="w")

    def test_a_second_award(self):
        credit = Credit()
        credit.award(1, expected="e", seen="s", where="w")
        with pytest.raises(HarnessFault, match="a second one"):
            credit.award(0, expected="e", seen="s", where="w")
        assert len(credit.awards) == 2

    @pytest.mark.parametrize(
        "texts",
        [
            {"expected": ""},
            {"where": " "},
            {"expected": None},
            {"seen": None},
            {"where": 3},
        ],
    )
    def test_an_award_that_does_not_say(self, texts):
        with pytest.raises(HarnessFault):
            Credit().award(1, **({"expected": "e", "seen": "s", "where": "w"} | texts))

    def test_a_submission_may_have_said_nothing(self):
        credit = Credit()
        credit.award(1, expected="e", seen="", where="w")
        assert credit.awards[0].seen == ""


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("sandbox.grading", {"pytest", "_pytest", "numpy", "pydantic"}),
        ("sandbox.grading.runner", {"pandas", "numpy", "mlflow", "pydantic", "sklearn"}),
        ("sandbox.grading.junit", {"pytest", "_pytest"}),
    ],
)
def test_importing_stays_light(module, absent):
    program = f"import sys, {module}; print(*sorted(set(sys.modules) & {absent!r}))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("", "", 0)
