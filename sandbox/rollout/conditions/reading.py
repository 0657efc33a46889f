"""The text of a condition becomes a tree; whatever this harness does not evaluate is named.

The language is expr-lang/expr v1.17, which Argo Rollouts v1.10 vendors, and the grammar of the part
that is supported is `grammar.lark`. A text is a candidate's: it is bounded, and nothing of it is
run as Python.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from sandbox.rollout.conditions import literals
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

if TYPE_CHECKING:
    from lark import Lark, Token

# Every node takes a character at least, so that this bounds their number too.
CHARACTERS_MAX = 4_000
# A level costs the evaluator up to four Python frames, of which there are a thousand.
DEPTH_MAX = 80

# How many arguments each function takes.
ARGUMENTS = {
    "asFloat": 1,
    "asInt": 1,
    "default": 2,
    "isInf": 1,
    "isNaN": 1,
    "isNil": 1,
    "len": 1,
}
LOOPS = ("all", "any", "count", "filter", "map", "none", "one")
# The rest of expr's functions, all of which Argo would call.
_OTHER_FUNCTIONS = """
    abs bitand bitnand bitnot bitor bitshl bitshr bitushr bitxor ceil concat date duration find
    findIndex findLast findLastIndex first flatten float floor fromBase64 fromJSON fromPairs get
    groupBy hasPrefix hasSuffix indexOf int join keys last lastIndexOf lower max mean median min
    now reduce repeat replace reverse round sort sortBy split splitAfter string sum take timezone
    toBase64 toJSON toPairs trim trimPrefix trimSuffix type uniq upper values
