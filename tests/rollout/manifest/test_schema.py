"""Argo's schema: the table is whole, and an object is checked against it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sandbox.rollout.manifest import schema
from sandbox.rollout.manifest.fields import SHAPES, WITHOUT_EFFECT
from sandbox.rollout.manifest.problems import Place, Problem

BY_NAME = "Argo knows it; the sandbox does not run it"


def checked(value: dict[str, Any], shape: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What is left of an object, and its problems by path."""
    problems: list[Problem] = []
    found = schema.read(value, shape, Place("here: ", problems))
    return found, {problem.path.removeprefix("here: "): problem.what for problem in problems}


# -- the table


def test_every_shape_is_used_and_every_used_shape_is_there() -> None:
    used = {field.shape for fields in SHAPES.values() for field in fields.values() if field.shape}
    assert used == set(SHAPES) - {"Rollout", "AnalysisTemplate"}


def test_every_type_is_one_of_those_that_are_checked() -> None:
    types = {field.type for fields in SHAPES.values() for field in fields.values()}
    assert types == {"", "#", "?", "%", "*", "{}", "[]", ":T", "[T]", "{T}"}


def test_what_is_accepted_without_effect_has_a_reason() -> None:
    reasons = set(WITHOUT_EFFECT) - {"Service"}
    for shape, fields in SHAPES.items():
        for name, field in fields.items():
            if field.use == "~":
                inside = [
                    f"{outer}.{key}"
                    for outer, outers in SHAPES.items()
                    for key, holder in outers.items()
                    if holder.shape == shape and holder.use
                ]
                named = [{f"{shape}.{name}"}, {shape}, set(inside)]
                assert any(some and some <= set(WITHOUT_EFFECT) for some in named), (shape, name)
                reasons -= set().union(*named)
    assert not reasons


def test_what_is_run_can_be_reached() -> None:
    """A field that is run inside of one that is refused would be a promise that nobody keeps."""
    reached, todo = set(), {"Rollout", "AnalysisTemplate"}
    while todo:
        reached |= todo
        fields = [field for shape in todo for field in SHAPES[shape].values() if field.use]
        todo = {field.shape for field in fields if field.shape} - reached
    runs = {shape for shape, fields in SHAPES.items() if any(f.use for f in fields.values())}
    assert runs == reached


# Names of Argo's at every level, those that its documents use most.
ARGOS = {
    "RolloutSpec": "workloadRef restartAt rollbackWindow paused",
    "RolloutStrategy": "blueGreen",
    "BlueGreenStrategy": "activeService prePromotionAnalysis autoPromotionEnabled previewMetadata",
    "CanaryStrategy": "antiAffinity canaryMetadata stableMetadata dynamicStableScale pingPong"
    " minPodsPerReplicaSet replicaProgressThreshold scaleDownDelayRevisionLimit",
    "CanaryStep": "experiment setCanaryScale setHeaderRoute setMirrorRoute plugin",
    "RolloutTrafficRouting": "alb ambassador apisix appMesh istio managedRoutes maxTrafficWeight"
    " nginx plugins smi",
    "RolloutAnalysis": "measurementRetention",
    "AnalysisTemplateRef": "clusterScope",
    "AnalysisRunArgument": "valueFrom",
    "LabelSelector": "matchExpressions",
    "AnalysisTemplateSpec": "measurementRetention templates",
    "MetricProvider": "cloudWatch datadog graphite influxdb job kayenta newRelic plugin"
    " skywalking wavefront web",
    "PrometheusMetric": "authentication headers insecure rangeQuery",
}


@pytest.mark.parametrize(
    ("shape", "name"), [(shape, name) for shape in ARGOS for name in ARGOS[shape].split()]
)
def test_what_the_sandbox_does_not_run_is_refused_by_name(shape: str, name: str) -> None:
    found, problems = checked({name: True}, shape)
    assert problems[name] == BY_NAME
    assert found[name] is schema.WRONG


# -- an object


