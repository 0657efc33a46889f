"""One reconciliation of a rollout: what the controller makes of a state at one instant.

The functions are in the order in which `rolloutCanary` (Argo Rollouts v1.10, rollout/canary.go)
calls those that they are named after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.rollout.analysis import (
    ERROR,
    FAILED,
    INCONCLUSIVE,
    SUCCESSFUL,
    MetricState,
    Run,
    reached,
)
from sandbox.rollout.changes import Slot, aborted, halted, moved, noted, progressed, promoted
from sandbox.rollout.manifest import AnalysisError, resolve
from sandbox.rollout.spec import AnalysisRef, Pause, SetWeight
from sandbox.rollout.state import (
    ABORTED,
    DEGRADED,
    HEALTHY,
    INCONCLUSIVE_ANALYSIS,
    PAUSE_STEP,
    PAUSED,
    PROGRESSING,
    PROMOTED,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.rollout.spec import Step
    from sandbox.rollout.state import State

ALL = 100


def reconciled(state: State, now_s: float) -> State:
    """The rollout after one pass, in the order of `rolloutCanary`."""
    state = _routed(state, now_s)
    if state.outcome:
        return spoken(_retired(state, now_s))
    state = _analysed(state, now_s)
    if not state.outcome:
        size = state.size
        state = _scaled(state, now_s)
        if state.size == size:
            state = _concluded(_paused(state, now_s), now_s)
        state = _timed(state, now_s)
    if not state.halts:
        state = replace(state, controller_pause=False)
    return spoken(state)


def _routed(state: State, now_s: float) -> State:
    """With the weight that the router should have now (`reconcileTrafficRouting`)."""
    if state.outcome or state.first or not state.available:
        weight = 0
    elif state.full:
        weight = state.weight
    elif not _at_size(state):
        weight = _last_weight(state.steps[: state.step])
    else:
        weight = _wanted(state)
    if weight == state.weight:
        return state
    change = f"Traffic weight updated from {state.weight} to {weight}"
    return noted(replace(state, weight=weight), now_s, "TrafficWeightUpdated", change)


def _last_weight(steps: Sequence[Step]) -> int:
    return next((one.percent for one in reversed(steps) if isinstance(one, SetWeight)), 0)


def _wanted(state: State) -> int:
    """The weight of the current step, which is also the size it needs (`GetCurrentSetWeight`)."""
    return ALL if state.current is None else _last_weight(state.steps[: state.step + 1])


def _at_size(state: State) -> bool:
    """`AtDesiredReplicaCountsForCanary`."""
    wanted = _wanted(state)
    return state.size == wanted and (state.available or not wanted)


def _scaled(state: State, now_s: float) -> State:
    """With as many replicas as the step needs (`reconcileNewReplicaSet`).

    Not while an analysis is inconclusive (`haltProgress`): it is this that holds the weight.
    """
    wanted = _wanted(state)
    if wanted == state.size or state.halt(INCONCLUSIVE_ANALYSIS):
        return state
    change = f"Scaled new release from {state.size} % to {wanted} %"
    state = replace(state, size=wanted, available=state.available and wanted > 0)
    return noted(progressed(state, now_s), now_s, "ScalingReplicaSet", change)


def _analysed(state: State, now_s: float) -> State:
    """With the runs it should have, and paused or aborted by what they found.

    `reconcileBackgroundAnalysisRun` and `reconcileStepBasedAnalysisRun`: both look at the pauses
    there were before this pass. The background run comes first because in Argo its words stay
    when both fail at once.
    """
    before = state
    if state.first or state.full:
        return state
    background = state.delivery.rollout.background
    begun = background is not None and (not state.steps or state.step >= background.starting_step)
    if background is not None and begun and not before.halt(INCONCLUSIVE_ANALYSIS):
        state = _watched(state, before, now_s, "background", background.analysis)
    if isinstance(before.current, AnalysisRef) and not before.halts and not state.outcome:
        state = _watched(state, before, now_s, "inline", before.current)
    return state


def _watched(
    state: State,
    before: State,
    now_s: float,
    slot: Slot,
    ref: AnalysisRef,
) -> State:
    run = before.run(getattr(before, slot))
    # `needsNewAnalysisRun`: somebody has cleared the pause that an inconclusive run had caused.
    unpaused = before.controller_pause and not before.halt(PAUSE_STEP)
    if run is None or (unpaused and run.phase == INCONCLUSIVE):
        return _started(state, now_s, slot, ref)
    if run.phase == INCONCLUSIVE:
        return halted(state, now_s, INCONCLUSIVE_ANALYSIS)
    if run.phase in (ERROR, FAILED):
        kind = "Step-based" if slot == "inline" else "Background"
        why = f": {run.message}" if run.message else ""
        return aborted(state, now_s, f"{kind} analysis phase error/failed{why}")
    return state


def _started(state: State, now_s: float, slot: Slot, ref: AnalysisRef) -> State:
    """With a new run; one that cannot be made sense of is an Error at once."""
    name = base = "background" if slot == "background" else f"step-{state.step}"
    number = 0
    while state.run(name):
        number += 1
        name = f"{base}.{number}"
    try:
        metrics = resolve(ref, state.delivery, background=slot == "background")
    except AnalysisError as error:
        run = Run(name, now_s, (), ERROR, str(error), now_s)
    else:
        run = Run(name, now_s, tuple(MetricState(metric) for metric in metrics))
    if slot == "background":
        state = replace(state, background=name, runs=(*state.runs, run))
    else:
        state = replace(state, inline=name, runs=(*state.runs, run))
    return noted(state, now_s, f"AnalysisRun{run.phase}", f"{name}: {run.message}".rstrip(": "))


def _paused(state: State, now_s: float) -> State:
    """Paused where the step says so and it has not been yet (`reconcileCanaryPause`)."""
    if not isinstance(state.current, Pause) or state.controller_pause:
        return state
    return halted(state, now_s, PAUSE_STEP)


def _concluded(state: State, now_s: float) -> State:
    """One step further, or promoted (`syncRolloutStatusCanary`, `shouldFullPromote`)."""
    if state.current is None:
        return promoted(state, now_s) if _at_size(state) else state
    if not _completed(state, now_s):
        return state
    number = f"{state.step + 1}/{len(state.steps)}"
    done = f"Rollout step {number} completed ({words(state.current)})"
    halts = tuple(halt for halt in state.halts if halt.reason != PAUSE_STEP)
    state = noted(replace(state, halts=halts), now_s, "RolloutStepCompleted", done)
    return moved(state, now_s, state.step + 1)


def _completed(state: State, now_s: float) -> bool:
    """Whether the current step is done (`completedCurrentCanaryStep`).

    A pause step that is not in force counts as resumed (`CompletedCanaryPauseStep`). That is also
    so while a background analysis is inconclusive: the controller has paused, but not for it.
    """
    if isinstance(state.current, SetWeight):
        return _at_size(state)
    if isinstance(state.current, Pause):
        halt = state.halt(PAUSE_STEP)
        if halt is None:
            return True
        wait_s = state.current.duration_s
        return wait_s is not None and reached(now_s, halt.since_s, wait_s)
    inline = state.run(state.inline)
    return inline is not None and inline.phase == SUCCESSFUL


def _timed(state: State, now_s: float) -> State:
    """Stuck, if there was no progress for too long (`RolloutTimedOut`, `isIndefiniteStep`).

    A pause and an analysis may take as long as they like. Progress is a step that is done, replicas
    that are started or stopped, and a pause that begins or ends. A rollout that is stuck goes on
    as soon as it can, unless its manifest has it aborted (`evaluateProgressDeadlineAbort`).
    """
    rollout = state.delivery.rollout
    indefinite = bool(state.halts) or isinstance(state.current, AnalysisRef)
    late = reached(now_s, state.progressed_s, rollout.progress_deadline_s)
    if state.outcome or state.timed_out or indefinite or not late:
        return state
    message = _stuck(state)
    if rollout.progress_deadline_abort and not state.first:
        return aborted(state, now_s, message)
    return noted(replace(state, timed_out=True), now_s, "ProgressDeadlineExceeded", message)


def _retired(state: State, now_s: float) -> State:
    """Without the replicas of the release that lost, once they have stayed long enough.

    `reconcileNewReplicaSet` after an abort, `scaleDownDelayHelper` after a promotion.
    """
    if state.retire_s is None or not reached(now_s, state.retire_s, 0):
        return state
    lost = "new" if state.outcome == ABORTED else "old"
    size = 0 if lost == "new" else state.size
    state = replace(state, retire_s=None, size=size, available=state.available and size > 0)
    return noted(state, now_s, "ScalingReplicaSet", f"Scaled {lost} release down to 0 %")


def _stuck(state: State) -> str:
    return f'ReplicaSet "{state.delivery.rollout.name}" has timed out progressing.'


def spoken(state: State) -> State:
    """With the phase and message it has now (`CalculateRolloutPhase`)."""
    if state.outcome == ABORTED:
        why = f": {state.abort_message}" if state.abort_message else ""
        phase, message = DEGRADED, f"RolloutAborted: Rollout aborted update{why}"
    elif state.timed_out:
        phase, message = DEGRADED, f"ProgressDeadlineExceeded: {_stuck(state)}"
    elif state.halts:
        phase, message = PAUSED, state.halts[0].reason
    elif state.outcome == PROMOTED:
        phase, message = HEALTHY, ""
    elif state.size < ALL:
        phase, message = PROGRESSING, "more replicas need to be updated"
    elif state.first:
        phase, message = PROGRESSING, "updated replicas are still becoming available"
    else:
        phase, message = PROGRESSING, "waiting for all steps to complete"
    return replace(state, phase=phase, message=message)
