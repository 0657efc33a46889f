"""What the controller tells and asks its driver, in which order, and what it leaves as evidence."""

from __future__ import annotations

import copy
import json

import pytest

from sandbox.errors import HarnessFault
from sandbox.rollout import controller
from sandbox.rollout.analysis import Answer
from sandbox.rollout.manifest import read
from sandbox.rollout.state import (
    Ask,
    Promote,
    Route,
    ScaleDown,
    ScaleUp,
    Seen,
    facts,
)
from tests.rollout.driving import (
    BESIDE,
    INLINE,
    MINUTE_PAUSE,
    NEVER,
    ONE_CHECK,
    delivery,
    pause,
    watched,
    weight,
    world,
)

# -- actions and their order


def test_what_a_promotion_does_in_which_order() -> None:
    """All traffic to the new release, it becomes the stable one, the canary service has none."""
    after = world(MINUTE_PAUSE).until(300.0)
    assert after.done == [
        (0.0, ScaleUp()),
        (10.0, Route(20)),
        (70.0, Route(50)),
        (130.0, Route(100)),
        (130.0, Promote()),
        (130.0, Route(0)),
        (160.0, ScaleDown("old")),
    ]


@pytest.mark.parametrize(
    ("delay_s", "down_s"),
    [
        (30.0, [100.0]),  # FACTS: abortScaleDownDelaySeconds 30
        (0.0, [70.0]),
        (None, []),  # FACTS: 0 keeps, which the manifest says as None
    ],
)
def test_an_aborted_release_is_stopped_after_its_delay(
    delay_s: float | None, down_s: list[float]
) -> None:
    given = delivery(weight(20), INLINE, abort_scale_down_delay_s=delay_s)
    after = world(given, {"errors": "sf"}).until(500.0)
    assert after.weights() == [(10.0, 20), (70.0, 0)]
    assert after.times(ScaleDown("new")) == down_s
    assert after.times(ScaleDown("old"), Promote()) == []


def test_an_abort_before_the_first_replica_stops_none() -> None:
    after = world(delivery(INLINE, weight(20)), {"errors": "f"}).until(100.0)
    assert after.state.outcome == "aborted"
    assert [action for _, action in after.done if not isinstance(action, Ask)] == []
    assert "ScalingReplicaSet" not in [event.kind for event in after.state.events]


