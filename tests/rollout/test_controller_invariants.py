"""What holds for any rollout: random manifests, answers, outages and people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.rollout import controller
from sandbox.rollout.analysis import ERROR, FAILED, RUNNING, SUCCESSFUL, Answer
from sandbox.rollout.spec import AnalysisRef, Background, Delivery, SetWeight
from sandbox.rollout.state import (
    COMMANDS,
    INCONCLUSIVE_ANALYSIS,
    Ask,
    Command,
    Promote,
    Route,
    ScaleDown,
    ScaleUp,
    State,
)
from tests.rollout.driving import VALUES, World, delivery, pause, template, weight, written

END_S = 600.0
TICKS = st.integers(0, 40).map(lambda tick: 10.0 * tick)
SECONDS = st.sampled_from(["10s", "20s", "60s"])


def metrics(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({"interval": SECONDS} | fields).map(lambda one: written(**one))


# Mostly such as make sense: a metric with wrong limits is an Error before anything is measured.
ANY_METRIC = metrics(
    name=st.sampled_from("abc"),
    count=st.sampled_from([4, 3, 3, 2, 1, 0]),
    failureLimit=st.sampled_from([0, 0, 1, 1, 2, -1]),
    inconclusiveLimit=st.sampled_from([0, 0, 1, 2]),
    consecutiveErrorLimit=st.integers(0, 4),
    consecutiveSuccessLimit=st.sampled_from([0, 0, 0, 1, 2]),
    initialDelay=st.sampled_from(["", "", "20s"]),
    successCondition=st.sampled_from(["result[0] < 0.1", "result[0] < 0.1", ""]),
    failureCondition=st.sampled_from(["result[0] > 0.5", "result[0] > 0.5", ""]),
)
NAMES = ("one", "two", "three")


def templates(one: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[tuple[object, ...]]:
    several = st.lists(one, min_size=1, max_size=2, unique_by=lambda metric: str(metric["name"]))
    return st.tuples(*(several for _ in NAMES)).map(
        lambda all_of_them: tuple(
            template(name, *some) for name, some in zip(NAMES, all_of_them, strict=True)
        )
    )


REFS = st.sampled_from(NAMES).map(lambda name: AnalysisRef((name,)))
WEIGHTS = st.integers(0, 10).map(lambda tenth: weight(10 * tenth))
PAUSES = st.integers(0, 9).map(lambda tick: pause(10.0 * tick))
ANY_STEP = st.one_of(WEIGHTS, WEIGHTS, PAUSES, PAUSES, st.just(pause()), REFS, REFS)


def deliveries(
    steps: st.SearchStrategy[object], one: st.SearchStrategy[dict[str, object]]
) -> st.SearchStrategy[Delivery]:
    return st.builds(
        lambda steps, **fields: delivery(*steps, **fields),
        st.lists(steps, max_size=6),
        templates=templates(one),
        background=st.none() | st.builds(Background, REFS, st.integers(0, 4)),
        progress_deadline_s=st.sampled_from([50.0, 600.0]),
        progress_deadline_abort=st.booleans(),
        abort_scale_down_delay_s=st.sampled_from([0.0, 30.0, None]),
        scale_down_delay_s=st.sampled_from([0.0, 30.0]),
    )


@dataclass(frozen=True)
class Fate:
    """All that a rollout does not decide by itself."""

    delivery: Delivery
    first: bool
    letters: str
    outages: tuple[tuple[float, float], ...]
    start_up_s: float
    commands: dict[float, Command]


# Mostly good news, or no rollout would come far.
LETTERS = st.lists(st.sampled_from("ssssssssffiiNe"), min_size=1, max_size=12).map("".join)


def fates(commands: tuple[Command, ...]) -> st.SearchStrategy[Fate]:
    return st.builds(
        Fate,
        deliveries(ANY_STEP, ANY_METRIC),
        st.sampled_from([False, False, False, True]),
        LETTERS,
        st.lists(st.tuples(TICKS, TICKS), max_size=2).map(tuple),
        st.sampled_from([10.0, 30.0, 100.0]),
        st.dictionaries(TICKS, st.sampled_from(commands), max_size=4) if commands else st.just({}),
    )


ANYBODY = fates(COMMANDS[1:])


@dataclass(frozen=True)
class Frame:
    """What was so at the end of an instant, and what was done in it."""

    now_s: float
    available: bool
    before: State
    state: State
    actions: tuple[object, ...]


def played(fate: Fate, tick_s: float = 10.0) -> tuple[World, list[Frame]]:
    def answering(ask: Ask, number: int) -> Answer:
        return VALUES[
            fate.letters[(7 * number + len(ask.run) + ord(ask.metric)) % len(fate.letters)]
        ]

    state = controller.begin(fate.delivery, 0.0, first=fate.first)
    world = World(state, answering, fate.start_up_s, tick_s, fate.outages)
    frames = []
    while world.now_s <= END_S:
        before, done = world.state, len(world.done)
        available = world.available()
        world.instant(fate.commands.get(world.now_s, ""))
        actions = tuple(action for _, action in world.done[done:])
        frames.append(Frame(world.now_s, available, before, world.state, actions))
        world.now_s += tick_s
    return world, frames


@settings(max_examples=150, deadline=None)
@given(fate=ANYBODY)
def test_the_weight_is_one_that_the_steps_have_and_only_for_ready_replicas(fate: Fate) -> None:
    world, frames = played(fate)
    theirs = {step.percent for step in fate.delivery.rollout.steps if isinstance(step, SetWeight)}
    routed = 0
    for frame in frames:
        for action in frame.actions:
            if isinstance(action, Route):
                assert action.percent in theirs | {0, 100}
                assert action.percent != routed
                routed = action.percent
        assert frame.state.weight == routed
        assert frame.state.weight == 0 or (frame.available and frame.state.size > 0)
    assert 0 <= world.state.step <= len(fate.delivery.rollout.steps)


@settings(max_examples=150, deadline=None)
@given(fate=ANYBODY)
def test_an_end_is_an_end(fate: Fate) -> None:
    """No traffic for what was aborted, no question and no change of mind after any end."""
    _, frames = played(fate)
    for frame in frames:
        ended = frame.before.outcome
        if ended:
            assert (frame.state.outcome, frame.state.phase) == (ended, frame.before.phase)
            assert frame.state.weight == 0
            assert all(isinstance(action, ScaleDown) for action in frame.actions)
            assert all(run.phase != RUNNING for run in frame.state.runs)
        if Promote() in frame.actions:
            assert frame.before.outcome == ""
            assert frame.state.outcome == "promoted"
            # Nothing is asked after it at the same instant either.
            rest = frame.actions[frame.actions.index(Promote()) + 1 :]
            assert not any(isinstance(action, Ask | ScaleUp) for action in rest)
    scaled = [
        action
        for frame in frames
        for action in frame.actions
        if action == ScaleUp() or action == ScaleDown("new")
    ]
    assert all(one != other for one, other in pairwise(scaled))
    assert not scaled or scaled[0] == ScaleUp()


@settings(max_examples=150, deadline=None)
@given(fate=ANYBODY)
def test_phases_exclude_each_other(fate: Fate) -> None:
    _, frames = played(fate)
    for frame in frames:
        state = frame.state
        assert state.size > 0 or not state.available
        degraded = state.outcome == "aborted" or state.timed_out
        paused = not degraded and bool(state.halts)
        healthy = state.outcome == "promoted"
        progressing = not (degraded or paused or healthy)
        truth = {
            "Degraded": degraded,
            "Paused": paused,
            "Healthy": healthy,
            "Progressing": progressing,
        }
        assert [name for name, holds in truth.items() if holds] == [state.phase]


@settings(max_examples=200, deadline=None)
@given(fate=fates(("resume", "abort")))
def test_only_successful_analyses_promote(fate: Fate) -> None:
    """Unless a person promotes: every analysis step had a run that was Successful by itself."""
    world, _ = played(fate)
    if world.state.outcome != "promoted" or fate.first:
        return
    for index, step in enumerate(fate.delivery.rollout.steps):
        if isinstance(step, AnalysisRef):
            runs = [one for one in world.state.runs if one.name.split(".")[0] == f"step-{index}"]
            assert runs[-1].phase == SUCCESSFUL
            assert "Terminated" not in runs[-1].message


@settings(max_examples=150, deadline=None)
@given(fate=ANYBODY)
def test_a_bad_run_aborts_at_once_unless_the_rollout_waits_for_a_person(fate: Fate) -> None:
    _, frames = played(fate)
    for frame in frames:
        state = frame.state
        for name, waits in (
            (state.inline, bool(state.halts)),
            (state.background, state.halt(INCONCLUSIVE_ANALYSIS) is not None),
        ):
            run = state.run(name)
            assert run is None or waits or run.phase not in (FAILED, ERROR)


@settings(max_examples=150, deadline=None)
@given(fate=ANYBODY)
def test_what_was_measured_and_what_happened_is_never_taken_back(fate: Fate) -> None:
    world, frames = played(fate)
    for frame in frames:
        assert frame.state.events[: len(frame.before.events)] == frame.before.events
        for run in frame.before.runs:
            later = frame.state.run(run.name)
            assert later is not None
            assert run.phase == RUNNING or later == run
            for was, now in zip(run.metrics, later.metrics, strict=True):
                assert now.measurements[: len(was.measurements)] == was.measurements
    assert [event.at_s for event in world.state.events] == sorted(
        event.at_s for event in world.state.events
    )
    for run in world.state.runs:
        for state in run.metrics:
            times = [measurement.at_s for measurement in state.measurements]
            assert all(later - earlier >= 10.0 for earlier, later in pairwise(times))
            assert not state.metric.count or state.count <= state.metric.count


@settings(max_examples=100, deadline=None)
@given(fate=ANYBODY)
def test_a_finer_clock_changes_nothing(fate: Fate) -> None:
    """Every duration is so many ticks: nothing is put off by one. And `step` is pure."""
    world, _ = played(fate)
    again, _ = played(fate)
    finer, _ = played(fate, tick_s=2.5)
    assert again.seen == world.seen
    assert finer.done == world.done
    assert finer.state == world.state


GOOD = metrics(
    name=st.sampled_from("abc"), count=st.integers(1, 3), initialDelay=st.sampled_from(["", "20s"])
)


@settings(max_examples=100, deadline=None)
@given(
    given_=deliveries(st.one_of(WEIGHTS, PAUSES, REFS), GOOD),
    start_up_s=st.sampled_from([0.0, 10.0, 30.0]),
    worse=st.sampled_from("fenN"),
)
def test_a_good_release_is_promoted_and_a_bad_one_never(
    given_: Delivery, start_up_s: float, worse: str
) -> None:
    """Where nobody has to come: both are true, or a controller that always aborts would do."""
    assert played(Fate(given_, False, "s", (), start_up_s, {}))[0].state.outcome == "promoted" or (
        # Some analyses of two minutes and more are longer than the world lasts.
        sum(isinstance(step, AnalysisRef) for step in given_.rollout.steps) > 3
    )
    judged = any(isinstance(step, AnalysisRef) for step in given_.rollout.steps)
    bad = played(Fate(given_, False, worse, (), start_up_s, {}))[0].state
    assert not judged or bad.outcome != "promoted"


def test_a_rollout_that_is_stuck_is_not_over() -> None:
    """The one Degraded that is no end: it goes on as soon as something moves."""
    given_ = delivery(weight(20), progress_deadline_s=50.0)
    fate = Fate(given_, False, "s", (), 100.0, {})
    _, frames = played(fate)
    assert {frame.state.phase for frame in frames} == {"Progressing", "Degraded", "Healthy"}
    stuck = replace(
        fate, delivery=delivery(weight(20), progress_deadline_s=50.0, progress_deadline_abort=True)
    )
    assert played(stuck)[0].state.outcome == "aborted"
