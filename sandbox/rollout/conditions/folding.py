"""What expr computes, or leaves out, of a condition before anything of it runs.

It is seen from outside: `result[0] > 1 || true` is true of an empty list, though its left would be
an error, and `true || 1 % 0 == 1` is an error, though its right is never reached. The rules are
those of expr's `optimizer/fold.go` (v1.17).
"""

from __future__ import annotations

from sandbox.rollout.conditions import values
from sandbox.rollout.conditions.nodes import (
    Binary,
    Call,
    Choice,
    Index,
    Listing,
    Literal,
    Loop,
    Node,
    Ordering,
    Slice,
    Unary,
)

_ARITHMETIC = ("+", "-", "*", "/", "%", "**")
_COMPARED = ("int", "string", "bool")


def fold(node: Node) -> Node:  # noqa: PLR0911 - one case for each kind of node
    """The tree that is left; its types have been checked.

    Raises:
        ConditionError: a constant is divided by zero.
    """
    match node:
        case Unary(op, operand):
            return _unary(op, fold(operand))
        case Binary():
            return _binary(node, fold(node.left), fold(node.right))
        case Ordering(operands, ops):
            return Ordering(tuple(map(fold, operands)), ops)
        case Choice(test, then, otherwise):
            return Choice(fold(test), fold(then) if then else None, fold(otherwise))
        case Index(base, at):
            return Index(fold(base), fold(at))
        case Slice(base, start, stop):
            return Slice(fold(base), fold(start) if start else None, fold(stop) if stop else None)
        case Listing(items):
            return Listing(tuple(map(fold, items)))
        case Call(name, arguments):
            return Call(name, tuple(map(fold, arguments)))
        case Loop(name, over, predicate):
            return Loop(name, fold(over), fold(predicate) if predicate else None)
        case _:
            return node


def _unary(op: str, operand: Node) -> Node:
    if isinstance(operand, Literal):
        fits = isinstance(operand.value, bool) or values.is_number(operand.value)
        return Literal(values.unary(op, operand.value)) if fits else Unary(op, operand)
    return Unary(op, operand)


def _binary(node: Binary, left: Node, right: Node) -> Node:
    if node.op in ("and", "or"):
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Literal) and one.value is (node.op == "and"):
                return other
        for one in (left, right):
            if isinstance(one, Literal) and one.value is (node.op == "or"):
                return one
    elif isinstance(left, Literal) and isinstance(right, Literal):
        a, b = values.kind(left.value), values.kind(right.value)
        if node.op == "==" and a == b and a in _COMPARED:
            return Literal(left.value == right.value)
        if node.op in _ARITHMETIC and "nil" not in (a, b):
            return Literal(values.arithmetic(node.op, left.value, right.value))
    return Binary(node.op, left, right, node.exact)
