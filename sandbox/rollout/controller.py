"""The rollout controller: Argo Rollouts' canary strategy as a pure state machine.

    state = begin(delivery, now_s)
    state, actions = step(state, now_s, seen)

Nothing here reads a clock, asks a server or draws a number: the same state, time and sight give the
same answer. Whoever drives it calls `step` over and over at one instant until no `Ask` comes back,
carrying out the other actions in their order, and then moves its clock on.

It agrees with Argo Rollouts v1.10 (each function names the one it follows) on a canary with traffic
routing and without `dynamicStableScale`, `setCanaryScale` and experiments, for one release that
comes after another. What is this controller's own:

- Argo reconciles again and again within milliseconds until nothing changes; `step` does that at one
  instant. What is due at an instant is measured before the rollout moves on.
- A wait is over at the first tick at which so much time has passed; `analysis.py` says why.
- Replicas start one by one in Argo, as many as the weight needs. Here `size` says how many are
  wanted, in percent, and one answer says whether they are ready; `stable` is taken to be ready.
- An aborted release stays aborted. Argo's `retry` and `promote --full` would bring it back; here
  that is a new rollout. A first deploy is promoted once it is ready, not before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.errors import HarnessFault
from sandbox.rollout.analysis import INCONCLUSIVE, Answer, due, taken
from sandbox.rollout.changes import aborted, cleared, kept, moved, noted, stopped
from sandbox.rollout.reconcile import reconciled, spoken
from sandbox.rollout.state import (
    COMMANDS,
    PROMOTED,
    Action,
    Ask,
    Command,
    Promote,
    Route,
    ScaleDown,
    ScaleUp,
    Seen,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.rollout.spec import Delivery


def begin(delivery: Delivery, now_s: float, *, first: bool = False) -> State:
    """A rollout that has just been told of a new release.

    Args:
        delivery: what it follows.
        now_s: the simulated time.
        first: whether there is no stable release yet; then all steps and analyses are skipped.
    """
    done = len(delivery.rollout.steps) if first else 0
    return spoken(State(delivery, first, now_s, step=done))


def step(state: State, now_s: float, seen: Seen) -> tuple[State, tuple[Action, ...]]:
    """The rollout after it has looked at the world, and what is to be done, in order.

    Args:
        state: the rollout as it was; `now_s` must not go backwards.
        now_s: the simulated time.
        seen: the world. Answers are to Asks of the step before; what is still due without one is
            asked again.

    Raises:
        HarnessFault: an answer to something that was not asked, or an unknown command.
    """
    actions: list[Action] = []
    after = replace(state, available=seen.available and state.size > 0)
    after = _answered(after, now_s, seen.answers)
    after = _commanded(after, now_s, seen.command)
    # Every pass that changes something takes a step, starts a run that is not there yet, or comes
    # nearer to a weight or an end from which there is no way back: this ends.
    while True:
        asks = _asks(after, now_s)
        if asks:
            return after, (*actions, *asks)
        before, after = after, reconciled(after, now_s)
        if after == before:
            return after, tuple(actions)
        actions += _actions(before, after)


# -- what comes in and goes out


def _asks(state: State, now_s: float) -> tuple[Ask, ...]:
    return tuple(
        Ask(run.name, metric.name, metric.query) for run in state.runs for metric in due(run, now_s)
    )


def _answered(state: State, now_s: float, answers: Mapping[Ask, Answer]) -> State:
    unknown = set(answers).difference(_asks(state, now_s))
    if unknown:
        raise HarnessFault(
            expected="answers to what the rollout's last step asked, at the same instant",
            seen=f"answers to {sorted((ask.run, ask.metric) for ask in unknown)}",
            hint="answer the Asks of one step in the next one, before the clock moves on",
        )
    for run in state.runs:
        mine = {ask.metric: answer for ask, answer in answers.items() if ask.run == run.name}
        if mine:
            state = kept(state, now_s, taken(run, mine, now_s))
    return state


def _actions(before: State, after: State) -> list[Action]:
    """What one pass asks of the world: the differences, the route first."""
    actions: list[Action] = []
    if after.weight != before.weight:
        actions.append(Route(after.weight))
    if after.size and not before.size:
        actions.append(ScaleUp())
    if before.size and not after.size:
        actions.append(ScaleDown("new"))
    if after.outcome == PROMOTED != before.outcome:
        actions.append(Promote())
    if before.outcome == PROMOTED and before.retire_s is not None and after.retire_s is None:
        actions.append(ScaleDown("old"))
    return actions


# -- what a person types


def _commanded(state: State, now_s: float, command: Command) -> State:
    """The rollout after a command (pkg/kubectl-argo-rollouts, `getPatches` and `abortPatch`).

    A rollout that has ended, and a first deploy, take no command.
    """
    if command not in COMMANDS:
        raise HarnessFault(expected=f"a command of {COMMANDS}", seen=repr(command))
    if not command or state.outcome or state.first:
        return state
    state = noted(state, now_s, "Command", command)
    if command == "abort":
        return aborted(state, now_s, "")
    if command == "promote-full":
        state = stopped(cleared(replace(state, full=True), now_s), now_s, "background")
        return moved(state, now_s, len(state.steps))
    if command == "promote":
        inline = state.run(state.inline)
        if inline is not None and inline.phase == INCONCLUSIVE and state.halts:
            state = replace(cleared(state, now_s), controller_pause=False)
            return moved(state, now_s, state.step + 1)
        if not state.halts and state.current is not None:
            return moved(state, now_s, state.step + 1)
    return cleared(state, now_s)
