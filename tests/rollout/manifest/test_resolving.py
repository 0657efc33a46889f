"""What a run's metrics are, and which analyses cannot run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.rollout.manifest import AnalysisError, read, resolve
from sandbox.rollout.spec import AnalysisRef, Delivery, Metric, Rollout, Template
from tests.rollout.manifest.manifests import CANARY, VALID, changed


def metric(name: str = "m", *, query: str = "up", **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": {"prometheus": {"query": query}}} | fields


def resolved(
    *templates: Template,
    args: Mapping[str, str] | None = None,
    dry_run: tuple[str, ...] = (),
    background: bool = False,
) -> tuple[Metric, ...]:
    """The metrics of a run of all of these templates."""
    delivery = Delivery(Rollout("r", "s", "c"), {one.name: one for one in templates})
    ref = AnalysisRef(tuple(one.name for one in templates), args or {}, dry_run)
    return resolve(ref, delivery, background=background)


def one(
    *, background: bool = False, args: Mapping[str, str] | None = None, **fields: Any
) -> Metric:
    """A run of one metric; each argument is one of the template's."""
    template = Template("t", dict.fromkeys(args or {}), (metric(**fields),))
    [found] = resolved(template, args=args, background=background)
    return found


# -- what a run is made of


def test_a_run_of_a_real_manifest() -> None:
    delivery = read(VALID)
    step = delivery.rollout.steps[2]
    assert isinstance(step, AnalysisRef)
    errors, score, hours = resolve(step, delivery, background=False)
    assert errors == Metric(
        name="error-share",
        query='sum(rate(errors_total{track="canary"}[5m]))\n',
        interval_s=60.0,
        initial_delay_s=30.0,
        count=5,
        success_condition="result[0] < 0.05",
        failure_condition="result[0] > 0.2",
        failure_limit=1,
        consecutive_success_limit=2,
        inconclusive_limit=2,
        consecutive_error_limit=1,
        dry_run=False,
    )
    assert score == Metric(name="mean-score", query='avg(score{track="canary"})', dry_run=True)
    assert hours == Metric(name="null-hours", query="max(nulls)", dry_run=True)


def test_a_background_run_of_a_real_manifest() -> None:
    delivery = read(VALID)
    assert delivery.rollout.background is not None
    [latency] = resolve(delivery.rollout.background.analysis, delivery, background=True)
    assert latency == Metric(
        name="latency",
        query="latency_seconds",
        interval_s=30.0,
        success_condition="result[0] < 0.3",
    )


def test_what_is_left_out_has_argos_defaults() -> None:
    assert one() == Metric(
        name="m",
        query="up",
        interval_s=None,
        initial_delay_s=0.0,
        count=None,
        success_condition="",
        failure_condition="",
        failure_limit=0,
        consecutive_success_limit=0,
        inconclusive_limit=0,
        consecutive_error_limit=4,
        dry_run=False,
    )


def test_a_template_named_twice_is_there_once() -> None:
    template = Template("t", {}, (metric(),))
    assert len(resolved(template, template)) == 1


# -- arguments


def test_the_rollouts_value_wins_over_the_templates() -> None:
    template = Template("t", {"x": "default"}, (metric(query="q{{args.x}}"),))
    assert resolved(template)[0].query == "qdefault"
    assert resolved(template, args={"x": "given"})[0].query == "qgiven"
    assert resolved(template, args={"x": ""})[0].query == "q"


def test_arguments_are_put_in_everywhere() -> None:
    found = one(
        args={"a": "3", "t": "90s", "n": "name"},
        name="{{args.n}}",
        query="q{{args.a}}{{args.n}} {{ args.a }} {{\targs.a\n}}",
        interval="{{args.t}}",
        initialDelay="{{args.a}}m",
        count="{{args.a}}",
        successCondition="result[0] < {{args.a}}",
        failureCondition='"{{args.n}}" == ""',
        failureLimit="{{args.a}}",
        inconclusiveLimit="{{args.a}}",
        consecutiveErrorLimit="{{args.a}}",
        consecutiveSuccessLimit="0{{args.none}}".replace("{{args.none}}", ""),
    )
    assert found == Metric(
        name="name",
        query="q3name 3 3",
        interval_s=90.0,
        initial_delay_s=180.0,
        count=3,
        success_condition="result[0] < 3",
        failure_condition='"name" == ""',
        failure_limit=3,
        inconclusive_limit=3,
        consecutive_error_limit=3,
    )


