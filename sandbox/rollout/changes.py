"""What can happen to a rollout. Each function gives the state after one change, with its event."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from sandbox.rollout.analysis import RUNNING, terminated
from sandbox.rollout.state import ABORTED, PROMOTED, Event, Halt

if TYPE_CHECKING:
    from sandbox.rollout.analysis import Run
    from sandbox.rollout.state import State

# Where a current run is kept: the current step's, or the one beside the steps.
Slot: TypeAlias = Literal["inline", "background"]


def noted(state: State, now_s: float, kind: str, said: str) -> State:
    """With one more event."""
    return replace(state, events=(*state.events, Event(now_s, kind, said)))


def progressed(state: State, now_s: float) -> State:
    """With a sign of progress: the progress deadline counts from now on (`RolloutProgressing`)."""
    return replace(state, progressed_s=now_s, timed_out=False)


def kept(state: State, now_s: float, run: Run) -> State:
    """With this run in the place of the one of its name."""
    runs = tuple(run if one.name == run.name else one for one in state.runs)
    state = replace(state, runs=runs)
    if run.phase == RUNNING:
        return state
    return noted(state, now_s, f"AnalysisRun{run.phase}", f"{run.name}: {run.message}".rstrip(": "))


def stopped(state: State, now_s: float, slot: Slot) -> State:
    """Without this current run, which is ended if it has not (`cancelAnalysisRuns`)."""
    run = state.run(getattr(state, slot))
    if run is not None and run.phase == RUNNING:
        state = kept(state, now_s, terminated(run, now_s))
    return replace(state, inline="") if slot == "inline" else replace(state, background="")


def moved(state: State, now_s: float, index: int) -> State:
    """At another step. The run of the one before is over."""
    return progressed(replace(stopped(state, now_s, "inline"), step=index), now_s)


def halted(state: State, now_s: float, reason: str) -> State:
    """Paused for this reason, if it is not already (`CalculatePauseConditions`)."""
    if state.halt(reason):
        return state
    halts = (*state.halts, Halt(reason, now_s))
    state = progressed(replace(state, halts=halts, controller_pause=True), now_s)
    return noted(state, now_s, "RolloutPaused", f"Rollout is paused ({reason})")


def cleared(state: State, now_s: float) -> State:
    """Without pauses; that the controller had paused it still remembers."""
    if not state.halts:
        return state
    state = progressed(replace(state, halts=()), now_s)
    return noted(state, now_s, "RolloutResumed", "Rollout is resumed")


def _ended(state: State, now_s: float, outcome: str, retire_s: float | None) -> State:
    """Over for good: nothing is measured any more, and one release will be stopped."""
    state = stopped(stopped(state, now_s, "inline"), now_s, "background")
    return replace(
        state,
        outcome=outcome,
        halts=(),
        timed_out=False,
        retire_s=retire_s,
    )


def aborted(state: State, now_s: float, message: str) -> State:
    """Aborted: back at the first step, for good. The router follows in the next pass.

    Args:
        state: before.
        now_s: the simulated time.
        message: why; empty for a person's wish.
    """
    delay_s = state.delivery.rollout.abort_scale_down_delay_s
    retire_s = now_s + delay_s if delay_s is not None and state.size else None
    state = _ended(state, now_s, ABORTED, retire_s)
    state = replace(state, step=0, abort_message=message)
    why = f": {message}" if message else ""
    return noted(state, now_s, "RolloutAborted", f"Rollout aborted update{why}")


def promoted(state: State, now_s: float) -> State:
    """With the new release as the stable one (`promoteStable`)."""
    why = f"Completed all {len(state.steps)} canary steps"
    if state.full:
        why = "Full promotion requested"
    if state.first:
        why = "Initial deploy"
    delay_s = state.delivery.rollout.scale_down_delay_s
    state = _ended(state, now_s, PROMOTED, None if state.first else now_s + delay_s)
    return noted(state, now_s, "RolloutCompleted", f"Rollout completed update: {why}")
