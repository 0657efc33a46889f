"""What in a manifest is refused, where, and by which words."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sandbox.rollout.manifest import ManifestError, Problem, read
from tests.rollout.manifest.manifests import CANARY, DOCUMENTS, GONE, changed


def problems(manifest: str) -> dict[str, str]:
    """What is wrong with a manifest, by path."""
    with pytest.raises(ManifestError) as caught:
        read(manifest)
    found = {problem.path: problem.what for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems)
    return found


STEPS = "Rollout/flight-delay: spec.strategy.canary.steps"
ROLLOUT = "Rollout/flight-delay: spec"
PATH = "Rollout/flight-delay: spec.strategy.canary"
METRIC = "errors.spec.metrics[0]"
MINE = "AnalysisTemplate/errors: spec.metrics[0]"
BY_NAME = "Argo knows it; the sandbox does not run it"

REFUSED: dict[str, tuple[str, Any, str, str]] = {
    # conditions
    "a function beyond the language here": (
        f"{METRIC}.successCondition",
        "abs(result[0] - 1) < 0.15",
        f"{MINE}.successCondition",
        "the function abs is not supported here",
    ),
    "an operator beyond the language here": (
        f"{METRIC}.failureCondition",
        "(result[0] ?? 1) > 2",
        f"{MINE}.failureCondition",
        "not supported here",
    ),
    # steps
    "a weight below 0": (f"{CANARY}.steps[0].setWeight", -1, f"{STEPS}[0].setWeight", "0 to 100"),
    "a weight above 100": (f"{CANARY}.steps[0].setWeight", 101, f"{STEPS}[0].setWeight", "not 101"),
    "a weight in quotes": (
        f"{CANARY}.steps[0].setWeight",
        "5",
        f"{STEPS}[0].setWeight",
        "text '5'",
    ),
    "half a percent": (f"{CANARY}.steps[0].setWeight", 0.5, f"{STEPS}[0].setWeight", "number 0.5"),
    "two things in a step": (f"{CANARY}.steps[0].pause", {}, f"{STEPS}[0]", "pause and setWeight"),
    "an empty step": (f"{CANARY}.steps[0]", {}, f"{STEPS}[0]", "no step"),
    "a pause of nothing": (f"{CANARY}.steps[4]", {"pause": None}, f"{STEPS}[4]", "{} waits"),
    "a step that is no object": (f"{CANARY}.steps[0]", "pause", f"{STEPS}[0]", "an object"),
    "a negative pause": (
        f"{CANARY}.steps[1].pause.duration",
        -1,
        f"{STEPS}[1].pause.duration",
        "from 0",
    ),
    "a pause in days": (
        f"{CANARY}.steps[1].pause.duration",
        "1d",
        f"{STEPS}[1].pause.duration",
        "no duration",
    ),
    "a pause of half seconds": (
        f"{CANARY}.steps[1].pause.duration",
        1.5,
        f"{STEPS}[1].pause.duration",
        "whole number or text",
    ),
    "setCanaryScale beside setWeight": (
        f"{CANARY}.steps[0].setCanaryScale",
        {"weight": 10},
        f"{STEPS}[0].setCanaryScale",
        BY_NAME,
    ),
    "an experiment": (
        f"{CANARY}.steps[2]",
        {"experiment": {"templates": []}},
        f"{STEPS}[2].experiment",
        BY_NAME,
    ),
    "a plugin": (f"{CANARY}.steps[2]", {"plugin": {"name": "x"}}, f"{STEPS}[2].plugin", BY_NAME),
    # analyses
    "an analysis of nothing": (
        f"{CANARY}.steps[2].analysis",
        {},
        f"{STEPS}[2].analysis.templates",
        "no",
    ),
    "a template without a name": (
        f"{CANARY}.analysis.templates[0]",
        {"clusterScope": False},
        f"{PATH}.analysis.templates[0].templateName",
        "missing",
    ),
    "a template that is not there": (
        f"{CANARY}.analysis.templates[0].templateName",
        "latencies",
        f"{PATH}.analysis.templates[0].templateName",
        "only 'errors', 'drift', 'latency'",
    ),
    "a template of the whole cluster": (
        f"{CANARY}.analysis.templates[0].clusterScope",
        True,
        f"{PATH}.analysis.templates[0].clusterScope",
        BY_NAME,
    ),
    "a template in another namespace": (
        "latency.metadata.namespace",
        "elsewhere",
        f"{PATH}.analysis.templates[0].templateName",
        "namespace",
    ),
    "a start behind the last step": (
        f"{CANARY}.analysis.startingStep",
        5,
        f"{PATH}.analysis.startingStep",
        "no step 5",
    ),
    "a start before the first step": (
        f"{CANARY}.analysis.startingStep",
        -1,
        f"{PATH}.analysis.startingStep",
        "at least 0",
    ),
    "an argument twice": (
        f"{CANARY}.analysis.args[1]",
        {"name": "limit", "value": "1"},
        f"{PATH}.analysis.args[1].name",
        "twice",
    ),
    "an argument that is a number": (
        f"{CANARY}.analysis.args[0].value",
        0.3,
        f"{PATH}.analysis.args[0].value",
        "has to be text, not the number 0.3: put it in quotes",
    ),
    "an argument from elsewhere": (
        f"{CANARY}.analysis.args[0].valueFrom",
        {"podTemplateHashValue": "Latest"},
        f"{PATH}.analysis.args[0].valueFrom",
        BY_NAME,
    ),
    "an argument without a value": (
        f"{CANARY}.analysis.args",
        [],
        f"{PATH}.analysis",
        "'limit' has no value",
    ),
    "templates that disagree": (
        "drift.spec.args[0]",
        {"name": "times", "value": "4"},
        f"{STEPS}[2].analysis",
        "different values",
    ),
    "two metrics of one name": (
        "drift.spec.metrics[0].name",
        "error-share",
        f"{STEPS}[2].analysis",
        "metric 'error-share' is there twice",
    ),
    "two equal rules for dry runs": (
        "drift.spec.dryRun[0].metricName",
        "^mean",
        f"{STEPS}[2].analysis",
        "dryRun rule '^mean'",
    ),
    "a metric without end in a step": (
        f"{METRIC}.count",
        GONE,
        f"{STEPS}[2].analysis",
        "has no end",
    ),
    "a metric whose count only the rollout knows": (
        "errors.spec.args[1]",
        {"name": "times"},
        f"{STEPS}[2].analysis",
        "has no end",
    ),
    "a tag that is no argument, in a step": (
        f"{METRIC}.failureCondition",
        "result[0] > {{args.typo}}",
        f"{STEPS}[2].analysis",
        "{{args.typo}} is no argument",
    ),
    # metrics
    "an interval without a unit": (
        f"{METRIC}.interval",
        "30",
        f"{MINE}.interval",
        "needs its unit",
    ),
    "an interval that is a number": (
        f"{METRIC}.interval",
        30,
        f"{MINE}.interval",
        "has to be text",
    ),
    "a negative interval": (f"{METRIC}.interval", "-30s", f"{MINE}.interval", "negative"),
    "a delay that is none": (
        f"{METRIC}.initialDelay",
        "soon",
        f"{MINE}.initialDelay",
        "no duration",
    ),
    "a count in words": (f"{METRIC}.count", "ten", f"{MINE}.count", "no whole number"),
    "half a failure": (
        f"{METRIC}.failureLimit",
        0.5,
        f"{MINE}.failureLimit",
        "whole number or text",
    ),
    "a count beyond 32 bits": (f"{METRIC}.count", 2**31, f"{MINE}.count", "whole number or text"),
    "a condition that is true": (
        f"{METRIC}.successCondition",
        True,
        f"{MINE}.successCondition",
        "text",
    ),
    "a metric without a name": (f"{METRIC}.name", GONE, f"{MINE}.name", "missing"),
    "a metric with an empty name": (f"{METRIC}.name", "", f"{MINE}.name", "empty"),
    "a metric without a provider": (f"{METRIC}.provider", GONE, f"{MINE}.provider", "missing"),
    "an empty provider": (f"{METRIC}.provider", {}, f"{MINE}.provider.prometheus", "missing"),
    "another provider": (
        f"{METRIC}.provider",
        {"web": {"url": "http://x"}},
        f"{MINE}.provider.web",
        BY_NAME,
    ),
    "no query": (
        f"{METRIC}.provider.prometheus.query",
        GONE,
        f"{MINE}.provider.prometheus.query",
        "missing",
    ),
    "an empty query": (
        f"{METRIC}.provider.prometheus.query",
        "",
        f"{MINE}.provider.prometheus.query",
        "missing",
    ),
    "an address that is no URL": (
        f"{METRIC}.provider.prometheus.address",
        "prometheus:9090",
        f"{MINE}.provider.prometheus.address",
        "no URL",
    ),
    "a timeout of nothing": (
        f"{METRIC}.provider.prometheus.timeout",
        0,
        f"{MINE}.provider.prometheus.timeout",
        "at least 1",
    ),
    "headers": (
        f"{METRIC}.provider.prometheus.headers",
        [{"key": "a", "value": "b"}],
        f"{MINE}.provider.prometheus.headers",
        BY_NAME,
    ),
    "templates in a template": (
        "errors.spec.templates",
        [{"templateName": "drift"}],
        "AnalysisTemplate/errors: spec.templates",
        BY_NAME,
    ),
    "how many measurements are kept": (
        "errors.spec.measurementRetention",
        [{"metricName": "x", "limit": 1}],
        "AnalysisTemplate/errors: spec.measurementRetention",
        BY_NAME,
    ),
    "a secret": (
        "errors.spec.args[0].valueFrom",
        {"secretKeyRef": {"name": "a", "key": "b"}},
        "AnalysisTemplate/errors: spec.args[0].valueFrom",
        BY_NAME,
    ),
    # services and routing
    "no canary service": (f"{CANARY}.canaryService", GONE, f"{PATH}.canaryService", "Traefik"),
    "an empty stable service": (f"{CANARY}.stableService", "", f"{PATH}.stableService", "Traefik"),
    "one service for both": (
        f"{CANARY}.stableService",
        "flight-delay-canary",
        f"{PATH}.stableService",
        "another service",
    ),
    "a service of a strange name": (
        f"{CANARY}.canaryService",
        "../x",
        f"{PATH}.canaryService",
        "no name",
    ),
    "no traffic routing": (
        f"{CANARY}.trafficRouting",
        GONE,
        f"{PATH}.trafficRouting.traefik",
        "Traefik",
    ),
    "no name of Traefik's service": (
        f"{CANARY}.trafficRouting.traefik",
        {},
        f"{PATH}.trafficRouting.traefik.weightedTraefikServiceName",
        "missing",
    ),
    "another router": (
        f"{CANARY}.trafficRouting.nginx",
        {"stableIngress": "x"},
        f"{PATH}.trafficRouting.nginx",
        BY_NAME,
    ),
    # the rest of a rollout
    "no strategy": ("rollout.spec.strategy", GONE, f"{ROLLOUT}.strategy.canary", "missing"),
    "a strategy of nothing": ("rollout.spec.strategy", {}, f"{ROLLOUT}.strategy.canary", "missing"),
    "blue and green": (
        "rollout.spec.strategy.blueGreen",
        {"activeService": "x"},
        f"{ROLLOUT}.strategy.blueGreen",
        BY_NAME,
    ),
    "no spec": ("rollout.spec", GONE, ROLLOUT, "missing"),
    "a spec that is a list": ("rollout.spec", [], ROLLOUT, "an object"),
    "no name": ("rollout.metadata.name", GONE, "document 1: metadata.name", "missing"),
    "a name of a strange kind": (
        "rollout.metadata.name",
        "Flight Delay",
        "Rollout/Flight Delay: metadata.name",
        "no name",
    ),
    "a label that is a number": (
        "rollout.metadata.labels.version",
        3,
        "Rollout/flight-delay: metadata.labels",
        "'version' is no text: put it in quotes",
    ),
    "no selector": ("rollout.spec.selector", GONE, f"{ROLLOUT}.selector", "missing"),
    "a selector of nothing": ("rollout.spec.selector", {}, f"{ROLLOUT}.selector", "by no label"),
    "a selector of other pods": (
        "rollout.spec.selector.matchLabels.app",
        "other",
        f"{ROLLOUT}.selector.matchLabels.app",
        "no such label",
    ),
    "no pods": ("rollout.spec.template", GONE, f"{ROLLOUT}.template", "missing"),
    "pods without containers": (
        "rollout.spec.template.spec.containers",
        [],
        f"{ROLLOUT}.template.spec.containers",
        "missing",
    ),
    "the pods of a Deployment": (
        "rollout.spec.workloadRef",
        {"name": "x"},
        f"{ROLLOUT}.workloadRef",
        BY_NAME,
    ),
    "no replicas": ("rollout.spec.replicas", 0, f"{ROLLOUT}.replicas", "at least 1"),
    "a history of -1": (
        "rollout.spec.revisionHistoryLimit",
        -1,
        f"{ROLLOUT}.revisionHistoryLimit",
        "0",
    ),
    "a deadline of 0": (
        "rollout.spec.progressDeadlineSeconds",
        0,
        f"{ROLLOUT}.progressDeadlineSeconds",
        "at least 1",
    ),
    "a deadline in words": (
        "rollout.spec.progressDeadlineSeconds",
        "10m",
        f"{ROLLOUT}.progressDeadlineSeconds",
        "a whole number, not the text '10m'",
    ),
    "a while to be ready": (
        "rollout.spec.minReadySeconds",
        5,
        f"{ROLLOUT}.minReadySeconds",
        "0 is fine",
    ),
    "a rollout at rest": ("rollout.spec.paused", True, f"{ROLLOUT}.paused", BY_NAME),
    "a window for going back": (
        "rollout.spec.rollbackWindow",
        {"revisions": 3},
        f"{ROLLOUT}.rollbackWindow",
        BY_NAME,
    ),
    "neither surge nor absence": (f"{CANARY}.maxSurge", "0%", f"{PATH}.maxSurge", "zero"),
    "a negative delay": (
        f"{CANARY}.scaleDownDelaySeconds",
        -1,
        f"{PATH}.scaleDownDelaySeconds",
        "at least 0",
    ),
    "a negative delay of an abort": (
        f"{CANARY}.abortScaleDownDelaySeconds",
        -1,
        f"{PATH}.abortScaleDownDelaySeconds",
        "at least 0",
    ),
    "a misspelt field": (
        f"{CANARY}.steps[0].setweight",
        5,
        f"{STEPS}[0].setweight",
        "is it setWeight?",
    ),
    # documents
    "another version": (
        "rollout.apiVersion",
        "argoproj.io/v1",
        "Rollout/flight-delay: apiVersion",
        "argoproj.io/v1alpha1",
    ),
    "no version": ("errors.apiVersion", GONE, "AnalysisTemplate/errors: apiVersion", "missing"),
    "no kind": ("flight-delay-stable.kind", GONE, "document 5: kind", "missing"),
    "another kind": (
        "flight-delay-stable.kind",
        "Deployment",
        "document 5",
        "'Deployment' is none of",
    ),
    "a kind of Argo's": ("flight-delay-stable.kind", "Experiment", "document 5", "does not run it"),
    "a document that is a text": ("flight-delay-stable", "text", "document 5", "an object"),
    "a second rollout": (
        "second",
        DOCUMENTS["rollout"] | {"metadata": {"name": "second"}},
        "Rollout/second",
        "second Rollout",
    ),
    "a second template of a name": (
        "second",
        DOCUMENTS["drift"],
        "AnalysisTemplate/drift",
        "second AnalysisTemplate",
    ),
    "no rollout": ("rollout", GONE, "file", "no Rollout"),
}
# Changes that need a second one to be what they are called.
WITH = {"neither surge nor absence": (f"{CANARY}.maxUnavailable", 0)}


@pytest.mark.parametrize("rule", REFUSED)
def test_each_rule_refuses_and_says_only_that(rule: str) -> None:
    path, value, where, what = REFUSED[rule]
    also = [WITH[rule]] if rule in WITH else []
    if rule == "a template in another namespace":
        also = [("rollout.metadata.namespace", "here")]
    found = problems(changed((path, value), *also))
    assert what in found[where]
    assert len(found) == 1


def test_all_problems_are_told() -> None:
    found = problems(
        changed(
            (f"{CANARY}.steps[0].setWeight", 500),
            (f"{CANARY}.steps[1].pause.duration", "long"),
            (f"{CANARY}.canaryService", GONE),
            (f"{METRIC}.interval", 30),
            ("drift.spec.metric", []),
            ("latency.kind", "ConfigMap"),
        )
    )
    assert list(found) == [
        "document 4",
        f"{MINE}.interval",
        "AnalysisTemplate/drift: spec.metric",
        f"{PATH}.canaryService",
        f"{STEPS}[0].setWeight",
        f"{STEPS}[1].pause.duration",
        f"{PATH}.analysis.templates[0].templateName",
    ]


def test_the_message_is_the_first_problem_and_how_many_more() -> None:
    two = changed((f"{CANARY}.steps[0].setWeight", 500), (f"{CANARY}.canaryService", GONE))
    with pytest.raises(ManifestError, match=r"^Rollout/flight-delay: .*\(and 1 more problem\)$"):
        read(two)
    one = changed((f"{CANARY}.steps[0].setWeight", 500))
    with pytest.raises(ManifestError, match=r"setWeight: has to be from 0 to 100, not 500$"):
        read(one)


def test_a_problem_is_a_path_and_a_sentence() -> None:
    with pytest.raises(ManifestError) as caught:
        read(changed((f"{CANARY}.pingPong", {})))
    assert caught.value.problems == (Problem(f"{PATH}.pingPong", BY_NAME),)


def test_within_what_is_refused_only_names_are_looked_at() -> None:
    experiment = {"templates": "all", "duration": 5, "analyses": [{"nam": "x"}, 3]}
    assert problems(changed((f"{CANARY}.steps[0]", {"experiment": experiment}))) == {
        f"{STEPS}[0].experiment": BY_NAME,
        f"{STEPS}[0].experiment.analyses[0].nam": "unknown field; is it name?",
    }


def test_more_problems_than_anybody_reads_are_counted() -> None:
    many = {f"field{number}": 1 for number in range(3000)}
    start = time.monotonic()
    with pytest.raises(ManifestError, match="and 2999 more problems") as caught:
        read(
            changed(
                (
                    "rollout.spec.strategy.canary",
                    DOCUMENTS["rollout"]["spec"]["strategy"]["canary"] | many,
                )
            )
        )
    assert len(caught.value.problems) == 100
    assert time.monotonic() - start < 30


def test_what_a_stranger_wrote_is_quoted() -> None:
    evil = "\x1b[31m\u202e\n"
    with pytest.raises(ManifestError) as caught:
        read(
            changed(
                ("rollout.metadata.name", evil),
                (f"rollout.spec.{evil}", 1),
                (f"{CANARY}.canaryService", evil),
                (f"{METRIC}.interval", evil),
                ("drift.kind", evil),
            )
        )
    assert len(caught.value.problems) >= 5
    for problem in caught.value.problems:
        assert not set(evil) & set(str(problem)) - set("[31m")