@pytest.mark.parametrize(
    ("shape", "name", "value", "what"),
    [
        # text
        ("CanaryStrategy", "canaryService", 5, "text, not the number 5: put it in quotes"),
        ("CanaryStrategy", "canaryService", True, "text, not true: put it in quotes"),
        ("CanaryStrategy", "canaryService", {}, "text, not an object"),
        # a whole number
        ("CanaryStep", "setWeight", "20", "a whole number, not the text '20'"),
        ("CanaryStep", "setWeight", True, "a whole number, not true"),
        ("CanaryStep", "setWeight", 20.5, "a whole number, not the number 20.5"),
        ("CanaryStep", "setWeight", float("nan"), "a whole number, not the number nan"),
        ("CanaryStep", "setWeight", 2**31, "a whole number, not the number 2147483648"),
        ("CanaryStep", "setWeight", [5], "a whole number, not a list of 1"),
        # a whole number or text
        ("Metric", "count", 1.5, "a whole number or text, not the number 1.5"),
        ("Metric", "count", False, "a whole number or text, not false"),
        # true or false
        ("RolloutSpec", "progressDeadlineAbort", "yes", "true or false, not the text 'yes'"),
        ("RolloutSpec", "progressDeadlineAbort", 1, "true or false, not the number 1"),
        # names with texts
        ("LabelSelector", "matchLabels", {"a": 1}, "'a' is no text: put it in quotes"),
        ("LabelSelector", "matchLabels", ["a"], "names with texts, not a list of 1"),
        # a list of texts
        ("ObjectMeta", "finalizers", ["a", 1], "a list of texts, not a list of 2"),
        ("ObjectMeta", "finalizers", "a", "a list of texts, not the text 'a'"),
        # objects
        ("CanaryStep", "pause", "10s", "an object, not the text '10s'"),
        ("CanaryStep", "pause", [], "an object, not a list of 0"),
        ("CanaryStrategy", "steps", {}, "a list of at most 100, not an object"),
        ("CanaryStrategy", "steps", [{}] * 101, "a list of at most 100, not a list of 101"),
    ],
)
def test_a_value_of_another_type(shape: str, name: str, value: object, what: str) -> None:
    found, problems = checked({name: value}, shape)
    assert what in problems.pop(name)
    assert all(said == "missing" for said in problems.values())
    assert found[name] is schema.WRONG


@pytest.mark.parametrize(
    ("shape", "name", "value", "left"),
    [
        ("CanaryStep", "setWeight", 20, 20),
        ("CanaryStep", "setWeight", 20.0, 20),
        ("Metric", "interval", "1m", "1m"),
        ("RolloutPause", "duration", "10", "10"),
        ("RolloutPause", "duration", 10, 10),
        ("RolloutPause", "duration", 10.0, 10),
        ("RolloutSpec", "progressDeadlineAbort", False, False),
        ("LabelSelector", "matchLabels", {"a": "b"}, {"a": "b"}),
        ("CanaryStep", "pause", {}, {}),
        ("CanaryStrategy", "steps", [{"setWeight": 5}, {}], [{"setWeight": 5}, {}]),
        ("RolloutSpec", "template", ["anything", 5], ["anything", 5]),
    ],
)
def test_a_value_of_its_type(shape: str, name: str, value: object, left: object) -> None:
    found, problems = checked({name: value}, shape)
    assert all(said == "missing" for said in problems.values())
    assert found[name] == left
    assert type(found[name]) is type(left)


def test_what_is_required_and_not_there_is_missing() -> None:
    _, problems = checked({"provider": None}, "Metric")
    assert problems == {"name": "missing", "provider": "missing"}


def test_what_is_there_and_wrong_is_not_missing() -> None:
    _, problems = checked({"name": 5, "provider": {}}, "Metric")
    assert list(problems) == ["name"]


def test_an_entry_that_is_no_object_keeps_its_number() -> None:
    found, problems = checked(
        {"steps": [{"setWeight": 5}, None, {"setWeigth": 6}]}, "CanaryStrategy"
    )
    assert problems == {
        "steps[1]": "has to be an object, not nothing",
        "steps[2].setWeigth": "unknown field; is it setWeight?",
    }
    assert found["steps"][1] is schema.WRONG


@pytest.mark.parametrize(
    ("shape", "name", "meant"),
    [
        ("CanaryStep", "setweight", "setWeight"),
        ("CanaryStep", "set_weight", "setWeight"),
        ("CanaryStep", "analyses", "analysis"),
        ("Metric", "successCondtion", "successCondition"),
        ("Metric", "failLimit", "failureLimit"),
        ("CanaryStrategy", "stableservice", "stableService"),
        ("RolloutTrafficRouting", "trafik", "traefik"),
    ],
)
def test_the_nearest_name_is_suggested(shape: str, name: str, meant: str) -> None:
    _, problems = checked({name: 1}, shape)
    assert problems[name] == f"unknown field; is it {meant}?"


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    _, problems = checked({"zzz": 1}, "CanaryStep")
    assert problems == {"zzz": "unknown field"}


def test_names_are_checked_within_what_is_refused_and_types_are_not() -> None:
    route = {"name": 5, "match": [{"headerName": 1, "headerValues": {}}], "nme": 1}
    _, problems = checked({"setHeaderRoute": route}, "CanaryStep")
    assert problems == {
        "setHeaderRoute": BY_NAME,
        "setHeaderRoute.match[0].headerValues": "unknown field; is it headerValue?",
        "setHeaderRoute.nme": "unknown field; is it name?",
    }
    mirror = {"match": [{"headers": {"any": {"exact": 1, "exactly": 2}}}]}
    _, problems = checked({"setMirrorRoute": mirror}, "CanaryStep")
    assert list(problems) == ["setMirrorRoute", "setMirrorRoute.match[0].headers.any.exactly"]


def test_ten_thousand_unknown_names_take_no_time() -> None:
    start = time.monotonic()
    _, problems = checked({f"setWeigh{number}": 1 for number in range(10_000)}, "CanaryStep")
    assert len(problems) == 10_000
    assert time.monotonic() - start < 10
