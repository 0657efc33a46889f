"""The hidden plan: rollbacks under continuous traffic, on good days and on the worst.

Three lanes side by side, each with a registry and a service of its own: they move the champion.
Every step gives plain JSON; what it means is decided by the checks.
"""

from __future__ import annotations

import random
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, flights, models, registry
from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.models import Kind
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import inputs, rollbacks
from sandbox.stack import Stack, copy_registry, service_spec
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from sandbox.probes.rollbacks import Questions
    from sandbox.references import Reference
    from sandbox.runtimes.base import Service

TRUTH = Path(__file__).with_name("truth.yaml")
# Flights that are asked about; a grader draws them anew for every seed.
ROWS = 320
MONTHS = (7, 8, 9, 10)
# What the ticket grants, in seconds.
RECORDED_WITHIN_S, DELIVERED_WITHIN_S, FOLLOWED_WITHIN_S = 10.0, 30.0, 15.0
# The ticket sets a promotion no limit: this only ends what does not end.
PROMOTED_WITHIN_S = 180.0
# How long customers ask before, between and after, in seconds.
BEFORE_S, SETTLED_S, AFTERWARDS_S = 0.8, 1.0, 2.0
# The service polls twice a second and the command takes longer than that to start, while the slow
# release takes ten seconds to load: it is under way then, however busy the machine is, and twelve
# seconds after the command it would have turned up.
UNDER_WAY_S, TURNED_UP_S = 0.3, 12.0
# Two polls and more: by then a release that crashes has crashed.
CRASHED_S = 3.0
NOBODY = "99"
PEOPLE = ("amina", "björn", "chen-li", "d'arcy", "e.kovacs", "oncall-7")
REASONS = (
    "scores are a tenth too high since 17:20",
    "dispatch asked for it: FLY-911",
    'gates held for flights "on time", see #incident',
    "naïve forecast; mean off by >0.1",
)


def plan(stage: Stage) -> Plan:
    """A good day, an outage of the registry, and bad releases."""
    return [
        (
            [Step("inputs", ordinary), Step("rollback", roll_back), Step("forward", roll_forward)],
            Step("outage", outage),
            Step("releases", bad_releases),
        ),
        Step("diagnosis", diagnosed),
    ]


# -- a good day


def ordinary(stage: Stage) -> dict[str, Any]:
    """What the service does anyway, before anything happens."""
    rows = _flights(stage, "inputs")
    cases = inputs.ordinary_cases(flights.records(rows))
    client = Client(stage.stack.model.url)
    second = rollbacks.reference(Kind.SHIFTED, stage.champion)
    return {
        "ordinary": [
            {
                **inputs.send_ordinary(client, case),
                "expected": second.predict(inputs.frame(case.rows)).tolist(),
            }
            for case in cases
        ],
        "malformed": inputs.send_malformed(client, flights.records(rows)[:3]),
    }


def roll_back(stage: Stage) -> dict[str, Any]:
    """Back from version 2 to version 1, again, and to a version that nobody has."""
    people, reasons = _words(stage, "rollback")
    stack = stage.stack
    held = {"1": stage.champion, "2": rollbacks.reference(Kind.SHIFTED, stage.champion)}
    with rollbacks.Traffic(stack.model.url, _questions(stage, "rollback", held)) as traffic:
        traffic.watch(BEFORE_S)
        said_before = rollbacks.told(stack.model.url)
        back = rollbacks.rollback(stack, traffic, "1", by=people[0], why=reasons[0])
        _recorded(stack, back, RECORDED_WITHIN_S)
        # Whatever else somebody writes down with it shall be there before the next command runs.
        traffic.watch(SETTLED_S)
        seen = {
            "back": back,
            "record": registry.entries(stack.registry.url),
            "told": {"before": said_before, "after": rollbacks.told(stack.model.url)},
        }
        # Long enough for an answer that was under way when the command ended.
        if back["status"] == 0 and traffic.sees("1", FOLLOWED_WITHIN_S):
            # Somebody else with another reason: whatever is written anew shows.
            seen["again"] = rollbacks.rollback(stack, traffic, "1", by=people[1], why=reasons[1])
            traffic.watch(SETTLED_S)
            seen["record_after_again"] = registry.entries(stack.registry.url)
            seen["nobody"] = rollbacks.rollback(
                stack, traffic, NOBODY, by=people[1], why=reasons[1]
            )
            traffic.watch(SETTLED_S)
            seen["record_after_nobody"] = registry.entries(stack.registry.url)
    return {**seen, "runs": traffic.runs()}