def test_what_was_put_in_is_not_looked_at_again() -> None:
    assert one(args={"a": "{{args.b}}", "b": "x"}, query="{{args.a}}").query == "{{args.b}}"


def test_quotes_and_lines_in_a_value_stay_as_they_are() -> None:
    value = 'a"b\\n\n{c}'
    assert one(args={"a": value}, query="[{{args.a}}]").query == f"[{value}]"


def test_templates_of_one_run_share_their_arguments() -> None:
    first = Template("a", {"x": "1"}, (metric("one", query="{{args.x}}"),))
    second = Template("b", {"x": None}, (metric("two", query="{{args.x}}"),))
    assert [found.query for found in resolved(first, second)] == ["1", "1"]
    assert [found.query for found in resolved(second, first)] == ["1", "1"]


def test_an_interval_that_comes_out_empty_is_none() -> None:
    assert one(args={"a": ""}, interval="{{args.a}}").interval_s is None


def test_a_text_that_is_no_number_is_0_for_argo() -> None:
    found = one(args={"a": "ten"}, count="{{args.a}}", failureLimit="{{args.a}}")
    assert (found.count, found.failure_limit) == (None, 0)


# -- how often


@pytest.mark.parametrize(
    ("fields", "count", "interval_s"),
    [
        ({}, None, None),
        ({"count": 1}, 1, None),
        ({"count": "1"}, 1, None),
        ({"count": 0}, None, None),
        ({"count": 5, "interval": "1m"}, 5, 60.0),
        ({"count": 1, "interval": "1m"}, 1, 60.0),
        ({"count": 5, "interval": "0s"}, 5, 0.0),
        ({"count": -1, "interval": "1m"}, -1, 60.0),
    ],
)
def test_how_often_in_a_step(
    fields: dict[str, Any], count: int | None, interval_s: float | None
) -> None:
    found = one(**fields)
    assert (found.count, found.interval_s) == (count, interval_s)


@pytest.mark.parametrize("fields", [{"interval": "1m"}, {"interval": "1m", "count": 0}])
def test_without_end_beside_the_steps_only(fields: dict[str, Any]) -> None:
    found = one(background=True, **fields)
    assert (found.count, found.interval_s) == (None, 60.0)
    with pytest.raises(AnalysisError, match="metric 'm': it has no end"):
        one(**fields)


# -- limits

TAKEN = {
    "count equal to both limits": {"count": 5, "failureLimit": 3, "consecutiveSuccessLimit": 2},
    "count equal to the success limit": {
        "count": 3,
        "failureLimit": -1,
        "consecutiveSuccessLimit": 3,
    },
    "count equal to the inconclusive limit": {"count": 3, "inconclusiveLimit": 3},
    "limits without a count": {"failureLimit": 9, "inconclusiveLimit": 9, "count": 0},
    "no failure limit": {"count": 5, "failureLimit": -1, "consecutiveSuccessLimit": 1},
    "an error limit of 0": {"count": 5, "consecutiveErrorLimit": 0},
    "numbers as text": {"count": "5", "failureLimit": "+2", "inconclusiveLimit": "03"},
}


