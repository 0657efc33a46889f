"""Why an alert never fires, in one or two sentences for the person who wrote it.

The expression is taken apart from the top. Where a part gives nothing, the reason is looked for in
what it is made of, by asking the same Prometheus about each: a metric that does not exist, a label
that no series has, two sides that share no labels, a bound that was never reached.
"""

from __future__ import annotations

import difflib
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import promql_parser as promql

from sandbox.telemetry import expressions
from sandbox.telemetry.expressions import text
from sandbox.telemetry.prometheus import QueryError
from sandbox.telemetry.rulefile import written
from sandbox.telemetry.series import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.telemetry.expressions import Selector
    from sandbox.telemetry.prometheus import Prometheus, RangeSeries
    from sandbox.telemetry.rulefile import Rule
    from sandbox.telemetry.rules import RuleOutcome

# A person waits for the answer, and the expression may be anything.
DEADLINE_S = 5.0
_DEPTH_MAX = 30
_SHOWN_MAX = 5
_CHARACTERS_MAX = 80
_UNEXPLAINED = "its expression gave nothing at any evaluation"
_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
_TWO_SAMPLES = frozenset(
    {"rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "holt_winters"}
)


def explain(  # noqa: PLR0917 - the span comes as three values everywhere
    prometheus: Prometheus,
    rule: Rule,
    outcome: RuleOutcome,
    start_s: float,
    end_s: float,
    step_s: float,
    unrecorded: Mapping[str, str] | None = None,
) -> str:
    """What became of a rule, and if it is nothing, why.

    Args:
        prometheus: the server that evaluated it, with all samples.
        rule: the rule.
        outcome: what became of it.
        start_s: simulated time of the first evaluation, seconds since 1970.
        end_s: of the last one.
        step_s: seconds between two: the scrape interval.
        unrecorded: why recording rules of the file could not be evaluated, by name.

    Raises:
        HarnessFault: Prometheus cannot be reached.
    """
    deadline = time.monotonic() + DEADLINE_S
    search = _Search(prometheus, start_s, end_s, step_s, deadline, unrecorded or {})
    if outcome.problem:
        return f"{rule.name} cannot be evaluated: {outcome.problem.rstrip('.')}."
    if outcome.firings:
        return _fired(outcome, search)
    if rule.kind == "record" and outcome.active:
        return f"{rule.name} records {outcome.series} series."
    if outcome.active:
        return (
            f"{rule.name} was pending and never fired: its condition held for at most "
            f"{written(outcome.longest_s)} without a gap, and `for` is {written(rule.for_s)}."
        )
    what = "records nothing" if rule.kind == "record" else "never fires"
    return f"{rule.name} {what}: {search.why(rule.expr)}."


def _fired(outcome: RuleOutcome, search: _Search) -> str:
    first, count = outcome.firings[0], len(outcome.firings)
    how_often = "fired" if count == 1 else f"fired {count} times, the first time"
    until = "to the end" if first.end_s is None else f"for {written(first.end_s - first.start_s)}"
    return f"{outcome.rule.name} {how_often} at {search.when(first.start_s)}, {until}."


class _UnknownError(Exception):
    """No reason could be found."""


@dataclass(frozen=True)
class _Search:
    """Looks for the reason why an expression gives nothing between two times."""

    prometheus: Prometheus
    start_s: float
    end_s: float
    step_s: float
    deadline: float
    unrecorded: Mapping[str, str]
    known: dict[str, list[RangeSeries]] = field(default_factory=dict)

    def why(self, expr: str) -> str:
        """The reason, as a clause without a full stop."""
        tree = expressions.parse(expr)
        try:
            return self._why(tree, 0) if tree else _UNEXPLAINED
        except (QueryError, _UnknownError):
            return _UNEXPLAINED

    def when(self, at_s: float) -> str:
        """A simulated time, as a date and counted from the start."""
        date = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")
        return f"{date} UTC ({written(at_s - self.start_s)} after the start)"

    def _ask(self, expr: str) -> list[RangeSeries]:
        if time.monotonic() > self.deadline:
            raise _UnknownError
        if expr not in self.known:
            self.known[expr] = self.prometheus.query_range(
                expr, self.start_s, self.end_s, self.step_s
            )
        return self.known[expr]

    def _why(self, node: promql.Expr, depth: int) -> str:
        """Why a node that gives nothing gives nothing."""
        node = _bare(node)
        if depth > _DEPTH_MAX:
            raise _UnknownError
        selector = expressions.selector(node)
        if selector is not None:
            return self._why_no_series(selector)
        if isinstance(node, promql.BinaryExpr):
            return self._why_binary(node, depth)
        if isinstance(node, promql.Call):
            return self._why_call(node, depth)
        for child in expressions.children(node):
            if self._empty(child):
                return self._why(child, depth + 1)
        return f"{_shown(node)} gives nothing"

    def _empty(self, node: promql.Expr) -> bool:
        """Whether a node gives nothing at any instant."""
        if isinstance(node, promql.NumberLiteral | promql.StringLiteral):
            return False
        selector = expressions.selector(node)
        if selector is not None and selector.range_s is not None:
            return not self._ask(f"count_over_time({text(node)})")
        if isinstance(node, promql.SubqueryExpr):
            return not self._ask(f"count_over_time({text(node)})")
        return not self._ask(text(node))

    def _why_no_series(self, selector: Selector) -> str:
        names = self.prometheus.names(self.start_s, self.end_s)
        if selector.name and selector.name not in names:
            if problem := self.unrecorded.get(selector.name):
                return f"{selector.name} could not be recorded: {problem.rstrip('.')}"
            near = difflib.get_close_matches(selector.name, names, n=_SHOWN_MAX)
            close = f"; the nearest names are {', '.join(near)}" if near else ""
            return f"there is no metric {selector.name}{close}"
        matchers = tuple(m for m in selector.matchers if m.name != NAME)
        named = tuple(m for m in selector.matchers if m.name == NAME)
        whole = expressions.Selector(selector.name, named)
        # Series without a name are asked for by a matcher that everything passes.
        found = self.prometheus.series(
            str(whole) if whole.name or whole.matchers else f'{{{NAME}!=""}}',
            self.start_s,
            self.end_s,
        )
        if not found:
            return f"there is no metric that matches {whole}"
        for matcher in matchers:
            values = {labels.get(matcher.name, "") for labels in found}
            if not any(map(matcher.accepts, values)):
                return _no_such_label(whole, matcher, values)
        if len(matchers) > 1:
            return f"no series has all of {', '.join(map(str, matchers))}"
        return f"{selector} has no samples at the times it is looked at"

    def _why_call(self, node: promql.Call, depth: int) -> str:
        for child in expressions.children(node):
            if self._empty(child):
                if node.func.name.startswith("absent"):
                    continue
                return self._why(child, depth + 1)
        if node.func.name.startswith("absent"):
            return f"{_shown(node.args[0])} is there at every evaluation"
        selector = expressions.selector(node.args[0]) if node.args else None
        if selector and selector.range_s is not None and node.func.name in _TWO_SAMPLES:
            counts = self._ask(f"count_over_time({text(node.args[0])})")
            most = max(value for series in counts for _, value in series.points)
            if most < 2:  # noqa: PLR2004 - a slope needs two points
                return (
                    f"the range of {_shown(node)} holds {most:g} sample at a scrape every "
                    f"{written(self.step_s)}, and {node.func.name} needs two; "
                    f"[{written(4 * self.step_s)}] would hold enough"
                )
        if node.func.name == "histogram_quantile" and not any(
            "le" in series.labels for series in self._ask(text(node.args[1]))
        ):
            return f"{_shown(node.args[1])} has no label le, which histogram_quantile needs"
        return f"{_shown(node)} gives nothing, although what it is given has values"

    def _why_binary(self, node: promql.BinaryExpr, depth: int) -> str:
        operator = str(node.op)
        empty = [side for side in (node.lhs, node.rhs) if self._empty(side)]
        if operator == "or":
            return "; and ".join(self._why(side, depth + 1) for side in empty)
        if empty and (operator != "unless" or empty[0] is node.lhs):
            return self._why(empty[0], depth + 1)
        if operator == "unless":
            return f"whenever {_shown(node.lhs)} is there, {_shown(node.rhs)} takes it away"
        labels = self._why_no_match(node)
        if labels:
            return labels
        if operator in _FLIPPED:
            return self._why_never_true(node)
        return _never_together(node)

    def _why_no_match(self, node: promql.BinaryExpr) -> str:
        """Why no series of one side goes with one of the other; empty if they do, or never meet."""
        if any(map(expressions.gives_scalar, (node.lhs, node.rhs))):
            return ""
        left, right = self._ask(text(node.lhs)), self._ask(text(node.rhs))
        modifier = node.modifier
        matching = modifier.matching if modifier else None
        names = list(matching.labels) if matching else []
        on = matching is not None and matching.type == promql.LabelModifierType.Include

        def key(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
            return frozenset(
                pair
                for pair in labels.items()
                if (pair[0] in names if on else pair[0] not in names and pair[0] != NAME)
            )

        if {key(one.labels) for one in left} & {key(one.labels) for one in right}:
            return ""
        return (
            f"no series on the two sides of {node.op} have the same labels: "
            f"{_pairs(key(left[0].labels))} on the left, {_pairs(key(right[0].labels))} on the "
            "right; on(...) or ignoring(...) says which have to agree"
        )

    def _why_never_true(self, node: promql.BinaryExpr) -> str:
        """What the left side of a comparison came to, against its bound."""
        operator, left, right = str(node.op), node.lhs, node.rhs
        if isinstance(_bare(left), promql.NumberLiteral):
            operator, left, right = _FLIPPED[operator], right, left
        bound = _bare(right)
        if isinstance(bound, promql.NumberLiteral):
            values = self._ask(text(left))
            wanted, what = f"{operator} {bound.val:g}", _shown(left)
        else:
            modifier = f" {node.modifier}" if node.modifier else ""
            try:
                values = self._ask(f"({text(left)}) -{modifier} ({text(right)})")
            except QueryError as error:
                # A comparison matches only what it finds true; the fault waits for its first alert.
                return f"its condition was never true, and would be refused if it were: {error}"
            wanted, what = f"{operator} 0", f"{_shown(left)} minus {_shown(right)}"
        if not values:
            return _never_together(node)
        points = [p for series in values for p in series.points if not math.isnan(p[1])]
        if not points:
            return f"{what} is not a number at any evaluation, as 0/0 is not"
        lowest = min(points, key=lambda point: point[1])
        highest = max(points, key=lambda point: point[1])
        if operator in (">", ">="):
            seen = f"was at most {highest[1]:.6g}, at {self.when(highest[0])}"
        elif operator in ("<", "<="):
            seen = f"was at least {lowest[1]:.6g}, at {self.when(lowest[0])}"
        else:
            seen = f"was between {lowest[1]:.6g} and {highest[1]:.6g}"
        return f"{what} {seen}; the condition is {wanted}"


def _no_such_label(whole: Selector, matcher: expressions.Matcher, values: set[str]) -> str:
    """What is said where one matcher leaves nothing."""
    seen = sorted(values - {""})
    metric = str(whole) if whole.name or whole.matchers else "any metric"
    if not seen:
        return f"no series of {metric} has a label {matcher.name}, as {matcher} asks for"
    listed = ", ".join(value[:_CHARACTERS_MAX] for value in seen[:_SHOWN_MAX])
    more = f" and {len(seen) - _SHOWN_MAX} more" if len(seen) > _SHOWN_MAX else ""
    return f"no series of {metric} has {matcher}; its {matcher.name} is {listed}{more}"


def _never_together(node: promql.BinaryExpr) -> str:
    return f"{_shown(node.lhs)} and {_shown(node.rhs)} never have values at the same time"


def _bare(node: promql.Expr) -> promql.Expr:
    while isinstance(node, promql.ParenExpr):
        node = node.expr
    return node


def _pairs(labels: frozenset[tuple[str, str]]) -> str:
    shown = ", ".join(f'{name}="{value[:40]}"' for name, value in sorted(labels)[:_SHOWN_MAX])
    return f"{{{shown}}}" if shown else "none"


def _shown(node: promql.Expr) -> str:
    """A node as a person may read it in a sentence."""
    words = text(_bare(node))
    return words if len(words) <= _CHARACTERS_MAX else words[: _CHARACTERS_MAX - 4] + " ..."