def roll_forward(stage: Stage) -> dict[str, Any]:
    """Forward from there, to a better version, through the gate."""
    people, reasons = _words(stage, "forward")
    stack = stage.stack
    better = models.register(stack.registry.url, Kind.BETTER)
    held = {
        "1": stage.champion,
        "2": rollbacks.reference(Kind.SHIFTED, stage.champion),
        better: rollbacks.reference(Kind.BETTER, stage.champion),
    }
    with rollbacks.Traffic(stack.model.url, _questions(stage, "forward", held)) as traffic:
        traffic.watch(BEFORE_S)
        before = registry.entries(stack.registry.url)["champion"]
        promoted = rollbacks.command(
            stack,
            traffic,
            "pipeline.promote",
            *("--model", f"models:/{registry.MODEL}/{better}", "--why", reasons[0]),
            by=people[0],
            within_s=PROMOTED_WITHIN_S,
        )
        promoted = {**promoted, "to": better, "by": people[0], "why": reasons[0]}
        followed = traffic.sees(better, FOLLOWED_WITHIN_S)
        _recorded(stack, promoted, RECORDED_WITHIN_S)
        traffic.watch(SETTLED_S)
        record = registry.entries(stack.registry.url)
    return {
        "champion_before": before,
        "promoted": promoted,
        "followed": followed,
        "record": record,
        "runs": traffic.runs(),
    }


# -- an outage of the registry


def outage(stage: Stage) -> dict[str, Any]:
    """Two versions back while the registry is away, and again; then away again, forward to the one
    between, and the service crashes.
    """
    people, reasons = _words(stage, "outage")
    chance = _chance(stage, "outage releases")
    kinds = [Kind.SHIFTED, Kind.BETTER]
    chance.shuffle(kinds)
    with _site(stage, "outage", [(kind, "LGA") for kind in kinds], champion="1") as site:
        later_ones = {
            str(number): rollbacks.reference(kind, stage.champion)
            for number, kind in enumerate(kinds, start=2)
        }
        held = {"1": stage.champion, **later_ones}
        questions = _questions(stage, "outage", held)
        with rollbacks.Traffic(site.stack.model.url, questions) as traffic:
            traffic.watch(BEFORE_S)
            for promoted in later_ones:
                registry.point_champion(site.stack.registry.url, promoted)
                if not traffic.sees(promoted, FOLLOWED_WITHIN_S):
                    raise SubmissionFault(
                        expected=f"version {promoted} to answer {FOLLOWED_WITHIN_S:g} s after it"
                        " was promoted",
                        seen=f"version {traffic.answering() or 'unknown'}",
                        hint="follow the alias",
                    )
                traffic.watch(SETTLED_S)
            site.stack.registry.kill()
            back = rollbacks.rollback(site.stack, traffic, "1", by=people[0], why=reasons[0])
            # Somebody else with another reason: the record that is owed stays the first one's.
            again = rollbacks.rollback(site.stack, traffic, "1", by=people[1], why=reasons[1])
            traffic.watch(AFTERWARDS_S)
            later = site.with_registry(stage)
            record = _recorded(later.stack, back, DELIVERED_WITHIN_S)
            traffic.watch(AFTERWARDS_S)
            later.stack.registry.kill()
            forth = rollbacks.rollback(later.stack, traffic, "2", by=people[1], why=reasons[1])
            traffic.watch(SETTLED_S)
        restarted = _restarted(stage, later, questions, forth)
    return {
        "back": back,
        "again": again,
        "record": record,
        "runs": traffic.runs(),
        "forth": forth,
        "restarted": restarted,
    }


def _restarted(
    stage: Stage, site: _Site, questions: Questions, forth: dict[str, Any]
) -> dict[str, Any]:
    """Crash the service, start it again, and only then bring the registry back."""
    url = site.stack.model.url
    site.stack.model.kill()
    spec = service_spec(
        stage.scenario,
        site.stack.workspace,
        site.stack.registry.url,
        port=int(url.rpartition(":")[2]),
    )
    with stage.runtime.launch(spec) as service:
        try:
            service.wait_ready()
        except SubmissionFault as fault:
            return {"problem": str(fault).partition("\n")[0]}
        with rollbacks.Traffic(service.url, questions) as traffic:
            traffic.watch(AFTERWARDS_S)
            back_at = traffic.begun
            mine = replace(site, stack=replace(site.stack, model=service))
            again = mine.with_registry(stage)
            record = _recorded(again.stack, forth, DELIVERED_WITHIN_S)
            traffic.watch(AFTERWARDS_S)
        return {"problem": "", "back_at": back_at, "record": record, "runs": traffic.runs()}


# -- bad releases


