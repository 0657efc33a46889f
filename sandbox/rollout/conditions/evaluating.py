"""The condition language of an AnalysisTemplate, evaluated as Argo Rollouts does it.

    all(result, # < 0.05) && len(result) > 0

`successCondition` and `failureCondition` are expressions of expr-lang/expr about `result`, which is
what the query gave: a list of floats of a vector, a float of a scalar. A part of expr is supported,
which is what people write about Prometheus; the rest is refused by name. Argo makes a measurement
an Error where a `ConditionError` is raised here.

A candidate writes them, so that nothing is run as Python, and neither the text nor the work that it
makes is without a bound.

Where this differs from Argo: expr's optimizer also leaves a loop early where the answer is known
(`count(..) > 0`, `filter(..)[0]`) and makes one loop of two (`all(..) && all(..)`), which changes
whether an error that a later element raises is seen at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.rollout.conditions import checking, folding, reading, values
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
    Value,
)

if TYPE_CHECKING:
    from sandbox.rollout.spec import Result

__all__ = ["Condition", "ConditionError", "UnsupportedError", "parse", "unsupported"]

# A few tenths of a second; a condition on a thousand series takes a few thousand.
STEPS_MAX = 100_000
_ZERO: dict[str, Value] = {"int": 0, "string": ""}


@dataclass(frozen=True)
class Condition:
    """A condition that was read.

    Args:
        text: as it is written.
    """

    text: str
    _tree: Node = field(repr=False, compare=False)

    def holds(self, result: Result | None) -> bool:
        """Whether it is true of what a query gave.

        Args:
            result: a list of a vector, a float of a scalar, None where there is no value at all.

        Raises:
            ConditionError: types do not fit, an index is out of range, a conversion fails, it gives
                no bool, or it takes too long.
        """
        value: Value
        if result is None:
            value, kind = None, checking.NIL
        elif isinstance(result, list):
            value, kind = [float(one) for one in result], checking.FLOATS
        else:
            value, kind = float(result), checking.FLOAT
        ready = folding.fold(checking.check(self._tree, kind))
        return values.truth(_Evaluation(value).value(ready, None))


def parse(text: str) -> Condition:
    """Read a condition.

    Raises:
        UnsupportedError: it needs a part of expr that is not supported here; says which.
        ConditionError: it is not in the language, names what there is not, or is too large.
    """
    return Condition(text, reading.read(text))


def unsupported(text: str) -> str:
    """What a condition needs of expr that is not supported here, in words; nothing else is said."""
    try:
        parse(text)
    except UnsupportedError as error:
        return str(error)
    except ConditionError:
        pass
    return ""


class _Evaluation:
    """One evaluation of a checked tree, with the steps that it may still take."""

    def __init__(self, result: Value) -> None:
        self._result = result
        self._left = STEPS_MAX

    def value(  # noqa: PLR0911, PLR0912 - one case for each kind of node
        self, node: Node, element: Value
    ) -> Value:
        """What a node gives, where `#` is an element."""
        self._take(1)
        match node:
            case Literal(value):
                return value
            case Answer():
                return self._result
            case Element():
                return element
            case Unary(op, operand):
                return values.unary(op, self.value(operand, element))
            case Binary():
                return self._binary(node, element)
            case Ordering(operands, ops):
                return self._ordering(operands, ops, element)
            case Choice(test, then, otherwise):
                if not values.truth(self.value(test, element)):
                    return self.value(otherwise, element)
                return self.value(then, element) if then else True
            case Index(base, at):
                return _at(self.value(base, element), self.value(at, element))
            case Slice():
                return self._slice(node, element)
            case Listing(items):
                return [self.value(item, element) for item in items]
            case Call(name, arguments):
                return self._call(name, [self.value(one, element) for one in arguments])
            case Loop(name, over, predicate):
                return self._loop(name, self.value(over, element), predicate)

    def _take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise ConditionError(f"the condition takes more than {STEPS_MAX:,} steps")

    def _binary(self, node: Binary, element: Value) -> Value:
        left = self.value(node.left, element)
        if node.op in ("and", "or"):
            # What is on the right is not looked at, as in expr.
            decided = values.truth(left) == (node.op == "or")
            return left if decided else self.value(node.right, element)
        right = self.value(node.right, element)
        match node.op:
            case "==":
                return self._equal(left, right, node.exact)
            case "!=":
                return not self._equal(left, right, node.exact)
            case "in":
                return self._contains(left, right, node.exact)
        computed = values.arithmetic(node.op, left, right)
        if isinstance(computed, str):
            self._take(len(computed))
        return computed

    def _ordering(self, operands: tuple[Node, ...], ops: tuple[str, ...], element: Value) -> bool:
        left = self.value(operands[0], element)
        for op, operand in zip(ops, operands[1:], strict=True):
            right = self.value(operand, element)
            if not values.ordered(op, left, right):
                return False
            left = right
        return True

    def _equal(self, a: Value, b: Value, exact: str = "") -> bool:
        if exact and not values.kind(a) == values.kind(b) == exact:
            raise ConditionError(f"expected two {exact}s, but got nil or another type")
        if not (isinstance(a, list) and isinstance(b, list)):
            return values.same(a, b)
        self._take(len(a))
        return len(a) == len(b) and all(map(self._equal, a, b))

    def _contains(self, needle: Value, among: Value, exact: str) -> bool:
        if exact and needle is None:
            # A look-up that takes nil for the type's zero value.
            needle = _ZERO[exact]
        if exact and values.kind(needle) != exact:
            raise ConditionError(f"expected {exact}, but got {values.kind(needle)}")
        if among is None:
            return False
        if not isinstance(among, list):
            raise ConditionError(f"in does not take {values.kind(among)}")
        self._take(len(among))
        return any(self._equal(one, needle) for one in among)

    def _slice(self, node: Slice, element: Value) -> Value:
        base = self.value(node.base, element)
        if not isinstance(base, list):
            raise ConditionError(f"{values.kind(base)} cannot be sliced here")
        stop: Value = self.value(node.stop, element) if node.stop else len(base)
        start: Value = self.value(node.start, element) if node.start else 0
        self._take(len(base))
        # Python's slices end where the list does, too, and count from its end.
        return base[values.place("[:]", start) : values.place("[:]", stop)]

    def _call(self, name: str, arguments: list[Value]) -> Value:
        first = arguments[0]
        if isinstance(first, str):
            self._take(len(first))
        match name:
            case "asInt":
                return values.as_int(first)
            case "asFloat":
                return values.as_float(first)
            case "default":
                # Whatever the first argument is, as in Argo.
                return arguments[1] if self._result is None else self._result
            case "isNil":
                return self._result is None
            case "len":
                if not isinstance(first, list | str):
                    raise ConditionError(f"{values.kind(first)} has no length")
                return len(first)
        if not isinstance(first, float):
            raise ConditionError(f"{name} takes a float64, not {values.kind(first)}")
        return math.isnan(first) if name == "isNaN" else math.isinf(first)

    def _loop(self, name: str, over: Value, predicate: Node | None) -> Value:
        if not isinstance(over, list):
            raise ConditionError(f"{name} takes a list, not {values.kind(over)}")
        if name == "map":
            return [self._found(predicate, one) for one in over]
        truths = (values.truth(self._found(predicate, one)) for one in over)
        if name == "filter":
            return [one for one, true in zip(over, truths, strict=True) if true]
        if name in ("count", "one"):
            count = sum(truths)
            return count if name == "count" else count == 1
        if name == "all":
            return all(truths)
        found = any(truths)
        return found if name == "any" else not found

    def _found(self, predicate: Node | None, element: Value) -> Value:
        return self.value(predicate, element) if predicate else element


def _at(base: Value, at: Value) -> Value:
    if not isinstance(base, list):
        raise ConditionError(f"{values.kind(base)} has no elements")
    index = values.place("[]", at)
    if not -len(base) <= index < len(base):
        raise ConditionError(f"index out of range: {index} (the list has {len(base)})")
    return base[index]
