"""The types of a condition, which expr checks before anything of it runs.

So a type that does not fit is an error even where it would never be reached, as of a number in
`true || result == "x"`. The rules are those of expr's `checker` (v1.17), with the names and types
that Argo Rollouts gives to a condition (`utils/evaluate/evaluate.go`, v1.10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sandbox.rollout.conditions import values
from sandbox.rollout.conditions.nodes import (
    Answer,
    Binary,
    Call,
    Choice,
    ConditionError,
    Element,
    Index,
    Listing,
    Literal,
    Loop,
    Node,
    Ordering,
    Slice,
    Unary,
    UnsupportedError,
)


@dataclass(frozen=True)
class Type:
    """A type as Go and expr call it.

    Args:
        name: Go's name.
        of: the elements' type, of a list.
    """

    name: str
    of: Type | None = None


INT = Type("int")
INT64 = Type("int64")
FLOAT = Type("float64")
BOOL = Type("bool")
STRING = Type("string")
NIL = Type("nil")
# Nothing is known of a value: because its kinds differ, or because Go says `any`. Both are checked
# while the condition runs; they differ only in what `? :` makes of them.
UNKNOWN = Type("unknown")
ANY = Type("any")
FLOATS = Type("[]float64", FLOAT)

_CONSTANTS = {"nil": NIL, "bool": BOOL, "int": INT, "float64": FLOAT, "string": STRING}
_NUMBERS = (INT, INT64, FLOAT)
_INTEGERS = (INT, INT64)
_OPEN = (UNKNOWN, ANY)
_Typed: TypeAlias = tuple[Node, Type]


def check(node: Node, result: Type) -> Node:
    """The tree with what the types decide, where `result` is of a type.

    Args:
        node: as it was read.
        result: `FLOATS` of a vector, `FLOAT` of a scalar, `NIL`.

    Raises:
        ConditionError: types do not fit.
    """
    return _typed(node, (result,))[0]


def _typed(  # noqa: PLR0911, PLR0912 - one case for each kind of node
    node: Node, scope: tuple[Type, ...]
) -> _Typed:
    """A node made ready, and its type; the scope is `result`'s type, then each loop's list's."""
    match node:
        case Literal(value):
            return node, _CONSTANTS[values.kind(value)]
        case Answer():
            return node, scope[0]
        case Element():
            return node, _element(scope[-1])
        case Unary(op, operand):
            ready, kind = _typed(operand, scope)
            return Unary(op, ready), _unary(op, kind)
        case Binary(op, left, right):
            return _binary(op, _typed(left, scope), _typed(right, scope))
        case Ordering(operands, ops):
            typed = [_typed(operand, scope) for operand in operands]
            for op, (_, a), (_, b) in zip(ops, typed, typed[1:], strict=False):
                _fits(op, a, b, (*_NUMBERS, STRING), same=_NUMBERS)
            return Ordering(tuple(ready for ready, _ in typed), ops), BOOL
        case Choice(test, then, otherwise):
            ready, kind = _typed(test, scope)
            if kind not in (BOOL, *_OPEN):
                raise ConditionError(f"a choice by {kind.name}, which is no bool")
            yes, a = _typed(then, scope) if then else (None, kind)
            no, b = _typed(otherwise, scope)
            return Choice(ready, yes, no), _either(a, b)
        case Index(base, at):
            (ready, kind), (place, place_kind) = _typed(base, scope), _typed(at, scope)
            return Index(ready, place), _indexed(kind, place_kind)
        case Slice(base, start, stop):
            ready, kind = _typed(base, scope)
            if kind == STRING:
                raise UnsupportedError("a slice of a string is not supported here")
            if kind.of is None and kind not in _OPEN:
                raise ConditionError(f"{kind.name} cannot be sliced")
            ends = [_typed(end, scope) if end else None for end in (start, stop)]
            for end in filter(None, ends):
                _indexed(ANY if kind in _OPEN else kind, end[1])
            first, last = (end[0] if end else None for end in ends)
            return Slice(ready, first, last), UNKNOWN if kind in _OPEN else kind
        case Listing(items):
            typed = [_typed(item, scope) for item in items]
            return Listing(tuple(ready for ready, _ in typed)), _listed([kind for _, kind in typed])
        case Call(name, arguments):
            return _call(name, [_typed(argument, scope) for argument in arguments])
        case Loop(name, over, predicate):
            ready, kind = _typed(over, scope)
            if kind.of is None and kind not in _OPEN:
                raise ConditionError(f"{name} takes a list, not {kind.name}")
            inner = _typed(predicate, (*scope, kind)) if predicate else None
            return Loop(name, ready, inner[0] if inner else None), _looped(
                name, kind, inner[1] if inner else None
            )


def _element(kind: Type) -> Type:
    return kind.of or UNKNOWN


def _unary(op: str, kind: Type) -> Type:
    if op == "not" and kind in (BOOL, *_OPEN):
        return BOOL
    if op != "not" and kind in _NUMBERS:
        return kind
    if op != "not" and kind in _OPEN:
        return UNKNOWN
    raise ConditionError(f"{op} does not take {kind.name}")


def _fits(
    op: str, a: Type, b: Type, kinds: tuple[Type, ...], *, same: tuple[Type, ...] = ()
) -> None:
    """Whether an operator takes two types: alike, both of `same`, or where one is not known."""
    fits = (
        (a == b and a in kinds)
        or (a in same and b in same)
        or (a in _OPEN and b in (*kinds, *_OPEN))
        or (b in _OPEN and a in kinds)
    )
    if not fits:
        raise ConditionError(f"{op} does not take {a.name} and {b.name}")


