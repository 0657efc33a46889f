"""What a condition is once it is read: a tree of plain values, and the errors that it may raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

# nil, Go's int and int64 (both of 64 bits), float64, string and every list.
Value: TypeAlias = "bool | int | float | str | list[Value] | None"


class ConditionError(Exception):
    """A condition that cannot be read or evaluated; one line."""


class UnsupportedError(ConditionError):
    """A condition with a part of expr that is not supported here, whatever Argo makes of it."""


@dataclass(frozen=True)
class Literal:
    """A number, a string, true, false or nil; never a list."""

    value: Value


@dataclass(frozen=True)
class Answer:
    """`result`: what the query gave."""


@dataclass(frozen=True)
class Element:
    """`#`: where the innermost loop is."""


@dataclass(frozen=True)
class Unary:
    """ "not", "-" or "+" before an operand; `a not in b` is a "not" before an "in"."""

    op: str
    operand: Node


@dataclass(frozen=True)
class Binary:
    """ "and", "or", "==", "!=", "in", "+", "-", "*", "/", "%" or "**" between two operands.

    Args:
        op: which.
        left: evaluated first.
        right: evaluated second, and by "and" and "or" only where it decides.
        exact: "int" or "string" for an "==", "!=" or "in" that raises at any other value, because
            the checker saw no other; empty where it does not.
    """

    op: str
    left: Node
    right: Node
    exact: str = ""


@dataclass(frozen=True)
class Ordering:
    """`a < b`, and `a < b <= c`, which is `a < b and b <= c`.

    Args:
        operands: two or more.
        ops: "<", "<=", ">" or ">=" between each of them and the next.
    """

    operands: tuple[Node, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """`test ? then : otherwise`; None for the `then` of `test ?: otherwise`, which is the test."""

    test: Node
    then: Node | None
    otherwise: Node


@dataclass(frozen=True)
class Index:
    """`base[at]`."""

    base: Node
    at: Node


@dataclass(frozen=True)
class Slice:
    """`base[start:stop]`; None for what is left out."""

    base: Node
    start: Node | None
    stop: Node | None


@dataclass(frozen=True)
class Listing:
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Call:
    """One of `reading.ARGUMENTS`, with so many arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Loop:
    """One of `reading.LOOPS` over a list; only a "count" may have no predicate."""

    name: str
    over: Node
    predicate: Node | None


Node: TypeAlias = (
    Literal
    | Answer
    | Element
    | Unary
    | Binary
    | Ordering
    | Choice
    | Index
    | Slice
    | Listing
    | Call
    | Loop
)
