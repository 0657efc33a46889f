"""What a grader file uses: `check` and `guard` to declare, `Credit` to decide.

    @check(points=12, competency="training-serving parity")
    def test_loud_skew_is_gone(evidence, credit):
        '''The loudest skew is gone from the served predictions.'''
        share = evidence["parity"]["share"]
        credit.award(
            share >= 0.995,
            expected="at least 99.5 % of rows equal to the pipeline's",
            seen=f"{share:.1%}",
            where="parity.share",
        )

    @guard(of=("loud_skew_is_gone",), competency="service levels")
    def test_answers_in_time(evidence, credit): ...

A declaration that cannot be right is refused while the file is imported, and a file that does not
import makes the whole run ungradable: a slip of the pen must never cost a candidate points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.errors import HarnessFault, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "test_"
# A check for a runtime that does not exist would never run, and nobody would miss it.
RUNTIMES = ("process", "docker", "kubernetes")

_DECLARATION = "__sandbox_declaration__"

Function = TypeVar("Function", bound="Callable[..., Any]")


@dataclass(frozen=True)
class Check:
    """What `check` declares.

    Args:
        points: points it is worth.
        competency: the competency it belongs to.
        runtimes: runtimes it can run in; None for all.
    """

    points: float
    competency: str
    runtimes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        number = isinstance(self.points, int | float) and not isinstance(self.points, bool)
        if not number or not math.isfinite(self.points) or self.points < 0:
            raise UsageError(expected="points as a number from 0 up", seen=repr(self.points))
        _require_competency(self.competency)
        if self.runtimes is not None:
            _require_names("runtimes", self.runtimes)
            if unknown := sorted(set(self.runtimes) - set(RUNTIMES)):
                raise UsageError(expected=f"runtimes among {RUNTIMES}", seen=f"{unknown}")


@dataclass(frozen=True)
class Guard:
    """What `guard` declares.

    Args:
        of: names of the checks whose points it multiplies, without `test_`.
        competency: the competency it belongs to.
    """

    of: tuple[str, ...]
    competency: str

    def __post_init__(self) -> None:
        _require_names("of", self.of)
        _require_competency(self.competency)


def check(
    *, points: float, competency: str, runtimes: tuple[str, ...] | None = None
) -> Callable[[Function], Function]:
    """Declare a test function to be a check.

    Args:
        points: points it is worth; 0 for one that only informs.
        competency: the competency it belongs to.
        runtimes: runtimes it can run in; in others its points leave the maximum. None for all.

    Raises:
        UsageError: the declaration or the function cannot be right.
    """
    return _declare(Check(points=points, competency=competency, runtimes=runtimes))


def guard(*, of: tuple[str, ...], competency: str) -> Callable[[Function], Function]:
    """Declare a test function to be a guard: it earns nothing and multiplies what it guards.

    Args:
        of: names of the checks it guards, without `test_`.
        competency: the competency it belongs to.

    Raises:
        UsageError: the declaration or the function cannot be right.
    """
    return _declare(Guard(of=of, competency=competency))


def declaration(function: object) -> Check | Guard | None:
    """What was declared about a function; None when nothing was."""
    found: Check | Guard | None = getattr(function, _DECLARATION, None)
    return found


class NotEarned(AssertionError):
    """A check decided against the submission, and says why.

    Args:
        expected: what should have been seen.
        seen: what was seen.
        where: the evidence it rests on.
    """

    def __init__(self, *, expected: str, seen: str, where: str) -> None:
        self.expected = expected
        self.seen = seen
        self.where = where
        super().__init__(f"expected {expected}; saw {seen} ({where})")


@dataclass(frozen=True)
class Award:
    """What a check decided.

    Args:
        share: share of its points, 0-1.
        expected: what should have been seen.
        seen: what was seen.
        where: the evidence it rests on, as `step` or `step.field`.
    """

    share: float
    expected: str
    seen: str
    where: str


class Credit:
    """Takes the one decision of a check; the fixture `credit`."""

    def __init__(self) -> None:
        self._awards: list[Award] = []

    @property
    def awards(self) -> tuple[Award, ...]:
        """What was awarded, in order; more than one makes the check ungradable."""
        return tuple(self._awards)

    def award(self, share: float | bool, *, expected: str, seen: str, where: str) -> None:
        """Decide: all points (1, True), some of them, or none (0, False).

        Args:
            share: share of the points, 0-1.
            expected: what should have been seen.
            seen: what was seen.
            where: the evidence it rests on, as `step` or `step.field`.

        Raises:
            NotEarned: the share is 0; the check is failed and ends here.
            HarnessFault: the share is no share, a text is missing, or there was an award before.
        """
        award = Award(_share(share), expected, seen, where)
        for name, text in (("expected", expected), ("seen", seen), ("where", where)):
            if not isinstance(text, str):
                raise HarnessFault(expected=f"{name} as text in an award", seen=repr(text))
        # What was seen may come from a submission and may be empty; the rest is the grader's own.
        if not expected.strip() or not where.strip():
            raise HarnessFault(expected="an award that says expected and where", seen="a blank")
        self._awards.append(award)
        if len(self._awards) > 1:
            raise HarnessFault(expected="one award in a check", seen="a second one")
        if award.share == 0:
            raise NotEarned(expected=expected, seen=seen, where=where)


def _share(share: object) -> float:
    """The share as a number; numpy's numbers and booleans are welcome."""
    try:
        # float("1") is a number, but text in place of a share is a mistake of the grader.
        value = math.nan if isinstance(share, str | bytes) else float(share)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1:
        raise HarnessFault(expected="a share from 0 to 1", seen=repr(share))
    return value


def _declare(what: Check | Guard) -> Callable[[Function], Function]:
    def mark(function: Function) -> Function:
        _require_test_function(function)
        if declaration(function) is not None:
            raise UsageError(
                expected="one declaration, check or guard", seen=f"two on {function.__qualname__}"
            )
        setattr(function, _DECLARATION, what)
        return function

    return mark


def _require_test_function(function: Callable[..., Any]) -> None:
    """Refuse what pytest would pass over in silence."""
    name = getattr(function, "__name__", repr(function))
    scope = getattr(function, "__qualname__", name).removesuffix(name)
    if not isinstance(function, FunctionType) or (scope and not scope.endswith("<locals>.")):
        raise UsageError(expected="a plain function as a check", seen=f"{function!r}")
    if not name.startswith(PREFIX) or name == PREFIX:
        raise UsageError(expected=f"a name that begins with {PREFIX}", seen=name)


def _require_competency(competency: object) -> None:
    if not isinstance(competency, str) or not competency.strip():
        raise UsageError(expected="a competency", seen=repr(competency))


def _require_names(what: str, names: object) -> None:
    # `"a" in "abc"` is true: text in place of a tuple would pass for a while.
    good = isinstance(names, tuple) and names and all(isinstance(n, str) and n for n in names)
    if not good or len(set(names)) != len(names):  # type: ignore[call-overload, arg-type]
        raise UsageError(
            expected=f"{what} as a tuple of different names",
            seen=repr(names),
            hint='write a comma after a single one: ("name",)',
        )
