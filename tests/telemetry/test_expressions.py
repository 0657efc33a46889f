"""What an expression says by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from sandbox.telemetry import expressions
from sandbox.telemetry.expressions import Matcher, Selector
from sandbox.telemetry.remote_write import Batch
from sandbox.telemetry.rulefile import EXPR_CHARACTERS_MAX
from sandbox.telemetry.series import series

if TYPE_CHECKING:
    from sandbox.telemetry.prometheus import Prometheus

START = 1_372_636_800


def selectors(expr: str) -> list[Selector]:
    tree = expressions.parse(expr)
    assert tree is not None
    return expressions.selectors(tree)


def test_every_selector_is_found_once_and_in_order() -> None:
    expr = (
        'sum by (job) (rate(a_total{code=~"5.."}[5m])) / b > on(job) group_left c or '
        "max_over_time((-d + topk(3, e))[1h:5m]) unless absent({__name__='f'})"
    )
    assert list(map(str, selectors(expr))) == [
        'a_total{code=~"5.."}',
        *"bcde",
        '{__name__="f"}',
    ]
    assert [one.range_s for one in selectors(expr)] == [300, None, None, None, None, None]


@pytest.mark.parametrize("expr", ["", "sum(", "a b", "nope(a)", "a{b=}"])
def test_what_is_no_expression_has_no_tree(expr: str) -> None:
    assert expressions.parse(expr) is None


@pytest.mark.parametrize("expr", ["(" * 2499 + "x" + ")" * 2499, "x" + "+x" * 2499])
def test_the_deepest_expression_of_a_file_is_walked(expr: str) -> None:
    assert len(expr) == EXPR_CHARACTERS_MAX - 1
    assert set(map(str, selectors(expr))) == {"x"}


@pytest.mark.parametrize(
    ("matcher", "accepted", "refused"),
    [
        (Matcher("a", "=", "x"), ["x"], ["", "xx"]),
        (Matcher("a", "!=", "x"), ["", "xx"], ["x"]),
        (Matcher("a", "=~", "x|y.+"), ["x", "y1"], ["", "y", "xx"]),
        (Matcher("a", "!~", "x|y.+"), ["", "y", "xx"], ["x", "y1"]),
        (Matcher("a", "=~", ""), [""], ["x"]),
        (Matcher("a", "=~", "("), ["x"], []),
        (Matcher("a", "=~", "(a+)+"), ["a" * 50], ["a" * 50 + "!"]),
    ],
)
def test_matchers_accept_what_prometheus_does(
    matcher: Matcher, accepted: list[str], refused: list[str]
) -> None:
    assert all(map(matcher.accepts, accepted))
    assert not any(map(matcher.accepts, refused))


@pytest.mark.parametrize(
    ("expr", "is_about"),
    [
        ("a:b", True),
        ("a", False),
        ('{__name__="a:b"}', True),
        ('{__name__=~"a:.*"}', True),
        ('{__name__=~"a:.*",__name__!="a:b"}', False),
        ('{__name__=~".+"}', False),
        ('{job="svc"}', False),
    ],
)
def test_a_selector_is_about_a_metric_or_not(expr: str, is_about: bool) -> None:
    [selector] = selectors(expr)
    assert selector.names("a:b") is is_about


PRINTED = [
    'a{b="c",d!="e",f=~"g.*",h!~"i|j"}',
    r'a{b=~"\\d+\\.\\d",c="say \"so\""}',
    "sum by (job) (rate(a_total[5m]))",
    "sum without (job) (a)",
    "topk(2, a)",
    "quantile(0.9, a) by (job)",
    "max(a)",
    "a offset 5m",
    "rate(a_total[5m] offset 1m)",
    "avg_over_time((a - b)[1h:5m] offset 10m)",
    "max_over_time(a[1h:])",
    "-a ^ 2",
    "(a + b) * c % 2",
    "a > on (job) group_left (x) b",
    "a and ignoring (instance) b or a unless on (instance) nothing",
    "a > bool 1.5",
    r'label_replace(a, "x", "$1\"", "job", "(\\w+)")',
    "absent(nothing) * time()",
    "a < +Inf",
    "a != NaN",
    "a > 1e-12",
    "rate(a_total[1h30m])",
]


@pytest.fixture
def written(prometheus: Prometheus) -> Prometheus:
    batch = Batch()
    for minute in range(30):
        for number, name in enumerate(("a", "b", "c", "a_total")):
            labels = {"job": "svc", "b": "c", "f": "gh", "x": "1"}
            value = 3 * math.sin(minute + number) + minute
            batch.add(series(name, labels), 1000 * (START + 60 * minute), value)
            other = {**labels, "job": "4.2", "b": "1.5", "c": 'say "so"'}
            batch.add(series(name, other), 1000 * (START + 60 * minute), -value)
    prometheus.write(batch)
    return prometheus


def test_a_printed_expression_means_the_same(written: Prometheus) -> None:
    for expr in PRINTED:
        tree = expressions.parse(expr)
        assert tree is not None, expr

        def answer(words: str) -> str:
            found = written.query_range(words, START, START + 1800, 60)
            return repr(sorted(found, key=lambda one: sorted(one.labels.items())))

        assert answer(expressions.text(tree)) == answer(expr), expr
        assert answer(expr) != "[]", expr


@pytest.mark.parametrize(
    ("expr", "scalar"),
    [
        ("1", True),
        ("-(1 + time())", True),
        ("scalar(a) / 2", True),
        ("vector(1)", False),
        ("a", False),
        ("sum(a)", False),
        ("1 + a", False),
    ],
)
def test_what_is_one_plain_number(expr: str, scalar: bool) -> None:
    tree = expressions.parse(expr)
    assert tree is not None
    assert expressions.gives_scalar(tree) is scalar