""".split()  # noqa: SIM905 - a list would be sixty lines
_WORDS = ("contains", "else", "endsWith", "if", "let", "matches", "startsWith")
_SIGNS = {
    ".": "a field (.)",
    "?.": "optional chaining (?.)",
    "??": "a fallback for nil (??)",
    "..": "a range (..)",
    "|": "a pipe (|)",
    ";": "a sequence (;)",
    "::": "a builtin called by (::)",
    "`": "a string in backticks",
}
_CONSTANTS = {"true": True, "false": False, "nil": None}
_ORDERING = ("<", "<=", ">", ">=")


def read(text: str) -> Node:
    """The tree of a condition.

    Raises:
        UnsupportedError: it needs a part of expr that is not supported.
        ConditionError: it is none, names what does not exist, or is too large.
    """
    if len(text) > CHARACTERS_MAX:
        raise ConditionError(f"a condition has at most {CHARACTERS_MAX:,} characters")
    from lark import exceptions  # noqa: PLC0415 - few who import this module read a condition

    try:
        # Typed as a tree, but the builder has made something else of it.
        found: object = _grammar().parse(text)
    except exceptions.UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        raise ConditionError(f"unexpected {text[at]!a} at character {at + 1}") from None
    except exceptions.UnexpectedToken as error:
        raise _unexpected(error.token) from None
    assert isinstance(found, _Part)
    if found.loose:
        raise ConditionError("# stands for an element, and is outside of any loop")
    return found.node


class _Part(NamedTuple):
    """A tree, how deep it is, and whether it has a `#` of a loop further out."""

    node: Node
    depth: int
    loose: bool


class _Argument(NamedTuple):
    """What stands in a call, and whether it stands in braces."""

    part: _Part
    braced: bool


def _part(node: Node, *parts: _Part | None) -> _Part:
    depth = 1 + max((part.depth for part in parts if part), default=0)
    if depth > DEPTH_MAX:
        raise ConditionError(f"a condition is at most {DEPTH_MAX} levels deep")
    return _Part(node, depth, any(part.loose for part in parts if part))


class _Builder:
    """Makes nodes while the text is parsed; each method belongs to a rule of the grammar."""

    def number(self, found: list[Token]) -> _Part:
        return _part(Literal(literals.number(found[0])))

    def string(self, found: list[Token]) -> _Part:
        return _part(Literal(literals.string(found[0])))

    def name(self, found: list[Token]) -> _Part:
        name = str(found[0])
        if name in _CONSTANTS:
            return _part(Literal(_CONSTANTS[name]))
        if name == "result":
            return _part(Answer())
        if name in ARGUMENTS or name in LOOPS or name in _OTHER_FUNCTIONS:
            raise UnsupportedError(f"{name} without arguments is not supported here")
        raise _unknown(name)

    def element(self, found: list[Token]) -> _Part:
        if found[0] in ("#index", "#acc"):
            raise UnsupportedError(f"{found[0]} is not supported here")
        if found[0] != "#":
            raise ConditionError(f"unknown pointer {str(found[0])[:40]}")
        return _Part(Element(), 1, loose=True)

    def listing(self, found: list[_Part | None]) -> _Part:
        items = [part for part in found if part]
        return _part(Listing(tuple(part.node for part in items)), *items)

    def map(self, found: list[object]) -> _Part:
        raise UnsupportedError("a map ({}) is not supported here")

    def argument(self, found: list[_Part]) -> _Argument:
        return _Argument(found[0], braced=False)

    def braced(self, found: list[_Part]) -> _Argument:
        return _Argument(found[0], braced=True)

    def call(self, found: list[_Argument | Token | None]) -> _Part:
        name = str(found[0])
        given = [argument for argument in found if isinstance(argument, _Argument)]
        arguments = [argument.part for argument in given]
        # Only the second argument of a loop is a predicate.
        if any(argument.braced for argument in (given[:1] if name in LOOPS else given)):
            raise ConditionError("braces are around a predicate")
        if name in LOOPS:
            return _loop(name, arguments)
        if name in _OTHER_FUNCTIONS:
            raise UnsupportedError(f"the function {name} is not supported here")
        if name == "result" or name in _CONSTANTS:
            raise ConditionError(f"{name} is no function")
        if name not in ARGUMENTS:
            raise _unknown(name)
        if len(arguments) != ARGUMENTS[name]:
            raise ConditionError(f"{name} takes {ARGUMENTS[name]} and has {len(arguments)}")
        return _part(Call(name, tuple(part.node for part in arguments)), *arguments)

    def index(self, found: list[_Part]) -> _Part:
        base, at = found
        return _part(Index(base.node, at.node), base, at)

    def slice(self, found: list[_Part | None]) -> _Part:
        base, start, stop = found
        assert base
        node = Slice(base.node, start.node if start else None, stop.node if stop else None)
        return _part(node, base, start, stop)

    def arithmetic(self, found: list[_Part | Token]) -> _Part:
        left, op, right = found
        assert isinstance(left, _Part)
        assert isinstance(right, _Part)
        return _binary("**" if op == "^" else str(op), left, right)

    def signed(self, found: list[_Part | Token]) -> _Part:
        op, operand = found
        assert isinstance(operand, _Part)
        return _part(Unary(str(op), operand.node), operand)

    def negated(self, found: list[_Part]) -> _Part:
        return _part(Unary("not", found[0].node), found[0])

    def both(self, found: list[_Part]) -> _Part:
        return _binary("and", *found)

    def either(self, found: list[_Part]) -> _Part:
        return _binary("or", *found)

    def relation(self, found: list[Token]) -> str:
        return " ".join(found)

    def comparison(self, found: list[_Part | str]) -> _Part:
        operands = [one for one in found if isinstance(one, _Part)]
        ops = [one for one in found if isinstance(one, str)]
        left = operands.pop(0)
        while ops:
            if ops[0] in _ORDERING:
                count = next((i for i, op in enumerate(ops) if op not in _ORDERING), len(ops))
                chain = [left, *operands[:count]]
                node = Ordering(tuple(part.node for part in chain), tuple(ops[:count]))
                left = _part(node, *chain)
                del operands[:count], ops[:count]
                continue
            op, right = ops.pop(0), operands.pop(0)
            if op == "not in":
                inside = _binary("in", left, right)
                left = _part(Unary("not", inside.node), inside)
            else:
                left = _binary(op, left, right)
        return left

    def choice(self, found: list[_Part]) -> _Part:
        test, then, otherwise = found
        return _part(Choice(test.node, then.node, otherwise.node), *found)

    def choice_or_itself(self, found: list[_Part]) -> _Part:
        test, otherwise = found
        return _part(Choice(test.node, None, otherwise.node), *found)


def _binary(op: str, left: _Part, right: _Part) -> _Part:
    return _part(Binary(op, left.node, right.node), left, right)


def _loop(name: str, arguments: list[_Part]) -> _Part:
    match arguments:
        case [over, predicate]:
            node = Loop(name, over.node, predicate.node)
        case [over] if name == "count":
            node = Loop(name, over.node, None)
        case _:
            raise ConditionError(f"{name} takes a list and a predicate")
    # A `#` in the predicate is this loop's own.
    return _part(node, *arguments)._replace(loose=over.loose)


def _unknown(name: str) -> ConditionError:
    if name == "$env":
        return UnsupportedError("$env is not supported here")
    return ConditionError(f"unknown name {name[:40]}")


def _unexpected(token: Token) -> ConditionError:
    if token.type == "$END":
        return ConditionError("the condition ends too early")
    at = (token.start_pos or 0) + 1
    return ConditionError(f"unexpected {ascii(str(token))[:40]} at character {at}")


def _refuse_sign(token: Token) -> Token:
    sign = _SIGNS.get(str(token), "a string of bytes (b)")
    raise UnsupportedError(f"{sign} is not supported here")


def _refuse_word(token: Token) -> Token:
    if token in _WORDS:
        raise UnsupportedError(f"the word {token} is not supported here")
    return token


@functools.cache
def _grammar() -> Lark:
    from lark import Lark  # noqa: PLC0415

    return Lark(
        resources.files(__package__).joinpath("grammar.lark").read_text("utf-8"),
        parser="lalr",
        lexer="basic",
        maybe_placeholders=True,
        transformer=_Builder(),
        lexer_callbacks={"UNSUPPORTED": _refuse_sign, "NAME": _refuse_word},
    )