def _binary(op: str, left: _Typed, right: _Typed) -> _Typed:
    (first, a), (second, b) = left, right
    match op:
        case "and" | "or":
            _fits(op, a, b, (BOOL,))
            kind = BOOL
        case "==" | "!=":
            if not _comparable(a, b):
                raise ConditionError(f"{op} does not take {a.name} and {b.name}")
            exact = a.name if a == b and a in (INT, STRING) else ""
            return Binary(op, first, second, exact), BOOL
        case "in":
            return Binary(op, first, second, _membership(a, b, second)), BOOL
        case "%":
            _fits(op, a, b, _INTEGERS, same=_INTEGERS)
            kind = INT
        case "/" | "**":
            _fits(op, a, b, _NUMBERS, same=_NUMBERS)
            kind = FLOAT
        case _:
            strings = (STRING,) if op == "+" else ()
            _fits(op, a, b, (*_NUMBERS, *strings), same=_NUMBERS)
            if a in _OPEN or b in _OPEN:
                kind = UNKNOWN
            elif a == STRING:
                kind = STRING
            else:
                kind = FLOAT if FLOAT in (a, b) else INT
    return Binary(op, first, second), kind


def _membership(a: Type, b: Type, right: Node) -> str:
    """The `exact` of an "in", which expr's optimizer makes a look-up where all is written out."""
    if b.of is not None:
        if not _comparable(a, b.of):
            raise ConditionError(f"in: {a.name} cannot be among {b.of.name}")
    elif b not in _OPEN and not (a in _OPEN and b == STRING):
        raise ConditionError(f"in does not take {a.name} and {b.name}")
    if not isinstance(right, Listing) or not right.items:
        return ""
    kinds = {values.kind(item.value) if isinstance(item, Literal) else "" for item in right.items}
    if kinds == {"string"} or (kinds == {"int"} and a == INT):
        return kinds.pop()
    return ""


def _comparable(a: Type, b: Type) -> bool:
    return (
        a in (NIL, *_OPEN)
        or b in (NIL, *_OPEN)
        or (a in _NUMBERS and b in _NUMBERS)
        or (a.of is not None and b.of is not None)
        or a == b
    )


def _assignable(a: Type, b: Type) -> bool:
    """Go's: the same type, whatever its elements are, or `any`; nil to a list or `any`."""
    if a == NIL:
        return b == ANY or b.of is not None
    if UNKNOWN in (a, b) or b == NIL:
        return False
    return b == ANY or a.name == b.name


def _either(a: Type, b: Type) -> Type:
    """The type of a choice between two."""
    if NIL in (a, b):
        return b if a == NIL else a
    if not _assignable(a, b):
        return UNKNOWN
    if a.of and b.of and not (_assignable(a.of, b.of) and _assignable(b.of, a.of)):
        return _list_of(ANY)
    return a


def _indexed(kind: Type, at: Type) -> Type:
    if kind in _OPEN:
        return UNKNOWN
    if kind.of is None:
        raise ConditionError(f"{kind.name} has no elements")
    if at not in (*_INTEGERS, *_OPEN):
        raise ConditionError(f"an element's place is an integer, not {at.name}")
    return kind.of


def _list_of(kind: Type) -> Type:
    return Type("[]any", kind)


def _listed(kinds: list[Type]) -> Type:
    """A written list is one of its last element's type, if Go's kind of all of them is the same."""
    if not kinds:
        return _list_of(UNKNOWN)
    alike = {"list" if kind.of else "" if kind in (NIL, UNKNOWN) else kind.name for kind in kinds}
    return _list_of(kinds[-1] if len(alike) == 1 else ANY)


def _call(name: str, arguments: list[_Typed]) -> _Typed:
    nodes = [node for node, _ in arguments]
    kind = arguments[0][1]
    if name in ("isNaN", "isInf"):
        if kind in _INTEGERS:
            nodes = [_as_float(node) for node in nodes]
        elif kind not in (FLOAT, *_OPEN):
            raise ConditionError(f"{name} takes a number, not {kind.name}")
    if name == "len" and kind.of is None and kind not in (STRING, *_OPEN):
        raise ConditionError(f"{kind.name} has no length")
    kinds = {"len": INT, "asInt": INT64, "asFloat": FLOAT, "default": ANY}
    return Call(name, tuple(nodes)), kinds.get(name, BOOL)


def _as_float(node: Node) -> Node:
    """An integer where a float is asked for: its literals are, and what they are computed to."""
    match node:
        case Literal(int() as value) if not isinstance(value, bool):
            return Literal(float(value))
        case Unary(op, operand):
            return Unary(op, _as_float(operand))
        case Binary("+" | "-" | "*" as op, left, right):
            return Binary(op, _as_float(left), _as_float(right))
        case _:
            return node


def _looped(name: str, over: Type, predicate: Type | None) -> Type:
    if predicate == NIL:
        raise ConditionError(f"the predicate of {name} gives nil")
    if name == "map":
        return _list_of(predicate or UNKNOWN)
    if predicate not in (None, BOOL, *_OPEN):
        raise ConditionError(f"the predicate of {name} gives {predicate.name}, not bool")
    if name == "filter":
        return _list_of(over.of or ANY)
    return INT if name == "count" else BOOL
