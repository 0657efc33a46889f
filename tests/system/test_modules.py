"""Modules from source of ours: whole ones, under a name of their own."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from sandbox.system.modules import module_from

DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar

@dataclass(frozen=True)
class Point:
    kind: ClassVar[str] = "point"
    x: float = 0.0
"""


def test_a_module_is_made_of_its_source() -> None:
    made = module_from("def twice(x):\n    return 2 * x\n", "made_here", "somewhere/made.py")
    assert made.twice(21) == 42
    assert (made.__name__, made.__file__) == ("made_here", "somewhere/made.py")
    assert made.twice.__code__.co_filename == "somewhere/made.py"


def test_its_dataclasses_may_have_annotations_that_are_read_later() -> None:
    point = module_from(DATACLASS, "points", "points.py").Point(x=2.0)
    assert [field.name for field in dataclasses.fields(point)] == ["x"]


def test_two_of_different_names_share_nothing() -> None:
    one = module_from("SEEN = []", "one_module", "a.py")
    other = module_from("SEEN = []", "other_module", "a.py")
    one.SEEN.append(1)
    assert other.SEEN == []


@pytest.mark.parametrize("source", ["VALUE = 1\nraise RuntimeError('half way')", "def ("])
def test_nobody_finds_half_a_module(source: str) -> None:
    with pytest.raises((RuntimeError, SyntaxError)):
        module_from(source, "half_a_module", "half.py")
    assert "half_a_module" not in sys.modules


def test_a_trace_names_the_file_and_the_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        module_from("x = 0\ny = 1 / x\n", "dividing", "dividing.py")
    last = caught.traceback[-1]
    assert (str(last.path).endswith("dividing.py"), last.lineno + 1) == (True, 2)
