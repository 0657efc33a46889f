"""The public plan: back to version 1 under traffic, and forward again, while all is well."""

from __future__ import annotations

from typing import Any

from sandbox import diagnosis, models, registry
from sandbox.models import Kind
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import rollbacks

FIRST_DAY, LAST_DAY = "2013-07-01", "2013-07-14"
ROWS = 320
BEFORE_S, SETTLED_S = 0.5, 1.0
RECORDED_WITHIN_S, FOLLOWED_WITHIN_S = 10.0, 15.0


def plan(stage: Stage) -> Plan:
    """One rollback, one promotion."""
    return [
        Step("rollback", roll_back),
        Step("diagnosis", lambda stage: diagnosis.read(stage.submitted)),
    ]


def roll_back(stage: Stage) -> dict[str, Any]:
    """Back to version 1 with the command, then forward to version 2 with the alias."""
    departure = stage.flights["departure"].dt.strftime("%Y-%m-%d")
    public = stage.flights[departure.between(FIRST_DAY, LAST_DAY)]
    # Of the registry that is there, and not of the catalogue of releases: a kit has none.
    second = models.version_folder(stage.releases, 2)
    shifted = rollbacks.reference(Kind.SHIFTED, stage.champion, folder=second)
    held = {"1": stage.champion, "2": shifted}
    questions = rollbacks.Questions.about(public.sample(ROWS, random_state=1), held)
    stack = stage.stack
    with rollbacks.Traffic(stack.model.url, questions) as traffic:
        traffic.watch(BEFORE_S)
        back = rollbacks.rollback(stack, traffic, "1", by="you", why="make check")
        record = (
            rollbacks.wait_for_record(stack.registry.url, "1", "you", RECORDED_WITHIN_S)
            if back["status"] == 0
            else registry.entries(stack.registry.url)
        )
        traffic.watch(SETTLED_S)
        forward_at = traffic.begun
        # Where it is champion already, moving the alias there says nothing.
        registry.point_champion(stack.registry.url, "2")
        traffic.sees("2", FOLLOWED_WITHIN_S)
        traffic.watch(SETTLED_S)
    return {"back": back, "record": record, "forward_at": forward_at, "runs": traffic.runs()}
