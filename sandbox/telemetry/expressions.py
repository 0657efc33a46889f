"""What a PromQL expression says, without asking a server: which series it reads, and when.

The parser is a port of Prometheus' own. It is asked for the shape of an expression only; whether
one is accepted, and what it gives, is the server's word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import promql_parser

from sandbox.telemetry.rulefile import written
from sandbox.telemetry.series import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

_QUOTED_OR_COMMENT = re.compile(
    r'"(?:\\.|[^"\\])*"|' r"'(?:\\.|[^'\\])*'|" r"`[^`]*`|#[^\n]*", re.DOTALL
)
_OPERATORS = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
_NEGATIVE_OFFSET = re.compile(r"\boffset[\s(]*-", re.IGNORECASE)


@dataclass(frozen=True)
class Matcher:
    """One condition on a label, such as `job=~"web.*"`.

    Args:
        name: the label.
        op: "=", "!=", "=~" or "!~".
        value: the text or regular expression.
    """

    name: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.op}{_quoted(self.value)}"

    def accepts(self, value: str) -> bool:
        """Whether a label of this value passes. A missing label is an empty one.

        A regular expression that is none is taken to match everything: the server refuses it.
        """
        if self.op in ("=", "!="):
            return (value == self.value) == (self.op == "=")
        return _matches(self.value, value) == (self.op == "=~")


@dataclass(frozen=True)
class Selector:
    """A selector of series: `name{matchers}`.

    Args:
        name: the metric's name; empty where only matchers say it.
        matchers: the conditions on its labels, one on `__name__` among them where the name is
            written inside the braces.
        range_s: seconds of its range, such as 300 in `x[5m]`; None for an instant selector.
    """

    name: str
    matchers: tuple[Matcher, ...]
    range_s: float | None = None

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.matchers))
        return f"{self.name}{{{inside}}}" if inside or not self.name else self.name

    def names(self, name: str) -> bool:
        """Whether it is about the metric of this name.

        A selector without a name, or by an expression that fits others just as well, such as
        `{__name__=~".+"}`, is about none.
        """
        if self.name:
            return self.name == name
        matchers = [matcher for matcher in self.matchers if matcher.name == NAME]

        def accepted(one: str) -> bool:
            return all(matcher.accepts(one) for matcher in matchers)

        return accepted(name) and not accepted("up")


def parse(expr: str) -> promql_parser.Expr | None:
    """The expression's tree, or None where it cannot be read."""
    try:
        tree: promql_parser.Expr = promql_parser.parse(expr)
    except ValueError:
        return None
    return tree


def walk(tree: promql_parser.Expr) -> Iterator[promql_parser.Expr]:
    """Every node, parents first, from left to right.

    The parser's own `walk` copies the rest of the tree at every step: seconds for an expression
    of a few hundred nodes, which is a candidate's to write.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(children(node))


def children(node: promql_parser.Expr) -> list[promql_parser.Expr]:
    """The expressions a node is made of; a range selector is one node, as an instant one is."""
    parts = [getattr(node, name, None) for name in ("param", "expr", "lhs", "rhs")]
    parts += getattr(node, "args", None) or []
    return [part for part in parts if isinstance(part, promql_parser.Expr)]


def selectors(tree: promql_parser.Expr) -> list[Selector]:
    """Every selector, from left to right."""
    found = (selector(node) for node in walk(tree))
    return [one for one in found if one is not None]


def selector(node: promql_parser.Expr) -> Selector | None:
    """The selector that a node is, or None."""
    if isinstance(node, promql_parser.MatrixSelector):
        inner, range_s = node.vector_selector, node.range.total_seconds()
    elif isinstance(node, promql_parser.VectorSelector):
        inner, range_s = node, None
    else:
        return None
    matchers = (Matcher(m.name, _OPERATORS[str(m.op)], m.value) for m in inner.matchers.matchers)
    return Selector(inner.name or "", tuple(matchers), range_s)


def text(node: promql_parser.Expr) -> str:
    """A node as PromQL.

    The parser's own printing leaves quotes and backslashes in strings as they are, so that a
    regular expression comes out as another one.
    """
    parts = [text(child) for child in children(node)]
    modifier = getattr(node, "modifier", None)
    match node:
        case promql_parser.VectorSelector():
            words = f"{selector(node)}{_offset(node.offset)}"
        case promql_parser.MatrixSelector():
            words = (
                f"{selector(node)}[{_duration(node.range)}]{_offset(node.vector_selector.offset)}"
            )
        case promql_parser.BinaryExpr():
            operator = f"{node.op} {modifier}" if modifier else f"{node.op}"
            words = f"{parts[0]} {operator} {parts[1]}"
        case promql_parser.AggregateExpr():
            grouping = f" {modifier} " if modifier else ""
            words = f"{node.op}{grouping}({', '.join(parts)})"
        case promql_parser.Call():
            words = f"{node.func.name}({', '.join(parts)})"
        case promql_parser.SubqueryExpr():
            words = (
                f"{parts[0]}[{_duration(node.range)}:{_duration(node.step)}]{_offset(node.offset)}"
            )
        case promql_parser.ParenExpr():
            words = f"({parts[0]})"
        case promql_parser.UnaryExpr():
            words = f"-{parts[0]}"
        case promql_parser.StringLiteral():
            words = _quoted(node.val)
        case _:
            words = str(node)
    return words


def gives_scalar(node: promql_parser.Expr) -> bool:
    """Whether a node is one plain number, which has no labels to match."""
    if isinstance(node, promql_parser.Call):
        return bool(node.func.return_type == promql_parser.ValueType.Scalar)
    if isinstance(
        node, promql_parser.ParenExpr | promql_parser.UnaryExpr | promql_parser.BinaryExpr
    ):
        return all(map(gives_scalar, children(node)))
    return isinstance(node, promql_parser.NumberLiteral)


def _offset(offset: timedelta | None) -> str:
    return f" offset {_duration(offset)}" if offset else ""


def _duration(length: timedelta | None) -> str:
    return written(length.total_seconds()) if length else ""


def _quoted(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'"{escaped}"'


def unanswerable(expr: str) -> str:
    """Why an expression has no right answer over a range of the past; empty where it has one.

    A rule is asked for once over all instants, where every sample is there already. A rule that
    runs live has none of the future, so what looks there is refused; so are `@ start()` and
    `@ end()`, which are the instant itself for a live rule and the ends of the range here.
    """
    # Looked for in the text, so that no difference between two parsers is a way around it.
    bare = _QUOTED_OR_COMMENT.sub(" ", expr)
    if "@" in bare:
        return "the modifier @ is not supported in rules here"
    if _NEGATIVE_OFFSET.search(bare):
        return "a negative offset looks into the future, where a running Prometheus has no samples"
    return ""


def _matches(pattern: str, value: str) -> bool:
    # RE2, which is what Prometheus means by a regular expression, and never takes long over one.
    # Loaded here because few rules need it.
    import pyarrow  # noqa: PLC0415
    from pyarrow import compute  # noqa: PLC0415

    try:
        [hit] = compute.match_substring_regex(pyarrow.array([value]), f"^(?s:{pattern})$")
    except pyarrow.ArrowInvalid:
        return True
    return bool(hit.as_py())