def bad_releases(stage: Stage) -> dict[str, Any]:
    """Back while a release is being loaded, and after one that crashed at that; then a good one."""
    people, reasons = _words(stage, "releases")
    chance = _chance(stage, "releases")
    third = chance.choice((Kind.GOOD, Kind.BETTER))
    kinds = [Kind.SLOW_TO_LOAD, Kind.CRASHING]
    chance.shuffle(kinds)
    with _site(stage, "releases", [(k, "LGA") for k in (Kind.SHIFTED, third, *kinds)], "2") as site:
        slow, crashing = (str(4 + kinds.index(kind)) for kind in (Kind.SLOW_TO_LOAD, Kind.CRASHING))
        held = {
            "2": rollbacks.reference(Kind.SHIFTED, stage.champion),
            "3": rollbacks.reference(third, stage.champion),
            slow: rollbacks.reference(Kind.SLOW_TO_LOAD, stage.champion),
        }
        stack = site.stack
        with rollbacks.Traffic(stack.model.url, _questions(stage, "releases", held)) as traffic:
            traffic.watch(BEFORE_S)
            registry.point_champion(stack.registry.url, slow)
            traffic.watch(UNDER_WAY_S)
            overtaken = rollbacks.rollback(stack, traffic, "3", by=people[0], why=reasons[0])
            traffic.watch(SETTLED_S)
            # No need to wait any longer once it has.
            traffic.sees(slow, TURNED_UP_S)
            record = _recorded(stack, overtaken, RECORDED_WITHIN_S)
            crashed_at = traffic.begun
            registry.point_champion(stack.registry.url, crashing)
            traffic.watch(CRASHED_S)
            after = rollbacks.rollback(stack, traffic, "2", by=people[1], why=reasons[1])
            traffic.watch(AFTERWARDS_S)
            record_after = _recorded(stack, after, RECORDED_WITHIN_S)
            promoted_at = traffic.begun
            registry.point_champion(stack.registry.url, "3")
            traffic.sees("3", FOLLOWED_WITHIN_S)
            traffic.watch(SETTLED_S)
    return {
        "slow": slow,
        "crashing": crashing,
        "overtaken": overtaken,
        "record": record,
        "crashed_at": crashed_at,
        "after_crash": after,
        "record_after_crash": record_after,
        "promoted_at": promoted_at,
        "runs": traffic.runs(),
    }


# -- what all of them need


@dataclass(frozen=True)
class _Site:
    """A registry and a service of one step's own."""

    stack: Stack
    folder: Path

    def with_registry(self, stage: Stage) -> _Site:
        """The registry is back, where it was."""
        server = self._registry_where_it_was(stage)
        if server is None:
            # Whose was the port? Nobody but the service runs that could have taken it on purpose.
            self.stack.model.kill()
            taken_by_service = self._registry_where_it_was(stage) is not None
            fault = SubmissionFault if taken_by_service else HarnessFault
            raise fault(
                expected="the registry's port to be free when it comes back", seen="it is taken"
            )
        server.wait_ready()
        return replace(self, stack=replace(self.stack, registry=server))

    def _registry_where_it_was(self, stage: Stage) -> Service | None:
        url = self.stack.registry.url
        server = registry.launch(stage.runtime, self.folder, int(url.rpartition(":")[2]))
        if server.url == url:
            return server
        server.kill()
        return None


@contextmanager
def _site(
    stage: Stage, name: str, registered: list[tuple[Kind, str]], champion: str
) -> Iterator[_Site]:
    """Start both; `registered` become versions 2, 3 and so on."""
    folder = copy_registry(models.catalogue(), stage.scratch / f"registry of {name}")
    workspace = shutil.copytree(stage.submitted, stage.scratch / f"workspace of {name}")
    with stage.runtime.start(registry.spec(folder)) as server:
        for kind, airport in registered:
            models.register(server.url, kind, airport)
        registry.point_champion(server.url, champion)
        spec = service_spec(stage.scenario, workspace, server.url)
        with stage.runtime.start(spec) as service:
            yield _Site(Stack(stage.runtime, server, service, workspace), folder)


def _recorded(stack: Stack, asked: dict[str, Any], within_s: float) -> dict[str, Any]:
    """What the registry says in the end; a command that failed needs no waiting for."""
    if asked["status"] != 0:
        return registry.entries(stack.registry.url)
    return rollbacks.wait_for_record(stack.registry.url, asked["to"], asked["by"], within_s)


def _chance(stage: Stage, purpose: str) -> random.Random:
    return random.Random(stage.variant.number(purpose))


def _words(stage: Stage, purpose: str) -> tuple[list[str], list[str]]:
    """Two people and two reasons."""
    chance = _chance(stage, f"words of {purpose}")
    return chance.sample(PEOPLE, 2), chance.sample(REASONS, 2)


def _flights(stage: Stage, purpose: str) -> pd.DataFrame:
    number = stage.variant.number(f"flights of {purpose}")
    production = stage.flights[stage.flights["month"].isin(MONTHS)]
    return flights.resample(production, rows=ROWS, weeks=number % 5 - 2, seed=number)


def _questions(stage: Stage, purpose: str, versions: dict[str, Reference]) -> Questions:
    return rollbacks.Questions.about(_flights(stage, purpose), versions)


def diagnosed(stage: Stage) -> dict[str, Any]:
    """What the candidate says broke, beside what did."""
    truth = diagnosis.truth(TRUTH, stage.variant)
    return {**diagnosis.read(stage.submitted), "truth": truth}
