"""What a manifest says, with the defaults that Argo gives."""

from __future__ import annotations

import pytest

from sandbox.rollout.manifest import read
from sandbox.rollout.spec import AnalysisRef, Background, Pause, SetWeight
from tests.rollout.manifest.manifests import CANARY, GONE, VALID, changed


def test_a_manifest_that_uses_everything() -> None:
    delivery = read(VALID)
    rollout = delivery.rollout
    assert rollout.name == "flight-delay"
    assert (rollout.stable_service, rollout.canary_service) == (
        "flight-delay-stable",
        "flight-delay-canary",
    )
    assert rollout.steps == (
        SetWeight(5),
        Pause(600.0),
        AnalysisRef(("errors", "drift"), {"track": "canary", "times": "5"}, ("^mean",)),
        SetWeight(50),
        Pause(None),
    )
    assert rollout.background == Background(AnalysisRef(("latency",), {"limit": "0.3"}), 1)
    assert (rollout.progress_deadline_s, rollout.progress_deadline_abort) == (900.0, True)
    assert (rollout.scale_down_delay_s, rollout.abort_scale_down_delay_s) == (60.0, 45.0)
    assert list(delivery.templates) == ["errors", "drift", "latency"]
    errors, drift = delivery.templates["errors"], delivery.templates["drift"]
    assert errors.args == {"track": None, "times": "3"}
    assert drift.dry_run == ("hours",)
    assert errors.metrics[0]["count"] == "{{args.times}}"
    assert errors.metrics[0]["provider"]["prometheus"]["timeout"] == 10


def test_defaults_are_argos() -> None:
    rollout = read(
        changed(
            *((f"rollout.spec.{name}", GONE) for name in ("replicas", "revisionHistoryLimit")),
            *((f"rollout.spec.progressDeadline{name}", GONE) for name in ("Seconds", "Abort")),
            *((f"{CANARY}.{name}DelaySeconds", GONE) for name in ("scaleDown", "abortScaleDown")),
            *((f"{CANARY}.{name}", GONE) for name in ("steps", "analysis")),
        )
    ).rollout
    assert (rollout.progress_deadline_s, rollout.progress_deadline_abort) == (600.0, False)
    assert (rollout.scale_down_delay_s, rollout.abort_scale_down_delay_s) == (30.0, 30.0)
    assert rollout.steps == ()
    assert rollout.background is None


def test_a_delay_of_zero_keeps_an_aborted_canary() -> None:
    rollout = read(changed((f"{CANARY}.abortScaleDownDelaySeconds", 0))).rollout
    assert rollout.abort_scale_down_delay_s is None


def test_a_scale_down_delay_of_zero_is_none_at_all() -> None:
    assert read(changed((f"{CANARY}.scaleDownDelaySeconds", 0))).rollout.scale_down_delay_s == 0.0


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(10, 10), ("10", 10), ("10s", 10), ("5m", 300), ("1h", 3600), (0, 0), ("1h30m", 5400)],
)
def test_a_pause_is_written_in_many_ways(duration: object, seconds: int) -> None:
    delivery = read(changed((f"{CANARY}.steps[1].pause.duration", duration)))
    assert delivery.rollout.steps[1] == Pause(seconds)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # a null is a field left out
        (f"{CANARY}.pingPong", None),
        (f"{CANARY}.scaleDownDelaySeconds", None),
        ("rollout.metadata.creationTimestamp", None),
        # false is what leaving it out says
        (f"{CANARY}.dynamicStableScale", False),
        (f"{CANARY}.analysis.templates[0].clusterScope", False),
        ("rollout.spec.paused", False),
        ("errors.spec.metrics[0].provider.prometheus.insecure", False),
        # accepted without effect
        ("rollout.status", {"phase": "Healthy"}),
        ("rollout.spec.minReadySeconds", 0),
        ("rollout.metadata.annotations", {"notifications.argoproj.io/subscribe": "x"}),
        (f"{CANARY}.steps[0].setWeight", 0),
        (f"{CANARY}.steps[0].setWeight", 100),
        # a number is a number, however it is written
        (f"{CANARY}.steps[0].setWeight", 20.0),
        ("errors.spec.metrics[0].failureLimit", -1),
        # wrong limits do not make a rollout invalid: the run is an Error
        ("errors.spec.metrics[0].consecutiveErrorLimit", -1),
        ("errors.spec.metrics[0].failureLimit", 99),
        ("latency.spec.metrics[0].count", -5),
        # an argument that no template asks for is none
        (f"{CANARY}.analysis.args[1]", {"name": "other", "value": "1"}),
        # Argo takes an argument without a value for an empty text
        (f"{CANARY}.analysis.args[0]", {"name": "limit"}),
        # the same template twice is there once
        (f"{CANARY}.analysis.templates[1]", {"templateName": "latency"}),
        # beside the steps, a tag that is no argument is found out when the run begins
        ("latency.spec.metrics[0].successCondition", "result[0] < {{args.typo}}"),
        # a Service is passed over, whatever is in it
        ("flight-delay-stable.anything", {"at": ["all"]}),
        ("drift.spec.metrics", []),
    ],
)
def test_what_is_taken(path: str, value: object) -> None:
    assert read(changed((path, value))).rollout.name == "flight-delay"


def test_an_empty_document_is_passed_over() -> None:
    assert read(f"---\n---\n{VALID}---\n").rollout.name == "flight-delay"