@pytest.mark.parametrize("delay_s", [0.0, 30.0, 95.0])
def test_the_old_release_is_stopped_after_its_delay(delay_s: float) -> None:
    after = world(delivery(weight(20), scale_down_delay_s=delay_s)).until(300.0)
    assert after.times(ScaleDown("old")) == [10.0 + 10.0 * -(-delay_s // 10)]


def test_a_first_deploy_starts_is_promoted_and_stops_nothing() -> None:
    after = world(delivery(weight(20)), first=True).until(300.0)
    assert after.done == [(0.0, ScaleUp()), (10.0, Promote())]


def test_a_release_that_needs_no_replica_has_none() -> None:
    given = delivery(weight(20), pause(20), weight(0), pause(20), weight(50), pause(20))
    after = world(given).until(30.0)
    assert (after.state.size, after.state.available) == (0, False)
    after.until(300.0)
    assert after.times(ScaleUp()) == [0.0, 50.0]
    assert after.times(ScaleDown("new")) == [30.0]


def test_replicas_that_nobody_has_started_are_not_ready() -> None:
    state = controller.begin(delivery(), 0.0)
    state, actions = controller.step(state, 0.0, Seen(True))
    assert actions == (ScaleUp(),)
    state, actions = controller.step(state, 0.0, Seen(True))
    assert actions == (Route(100), Promote(), Route(0))


def test_an_abort_goes_back_to_the_first_step() -> None:
    """`syncRolloutStatusCanary`: the index is 0; where it was is told by the events."""
    after = world(ONE_CHECK, {"errors": "f"}).until(100.0)
    assert (after.state.step, after.state.inline) == (0, "")


def test_two_inconclusive_runs_at_once_are_one_pause() -> None:
    given = delivery(weight(20), pause(50), INLINE, background=watched(2))
    after = world(given, {"errors": "i", "latency": "i"}).until(100.0)
    assert facts(after.state)["pauses"] == [{"reason": "InconclusiveAnalysisRun", "since_s": 60.0}]


def test_a_manifest_as_it_is_written_down() -> None:
    """From the text to the end: arguments, durations, dry runs, the background analysis."""
    text = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: flight-delay}
spec:
  selector: {matchLabels: {app: flight-delay}}
  template:
    metadata: {labels: {app: flight-delay}}
    spec: {containers: [{name: service, image: service}]}
  strategy:
    canary:
      canaryService: canary
      stableService: stable
      trafficRouting: {traefik: {weightedTraefikServiceName: flight-delay}}
      analysis:
        templates: [{templateName: errors}]
        args: [{name: limit, value: "0.5"}]
        dryRun: [{metricName: note}]
        startingStep: 1
      steps:
      - setWeight: 10
      - pause: {duration: 1m}
      - analysis: {templates: [{templateName: once}]}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  args: [{name: limit, value: "0.0"}]
  metrics:
  - name: errors
    interval: 30s
    successCondition: result[0] < {{args.limit}}
    provider: {prometheus: {address: "http://prometheus:9090", query: errors_ratio}}
  - name: noted
    interval: 30s
    successCondition: result[0] < 0
    provider: {prometheus: {address: "http://prometheus:9090", query: noted_ratio}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: once}
spec:
  metrics:
  - name: errors
    failureCondition: result[0] > 0.5
    provider: {prometheus: {address: "http://prometheus:9090", query: errors_ratio}}
"""
    after = world(read(text), {"errors": "i", "noted": "f"}).until(200.0)
    assert after.weights() == [(10.0, 10), (70.0, 100), (70.0, 0)]
    assert after.asked("background") == [10.0, 10.0, 40.0, 70.0]
    assert after.asked("step-2") == [70.0]
    noted = after.state.runs[0].metrics[1]
    assert (noted.metric.dry_run, noted.phase) == (True, "Failed")


# -- phases on the way


def test_phases_and_messages_on_the_way() -> None:
    """`CalculateRolloutPhase`."""
    given = world(delivery(weight(20), pause(20), INLINE, weight(100)), start_up_s=20.0)
    seen = []
    while given.now_s <= 200:
        given.until(given.now_s)
        now = (given.state.phase, given.state.message)
        if not seen or seen[-1][1:] != now:
            seen.append((given.now_s - given.tick_s, *now))
    assert seen == [
        (0.0, "Progressing", "more replicas need to be updated"),
        (20.0, "Paused", "CanaryPauseStep"),
        (40.0, "Progressing", "more replicas need to be updated"),
        (160.0, "Healthy", ""),
    ]


def test_a_rollout_that_waits_for_its_replicas_at_the_end() -> None:
    given = world(delivery(), start_up_s=100.0).until(50.0)
    assert given.state.message == "waiting for all steps to complete"
    first = world(delivery(), start_up_s=100.0, first=True).until(50.0)
    assert first.state.message == "updated replicas are still becoming available"


def test_the_deadline_is_reached_on_its_tick() -> None:
    """`requeueStuckRollout` wakes up one second after the deadline: that tick, not the next."""
    given = world(delivery(weight(20), progress_deadline_s=120.0), start_up_s=NEVER)
    assert given.until(110.0).state.phase == "Progressing"
    assert given.until(120.0).state.phase == "Degraded"
    assert given.state.outcome == ""


def test_an_inconclusive_background_run_skips_pauses_up_to_the_next_weight() -> None:
    """`CompletedCanaryPauseStep`: paused by the controller, but not for a pause step: resumed."""
    given = delivery(weight(20), pause(60), pause(), weight(50), background=watched())
    after = world(given, {"latency": "si"}).until(500.0)
    assert (after.state.step, after.state.weight, after.state.phase) == (3, 20, "Paused")


def test_a_finished_analysis_moves_on_while_paused_and_a_failed_one_waits() -> None:
    """`completedCurrentCanaryStep` asks for no pause, `reconcileStepBasedAnalysisRun` does."""
    given = delivery(weight(20), INLINE, pause(), weight(50), background=watched())
    good = world(given, {"latency": "si"}).until(500.0)
    assert (good.state.step, good.state.weight, good.state.phase) == (3, 20, "Paused")
    bad = world(given, {"latency": "si", "errors": "ssf"}).until(500.0)
    assert (bad.state.step, bad.state.phase) == (1, "Paused")
    assert bad.phases() == {"background": "Inconclusive", "step-1": "Failed"}
    assert bad.until(600.0, {510.0: "resume"}).state.outcome == "aborted"


# -- what the driver may do wrong


def test_an_answer_to_what_was_not_asked_is_our_fault() -> None:
    state = controller.begin(BESIDE, 0.0)
    with pytest.raises(HarnessFault, match="answers to what the rollout's last step asked"):
        controller.step(state, 0.0, Seen(False, {Ask("x", "y", "z"): Answer([1.0])}))


def test_an_unknown_command_is_our_fault() -> None:
    state = controller.begin(BESIDE, 0.0)
    with pytest.raises(HarnessFault, match="expected a command of"):
        controller.step(state, 0.0, Seen(False, {}, "pause"))  # type: ignore[arg-type]


def test_what_is_not_answered_is_asked_again() -> None:
    state = controller.begin(BESIDE, 0.0)
    state, first = controller.step(state, 0.0, Seen(False))
    assert first == (ScaleUp(), Ask("background", "latency", "q_latency"))
    state, again = controller.step(state, 0.0, Seen(False))
    assert again == first[1:]
    state, later = controller.step(state, 0.0, Seen(False, {first[1]: Answer([0.0])}))
    assert later == ()


# -- purity and evidence


def test_the_same_comes_of_the_same_and_nothing_is_changed() -> None:
    given = world(BESIDE, {"latency": "ssf"}).until(110.0)
    before = copy.deepcopy(given.state)
    ask = Ask("background", "latency", "q_latency")
    seen = Seen(True)
    once = controller.step(given.state, 120.0, seen)
    twice = controller.step(given.state, 120.0, seen)
    assert once == twice
    assert once[1] == (ask,)
    assert given.state == before


def test_facts_are_json_and_say_everything_that_was_measured() -> None:
    after = world(ONE_CHECK, {"errors": "sN"}).until(500.0)
    told = json.loads(json.dumps(facts(after.state), allow_nan=False))
    assert told["steps"] == ["setWeight: 20", "analysis", "setWeight: 50", "pause: 60s"]
    assert (told["phase"], told["message"]) == ("Paused", "InconclusiveAnalysisRun")
    assert (told["step"], told["weight"], told["outcome"], told["available"]) == (1, 20, "", True)
    assert told["pauses"] == [{"reason": "InconclusiveAnalysisRun", "since_s": 70.0}]
    [run] = told["runs"]
    assert (run["name"], run["phase"], told["inline"]) == ("step-1", "Inconclusive", "step-1")
    [errors] = run["metrics"]
    assert (errors["metric"]["query"], errors["count"]) == ("q_errors", 2)
    assert [(one["at_s"], one["phase"], one["value"]) for one in errors["measurements"]] == [
        (10.0, "Successful", "[0]"),
        (70.0, "Inconclusive", "[NaN]"),
    ]


def test_events_tell_the_whole_story() -> None:
    given = delivery(weight(20), pause(30), INLINE, background=watched())
    after = world(given, {"errors": "f"}).until(500.0, {30.0: "promote"})
    assert [(event.at_s, event.kind, event.words) for event in after.state.events] == [
        (0.0, "AnalysisRunRunning", "background"),
        (0.0, "ScalingReplicaSet", "Scaled new release from 0 % to 20 %"),
        (10.0, "TrafficWeightUpdated", "Traffic weight updated from 0 to 20"),
        (10.0, "RolloutStepCompleted", "Rollout step 1/3 completed (setWeight: 20)"),
        (10.0, "RolloutPaused", "Rollout is paused (CanaryPauseStep)"),
        (30.0, "Command", "promote"),
        (30.0, "RolloutResumed", "Rollout is resumed"),
        (30.0, "RolloutStepCompleted", "Rollout step 2/3 completed (pause: 30s)"),
        (30.0, "AnalysisRunRunning", "step-2"),
        (
            30.0,
            "AnalysisRunFailed",
            'step-2: Metric "errors" assessed Failed due to failed (1) > failureLimit (0)',
        ),
        (30.0, "AnalysisRunSuccessful", "background: Run Terminated"),
        (
            30.0,
            "RolloutAborted",
            "Rollout aborted update: Step-based analysis phase error/failed: "
            'Metric "errors" assessed Failed due to failed (1) > failureLimit (0)',
        ),
        (30.0, "TrafficWeightUpdated", "Traffic weight updated from 20 to 0"),
        (60.0, "ScalingReplicaSet", "Scaled new release down to 0 %"),
    ]