@pytest.mark.parametrize("rule", TAKEN)
def test_limits_that_go_together(rule: str) -> None:
    assert one(background=True, interval="1m", **TAKEN[rule]).interval_s == 60.0


ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "a negative success limit": ({"consecutiveSuccessLimit": -1}, "consecutiveSuccessLimit must"),
    "a failure limit below -1": ({"failureLimit": -2}, "failureLimit must be >= 0, or -1"),
    "no limit at all": ({"failureLimit": -1}, "cannot both be off"),
    "a negative inconclusive limit": ({"inconclusiveLimit": -1}, "inconclusiveLimit must"),
    "a negative error limit": ({"consecutiveErrorLimit": -1}, "consecutiveErrorLimit must"),
    "a count below both limits": (
        {"count": 4, "failureLimit": 3, "consecutiveSuccessLimit": 2},
        r"count \(4\) must be >= failureLimit \+ consecutiveSuccessLimit \(5\)",
    ),
    "a count below the failure limit": ({"count": 2, "failureLimit": 3}, "failureLimit"),
    "a count below the success limit": (
        {"count": 2, "failureLimit": -1, "consecutiveSuccessLimit": 3},
        r"consecutiveSuccessLimit \(3\)",
    ),
    "a count below the inconclusive limit": ({"count": 2, "inconclusiveLimit": 3}, "inconclusive"),
    "a number beyond 32 bits": ({"count": str(2**31)}, "32 bits"),
    "a number beyond any": ({"failureLimit": "9" * 5000}, "32 bits"),
    "an interval without a unit": ({"interval": "30"}, "interval: '30' is no duration"),
    "a delay without a unit": ({"initialDelay": "30"}, "initialDelay: '30' is no duration"),
    "a negative interval": ({"interval": "-30s"}, "negative"),
    "a condition beyond the language here": (
        {"successCondition": "abs(result[0]) < 1"},
        "successCondition: the function abs is not supported here",
    ),
    "an address that is no URL": (
        {"provider": {"prometheus": {"query": "up", "address": "prometheus"}}},
        "no URL",
    ),
}


@pytest.mark.parametrize("rule", ERRORS)
def test_a_run_that_is_an_error_at_once(rule: str) -> None:
    fields, said = ERRORS[rule]
    with pytest.raises(AnalysisError, match=f"metric 'm': .*{said}"):
        one(background=True, **({"interval": "1m"} | fields))


def test_many_measurements_need_an_interval() -> None:
    with pytest.raises(AnalysisError, match=r"count \(2\) needs an interval"):
        one(count=2)


def test_wrong_limits_are_found_when_the_run_begins() -> None:
    """They do not make the rollout invalid (`ValidateMetrics` is called by the analysis only)."""
    delivery = read(changed(("errors.spec.metrics[0].failureLimit", 9)))
    step = delivery.rollout.steps[2]
    assert isinstance(step, AnalysisRef)
    with pytest.raises(AnalysisError, match=r"count \(5\) must be >= failureLimit"):
        resolve(step, delivery, background=False)


# -- what does not go together


def test_no_metric_at_all() -> None:
    with pytest.raises(AnalysisError, match="no metrics"):
        resolved(Template("t", {}, ()))


def test_an_argument_without_a_value() -> None:
    with pytest.raises(AnalysisError, match="argument 'x' has no value"):
        resolved(Template("t", {"x": None}, (metric(),)))


def test_templates_that_disagree() -> None:
    first = Template("a", {"x": "1"}, (metric("one"),))
    second = Template("b", {"x": "2"}, (metric("two"),))
    with pytest.raises(AnalysisError, match="'x' different values"):
        resolved(first, second, args={"x": "3"})


def test_a_name_twice() -> None:
    with pytest.raises(AnalysisError, match="metric 'm' is there twice"):
        resolved(Template("a", {}, (metric(),)), Template("b", {}, (metric(),)))


def test_a_name_twice_once_arguments_are_put_in() -> None:
    template = Template("t", {"x": "m"}, (metric("m"), metric("{{args.x}}")))
    with pytest.raises(AnalysisError, match="metric 'm' is there twice"):
        resolved(template)


