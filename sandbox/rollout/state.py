"""What a rollout is at one instant, what it is told and what it asks for. Plain values.

The names are Argo Rollouts' own where it has one: phases, pause reasons, event kinds.

Replicas belong to a release, not to a track of the router: "new" is the release that is rolled
out, "old" the one that was stable when the rollout began.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sandbox.rollout.spec import Pause, SetWeight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.rollout.analysis import Answer, Run
    from sandbox.rollout.spec import Delivery, Step

PROGRESSING = "Progressing"
PAUSED = "Paused"
DEGRADED = "Degraded"
HEALTHY = "Healthy"

# Why a rollout is paused (`PauseReason` in pkg/apis/rollouts/v1alpha1/types.go).
PAUSE_STEP = "CanaryPauseStep"
INCONCLUSIVE_ANALYSIS = "InconclusiveAnalysisRun"

# How a rollout ends.
PROMOTED = "promoted"
ABORTED = "aborted"

Release: TypeAlias = Literal["new", "old"]

# What a person types: `kubectl argo rollouts promote`, the same with `--full`, and `abort`; and
# "resume", which clears the pauses and nothing else, as Argo CD's action of that name does.
Command: TypeAlias = Literal["", "resume", "promote", "promote-full", "abort"]
COMMANDS: tuple[Command, ...] = ("", "resume", "promote", "promote-full", "abort")


@dataclass(frozen=True)
class Ask:
    """A query to answer at this very instant.

    Args:
        run: the run's name.
        metric: the metric's name in it.
        query: PromQL.
    """

    run: str
    metric: str
    query: str


@dataclass(frozen=True)
class Route:
    """Send so many percent of the traffic to the canary service, the rest to the stable one."""

    percent: int


@dataclass(frozen=True)
class ScaleUp:
    """Start the new release's replicas."""


@dataclass(frozen=True)
class ScaleDown:
    """Stop a release's replicas."""

    release: Release


@dataclass(frozen=True)
class Promote:
    """From now on the stable service is the new release; the old one gets no traffic."""


Action: TypeAlias = Ask | Route | ScaleUp | ScaleDown | Promote


@dataclass(frozen=True)
class Seen:
    """What the controller sees of the world.

    Args:
        available: whether the new release's replicas are ready.
        answers: to what the step before asked, at the same instant.
        command: what a person types; empty for nothing.
    """

    available: bool
    answers: Mapping[Ask, Answer] = field(default_factory=dict)
    command: Command = ""


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Args:
        at_s: when.
        kind: Argo's name of such an event.
        words: the rest, for a person.
    """

    at_s: float
    kind: str
    words: str


@dataclass(frozen=True)
class Halt:
    """A pause that is in force (a `PauseCondition`): why, and since when."""

    reason: str
    since_s: float


@dataclass(frozen=True)
class State:
    """A rollout at one instant.

    Args:
        delivery: what it follows.
        first: whether there is no stable release yet.
        progressed_s: the last sign of progress, from which the progress deadline counts.
        phase: Progressing, Paused, Degraded or Healthy.
        message: why; may be empty.
        outcome: "promoted" or "aborted" for good; empty while neither.
        step: the index of the current step; as many as there are steps once all are done.
        weight: percent of the traffic that goes to the canary service.
        size: how far the new release is scaled up, in percent of a full one.
        available: whether all of that is ready.
        halts: the pauses in force, in order of time.
        controller_pause: whether the controller paused and has not noticed yet that somebody
            cleared its pauses (`status.controllerPause`).
        full: whether somebody asked for `promote --full`.
        timed_out: whether there was no progress for too long.
        abort_message: why it was aborted; empty for a person's wish.
        retire_s: when the release that lost is stopped; None for never, or if it has been.
        inline: the name of the current step's run; empty for none.
        background: the name of the background run; empty for none.
        runs: all of them, in order of their start.
        events: everything that happened, in order; nothing is ever taken away.
    """

    delivery: Delivery
    first: bool
    progressed_s: float
    phase: str = PROGRESSING
    message: str = ""
    outcome: str = ""
    step: int = 0
    weight: int = 0
    size: int = 0
    available: bool = False
    halts: tuple[Halt, ...] = ()
    controller_pause: bool = False
    full: bool = False
    timed_out: bool = False
    abort_message: str = ""
    retire_s: float | None = None
    inline: str = ""
    background: str = ""
    runs: tuple[Run, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rollout's steps."""
        return self.delivery.rollout.steps

    @property
    def current(self) -> Step | None:
        """The current step; None once all are done."""
        return self.steps[self.step] if self.step < len(self.steps) else None

    def halt(self, reason: str) -> Halt | None:
        """The pause for this reason, if it is in force."""
        return next((halt for halt in self.halts if halt.reason == reason), None)

    def run(self, name: str) -> Run | None:
        """The run of this name."""
        return next((run for run in self.runs if run.name == name), None)


def words(step: Step) -> str:
    """A step in Argo's words (`CanaryStepString`)."""
    if isinstance(step, SetWeight):
        return f"setWeight: {step.percent}"
    if isinstance(step, Pause):
        return "pause" if step.duration_s is None else f"pause: {step.duration_s:g}s"
    return "analysis"


def facts(state: State) -> dict[str, Any]:
    """A rollout as JSON, for evidence and for people.

    Returns:
        The fields of `State` that say something to others. `steps` are words, a run has its
        metrics, a metric its settings, counts and measurements; numbers are finite.
    """
    return {
        "rollout": state.delivery.rollout.name,
        "phase": state.phase,
        "message": state.message,
        "outcome": state.outcome,
        "steps": [words(step) for step in state.steps],
        "step": state.step,
        "weight": state.weight,
        "available": state.available,
        "pauses": [asdict(halt) for halt in state.halts],
        "inline": state.inline,
        "background": state.background,
        "runs": [_run_facts(run) for run in state.runs],
        "events": [asdict(event) for event in state.events],
    }


def _run_facts(run: Run) -> dict[str, Any]:
    return asdict(run) | {
        "metrics": [asdict(metric) | {"count": metric.count} for metric in run.metrics]
    }
