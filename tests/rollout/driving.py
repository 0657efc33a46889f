"""A small world for rollouts: manifests in few words, answers by a script, replicas that start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.rollout import controller
from sandbox.rollout.analysis import Answer
from sandbox.rollout.spec import (
    AnalysisRef,
    Background,
    Delivery,
    Pause,
    Rollout,
    SetWeight,
    Step,
    Template,
)
from sandbox.rollout.state import (
    Action,
    Ask,
    Command,
    Route,
    ScaleDown,
    ScaleUp,
    Seen,
    State,
)

# What a letter of a script measures, with the conditions of `written`.
VALUES: Mapping[str, Answer] = {
    "s": Answer([0.0]),
    "f": Answer([1.0]),
    "i": Answer([0.3]),
    "e": Answer(error="server is away"),
    "n": Answer([]),
    "N": Answer([float("nan")]),
}


def written(name: str = "errors", **fields: Any) -> dict[str, Any]:
    """A metric as it stands in a manifest."""
    return {
        "name": name,
        "successCondition": "result[0] < 0.1",
        "failureCondition": "result[0] > 0.5",
        "provider": {"prometheus": {"address": "http://prometheus:9090", "query": f"q_{name}"}},
    } | fields


def template(name: str, *metrics: dict[str, Any], dry_run: tuple[str, ...] = ()) -> Template:
    return Template(name, {}, metrics or (written(),), dry_run)


# An inline analysis `check`: three measurements, a minute apart. A background one without end.
CHECK = template("check", written(interval="60s", count=3))
WATCH = template("watch", written("latency", interval="60s"))
INLINE = AnalysisRef(("check",))


def delivery(
    *steps: Step,
    background: Background | None = None,
    templates: tuple[Template, ...] = (CHECK, WATCH),
    **fields: Any,
) -> Delivery:
    rollout = Rollout("service", "stable", "canary", steps, background, **fields)
    return Delivery(rollout, {one.name: one for one in templates})


def watched(starting_step: int = 0) -> Background:
    return Background(AnalysisRef(("watch",)), starting_step)


def weight(percent: int) -> SetWeight:
    return SetWeight(percent)


def pause(duration_s: float | None = None) -> Pause:
    return Pause(duration_s)


Answering = Callable[[Ask, int], Answer]


def scripted(scripts: Mapping[str, str]) -> Answering:
    """Answers by a metric's or a run's name: one letter a measurement, the last for all others."""

    def answer(ask: Ask, number: int) -> Answer:
        script = scripts.get(f"{ask.run}/{ask.metric}") or scripts.get(ask.metric, "s")
        return VALUES[script[min(number, len(script) - 1)]]

    return answer


@dataclass
class World:
    """A rollout and what is around it.

    Args:
        state: the rollout.
        answering: what Prometheus says to the n-th question of a run's metric.
        start_up_s: how long replicas take until they are ready.
        tick_s: how far the clock moves at once.
        outages: from when to when no replica is ready.
    """

    state: State
    answering: Answering = field(default_factory=lambda: scripted({}))
    start_up_s: float = 10.0
    tick_s: float = 10.0
    outages: tuple[tuple[float, float], ...] = ()
    now_s: float = 0.0
    ready_s: float | None = None
    done: list[tuple[float, Action]] = field(default_factory=list)
    seen: list[State] = field(default_factory=list)

    def available(self) -> bool:
        out = any(begin <= self.now_s < end for begin, end in self.outages)
        return self.ready_s is not None and self.now_s >= self.ready_s and not out

    def instant(self, command: Command = "") -> None:
        """One instant: `step` until nothing is asked any more."""
        asks: tuple[Ask, ...] = ()
        for call in range(200):
            answers = {ask: self.answering(ask, self._number(ask)) for ask in asks}
            seen = Seen(self.available(), answers, command if call == 0 else "")
            self.state, actions = controller.step(self.state, self.now_s, seen)
            self.seen.append(self.state)
            asks = tuple(action for action in actions if isinstance(action, Ask))
            for action in actions:
                self._do(action)
            if not asks:
                return
        raise AssertionError(f"it still asks at {self.now_s}: {asks}")

    def until(self, end_s: float, commands: Mapping[float, Command] | None = None) -> World:
        """Every instant before `end_s` and that one, the current one included."""
        commands = commands or {}
        while self.now_s <= end_s:
            self.instant(commands.get(self.now_s, ""))
            self.now_s += self.tick_s
        return self

    def _number(self, ask: Ask) -> int:
        run = self.state.run(ask.run)
        assert run is not None
        return next(len(one.measurements) for one in run.metrics if one.metric.name == ask.metric)

    def _do(self, action: Action) -> None:
        self.done.append((self.now_s, action))
        if isinstance(action, ScaleUp):
            self.ready_s = self.now_s + self.start_up_s
        if action == ScaleDown("new"):
            self.ready_s = None

    # What tests read.

    def weights(self) -> list[tuple[float, int]]:
        return [(at, one.percent) for at, one in self.done if isinstance(one, Route)]

    def times(self, *wanted: Action) -> list[float]:
        return [at for at, action in self.done if action in wanted]

    def asked(self, run: str) -> list[float]:
        return [at for at, one in self.done if isinstance(one, Ask) and one.run == run]

    def phases(self) -> dict[str, str]:
        return {run.name: run.phase for run in self.state.runs}


def world(given: Delivery, scripts: Mapping[str, str] | None = None, **fields: Any) -> World:
    first = fields.pop("first", False)
    return World(
        controller.begin(given, 0.0, first=first), answering=scripted(scripts or {}), **fields
    )


@dataclass(frozen=True)
class Case:
    """A rollout in a small world, and what comes of it.

    The tick is 10 s, and replicas are ready 10 s after their start.

    Args:
        rule: where the rule comes from.
        given: what it follows.
        phase: the rollout's at the end.
        message: what its message holds.
        weights: every change of the weight, with its time.
        runs: every run's phase; None where the case is not about it.
        asked: when some of the runs were measured.
        scripts: what is measured (see `VALUES`).
        commands: what a person types, by time.
        until_s: the last instant.
        world: more about the world.
    """

    rule: str
    given: Delivery
    phase: str
    weights: list[tuple[float, int]]
    message: str = ""
    runs: dict[str, str] | None = None
    asked: dict[str, list[float]] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[float, Command] = field(default_factory=dict)
    until_s: float = 1000.0
    world: Mapping[str, Any] = field(default_factory=dict)


def check(case: Case) -> None:
    """That a case comes out as it should."""
    after = world(case.given, case.scripts, **case.world).until(case.until_s, case.commands)
    assert (after.state.phase, after.weights()) == (case.phase, case.weights), case.rule
    assert case.message in after.state.message, case.rule
    assert case.runs is None or after.phases() == case.runs, case.rule
    assert {run: after.asked(run) for run in case.asked} == case.asked, case.rule


# Later than any test.
NEVER = 10_000.0

# Rollouts that several tests follow.
MINUTE_PAUSE = delivery(weight(20), pause(60), weight(50), pause(60))
FOREVER = delivery(weight(20), pause(), weight(50))
ONE_CHECK = delivery(weight(20), INLINE, weight(50), pause(60))
BESIDE = delivery(weight(20), pause(60), weight(50), pause(60), background=watched())
# The weights of the first and the last of them where all goes well.
ENDED = [(10.0, 20), (70.0, 50), (130.0, 100), (130.0, 0)]