def test_a_template_that_is_not_there() -> None:
    delivery = Delivery(Rollout("r", "s", "c"), {})
    with pytest.raises(AnalysisError, match="no AnalysisTemplate 't'"):
        resolve(AnalysisRef(("t",)), delivery, background=False)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{{args.y}}", r"{{args\.y}} is no argument"),
        ("{{x}}", r"{{x}} is no argument"),
        ("{{}}", r"{{}} is no argument"),
        ("{{{args.x}}}", r"{{{args\.x}} is no argument"),
        ("{{ $labels.track }}", "is no argument"),
        ("a {{args.x", "{{ without }} in 'a {{args.x'"),
    ],
)
def test_what_is_in_braces_is_an_argument(query: str, said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        one(args={"x": "1"}, query=query)


@pytest.mark.parametrize("query", ["a}} {b} { {", 'x{a="b"}', "}}{"])
def test_other_braces_are_nobodys_business(query: str) -> None:
    assert one(args={"x": "1"}, query=query).query == query


# -- dry runs


@pytest.mark.parametrize(
    ("rule", "dry"),
    [
        (".*", {"mean", "meaning", "share"}),
        ("", {"mean", "meaning", "share"}),
        ("mean", {"mean", "meaning"}),
        ("^mean$", {"mean"}),
        ("ea|ar", {"mean", "meaning", "share"}),
        ("an?i", {"meaning"}),
        (r"\Amea\pL+ng\z", {"meaning"}),  # Go's own syntax
    ],
)
def test_a_dry_run_is_found_by_a_regular_expression(rule: str, dry: set[str]) -> None:
    names = ("mean", "meaning", "share")
    template = Template("t", {}, tuple(metric(name) for name in names))
    by_rollout = resolved(template, dry_run=(rule,))
    assert {found.name for found in by_rollout if found.dry_run} == dry
    by_template = resolved(Template("t", {}, template.metrics, (rule,)))
    assert by_template == by_rollout


@pytest.mark.parametrize("rule", ["other", "*", "(", "MEAN", "(?=m)", "a{1001}"])
def test_a_rule_that_finds_nothing_is_an_error(rule: str) -> None:
    template = Template("t", {}, (metric("mean"),))
    with pytest.raises(AnalysisError, match=r"dryRun\[1\]: .* finds none of the metrics"):
        resolved(template, dry_run=(".*", rule))


def test_one_rule_twice() -> None:
    template = Template("t", {}, (metric(),), ("m",))
    with pytest.raises(AnalysisError, match="dryRun rule 'm' is there twice"):
        resolved(template, dry_run=("m",))


# -- hostile


def test_a_rule_that_would_keep_python_busy_for_ever_takes_no_time() -> None:
    template = Template("t", {}, (metric("a" * 5000 + "!"),))
    start = time.monotonic()
    with pytest.raises(AnalysisError, match="finds none"):
        resolved(template, dry_run=("(a+)+$",))
    assert time.monotonic() - start < 10


def test_arguments_do_not_fill_the_memory() -> None:
    with pytest.raises(AnalysisError, match="more than 1,000,000 characters"):
        one(args={"a": "x" * 1000}, query="{{args.a}}" * 1001)
    assert len(one(args={"a": "x" * 1000}, query="{{args.a}}" * 1000).query) == 1_000_000


def test_open_braces_take_no_time() -> None:
    start = time.monotonic()
    with pytest.raises(AnalysisError, match="without"):
        one(query="{{" * 100_000)
    assert time.monotonic() - start < 10


def test_a_manifest_of_many_arguments_is_read_or_refused() -> None:
    bomb = [{"name": "limit", "value": "x" * 50_000}]
    query = "{{args.limit}}" * 5_000
    path = "latency.spec.metrics[0].provider.prometheus.query"
    delivery = read(changed((f"{CANARY}.analysis.args", bomb), (path, query)))
    assert delivery.rollout.background is not None
    with pytest.raises(AnalysisError, match="more than 1,000,000 characters"):
        resolve(delivery.rollout.background.analysis, delivery, background=True)
