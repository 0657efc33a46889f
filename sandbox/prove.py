"""Proof that graders are right: every attempt is graded and compared with what it has to earn."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from sandbox import assessment, attempts, paths
from sandbox.attempts import EXPECTED
from sandbox.errors import UsageError
from sandbox.grading.scorecard import VerdictOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sandbox.attempts import Attempt
    from sandbox.grading.scorecard import Scorecard
    from sandbox.variant import Variant

TOLERANCE = 0.005


@dataclass(frozen=True)
class Trial:
    """One attempt on one seed.

    Args:
        scenario: the scenario's name.
        attempt: the attempt's name.
        kind: what it proves.
        seed: which variant.
        expected: points it has to earn, by the checks that run there.
        observed: points it earned; None where it could not be graded.
        differences: every figure that is not what it should be, in words.
        seconds: how long it took.
    """

    scenario: str
    attempt: str
    kind: str
    seed: str
    expected: float
    observed: float | None
    differences: tuple[str, ...]
    seconds: float

    @property
    def proven(self) -> bool:
        """Whether the graders did what they have to."""
        return not self.differences


def prove(
    scenario: str,
    *,
    seeds: int,
    only: Sequence[str],
    runtime: str,
    jobs: int = 1,
    keep: Path | None = None,
) -> Iterator[Trial]:
    """Grade attempts, and give the trials in order, each once it and those before it are done.

    Args:
        scenario: the scenario's name.
        seeds: how many variants of each attempt.
        only: names of attempts; all where empty.
        runtime: where to run them.
        jobs: how many to grade side by side, each in a process of its own.
        keep: a folder in which the results of trials that differ are kept.
    """
    chosen = attempts.variants(scenario, seeds)
    pairs = [
        (attempt, variant)
        for attempt in attempts.load_all(scenario)
        if not only or attempt.name in only
        for variant in chosen
    ]
    # Not forked: an assessment starts threads, and a library of another trial may have, too.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=end_with_parent) as pool:
        try:
            yield from pool.map(partial(_try, runtime=runtime, keep=keep), pairs)
        finally:
            pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """Have this process end when the one that started it has.

    A pool's processes would grade what they have, and then wait for more for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end with parent", daemon=True).start()


def write_matrix(trials: Sequence[Trial], path: Path) -> None:
    """Write trials as JSON, for the record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(trial) for trial in trials], indent=1) + "\n", "utf-8")


def _try(pair: tuple[Attempt, Variant], *, runtime: str, keep: Path | None) -> Trial:
    attempt, chosen = pair
    with paths.run_folder() as scratch:
        workspace = attempts.make(attempt, chosen, scratch / "workspace")
        results = scratch / "results"
        card = assessment.assess(workspace, results, runtime=runtime)
        expected = round(attempt.points - elsewhere(attempt, card), 2)
        found = tuple(_differences(attempt, card, expected))
        if found and keep:
            target = keep / f"{attempt.name}-{chosen.seed}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(results, target)
    return Trial(
        scenario=chosen.scenario,
        attempt=attempt.name,
        kind=attempt.kind,
        seed=chosen.seed,
        expected=expected,
        observed=card.points if card.gradable else None,
        differences=found,
        seconds=round(sum(card.durations_s.values()), 1),
    )


def elsewhere(attempt: Attempt, card: Scorecard) -> float:
    """What an attempt earns where all checks run, by those that did not run here.

    Raises:
        UsageError: its `expected.yaml` does not say.
    """
    all_or_nothing = {0.0: 0.0, 100.0: 1.0}.get(attempt.points)
    points = 0.0
    for verdict in card.verdicts:
        if verdict.outcome is not VerdictOutcome.NOT_RUN:
            continue
        if verdict.check not in attempt.checks and all_or_nothing is None:
            here = card.runtime["name"]
            raise UsageError(
                expected=f"the points of {verdict.check}, which does not run in {here}",
                seen=f"none in {attempt.folder / EXPECTED}",
                hint="add it to its checks",
            )
        share = all_or_nothing or 0.0
        points += attempt.checks.get(verdict.check, share * verdict.points_max)
    return points


def _differences(attempt: Attempt, card: Scorecard, expected: float) -> Iterator[str]:
    if card.problem:
        yield card.problem
    for verdict in card.verdicts:
        if verdict.outcome == "ungradable":
            yield f"{verdict.check} is ungradable: {verdict.seen}"
    ran = [v for v in card.verdicts if v.outcome is not VerdictOutcome.NOT_RUN]
    if abs(card.points - expected) > TOLERANCE:
        yield f"{card.points:g} points instead of {expected:g}: " + "; ".join(
            f"{v.check} {v.points:g}/{v.points_max:g} ({v.seen[:160]})" for v in ran if not v.guard
        )
    earned = {verdict.check: verdict.points for verdict in ran}
    not_run = {verdict.check for verdict in card.verdicts} - set(earned)
    for check, points in attempt.checks.items():
        if check in not_run:
            continue
        if abs(earned.get(check, -1) - points) > TOLERANCE:
            yield f"{check} earns {earned.get(check, 'nothing, it is missing')} instead of {points}"
