"""no_rollback: variants that are broken in the ways the truth names, figures of the ticket that are
those of the graders, and graders that tell unnoticed from noticed.
"""

from __future__ import annotations

import ast
import copy
import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from sandbox import compose, diagnosis, flights, models, overlay, paths, scenario
from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.grading.runner import grade
from sandbox.models import Kind
from sandbox.probes import rollbacks
from sandbox.scenario import Choice
from sandbox.system.modules import module_from
from sandbox.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from sandbox.grading.scorecard import Verdict
    from sandbox.references import Reference

SETTING = scenario.load("no_rollback")
GRADERS = paths.GRADERS / SETTING.name
TICKET = (SETTING.folder / "TICKET.md").read_text("utf-8")
CHOICES = {name: each.choice for name, each in SETTING.variant.items() if isinstance(each, Choice)}
VARIANTS = [
    dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values())
]
PLAN = module_from(
    (GRADERS / "plan.py").read_text("utf-8"), "no_rollback_plan", str(GRADERS / "plan.py")
)
MONTHS = (7, 8, 9, 10, 11)


def rendered(path: str, parameters: dict[str, str]) -> str:
    template = (SETTING.folder / f"overlay/{path}.j2").read_text("utf-8")
    return overlay.render(template, parameters, SETTING.folder)


# -- the variants


@pytest.mark.parametrize("parameters", VARIANTS, ids=lambda each: "-".join(each.values()))
def test_every_variant_is_a_service_that_leaves_no_trace(
    parameters: dict[str, str], tmp_path: Path
) -> None:
    workspace = compose.compose(
        SETTING, Variant(SETTING.name, "x", parameters), tmp_path / "workspace"
    )
    assert not (workspace / "service/store.py").exists()
    for path in workspace.rglob("*.py"):
        text = path.read_text("utf-8")
        ast.parse(text)
        assert not re.search(r"\{%|%\}|\{\{", text), path
        assert not set(itertools.chain(*CHOICES.values())) & set(re.findall(r"\w+", text)), path
    # What the healthy service has and the broken one must not.
    assert "/release" not in (workspace / "service/app.py").read_text("utf-8")


def test_what_a_parameter_breaks_is_broken_in_its_file_alone() -> None:
    once = rendered("service/champion.py", {"swap_fault": "loads_once"})
    first = rendered("service/champion.py", {"swap_fault": "unloads_first"})
    assert "resolve" not in once
    assert "resolve" in first
    assert first.index("self.model = None\n                    self.model = load") > 0
    believes = rendered("pipeline/rollback.py", {"success_fault": "believes_the_registry"})
    restarts = rendered("pipeline/rollback.py", {"success_fault": "restarts"})
    assert "requests" not in believes
    assert "/restart" in restarts
    nothing = rendered("pipeline/release.py", {"record_fault": "no_record"})
    private = rendered("pipeline/release.py", {"record_fault": "private_record"})
    assert "why" in nothing  # it is asked for
    assert "Path.home()" not in nothing
    assert "Path.home()" in private
    assert "tag" not in nothing + private


def test_every_variant_has_three_findings_in_the_words_of_the_ticket() -> None:
    words = set(re.findall(r"`([\w.]+)`", TICKET)) | {"service.champion"}
    for parameters in VARIANTS:
        truth = diagnosis.truth(GRADERS / "truth.yaml", Variant(SETTING.name, "x", parameters))
        assert len(truth) == 3
        findings = [
            {"component": fact["component"], "subject": fact["subject"][0], "kind": fact["kind"][0]}
            for fact in truth
        ]
        assert diagnosis.f1(findings, truth) == 1
        for fact in truth:
            assert set(fact["subject"]) | set(fact["kind"]) | {fact["component"]} <= words | {
                "pipeline.rollback",
                "pipeline.release",
            }
            assert all(f"| `{kind}` |" in TICKET for kind in fact["kind"])
    assert set(yaml.safe_load((GRADERS / "truth.yaml").read_text("utf-8"))) == set(CHOICES)


# -- the ticket


def test_the_tickets_figures_are_the_graders() -> None:
    words = " ".join(TICKET.split())
    assert "at most 30 seconds after the command was started" in words
    assert rollbacks.COMMAND_WITHIN_S > 30
    assert f"{PLAN.FOLLOWED_WITHIN_S:.0f} seconds after `models:/flight-delay@champion`" in words
    assert f"the record follows within {PLAN.DELIVERED_WITHIN_S:.0f} seconds" in words
    assert f"all of it is there {PLAN.RECORDED_WITHIN_S:.0f} seconds after the command" in words
    assert all(f"`{tag}`" in TICKET for tag in rollbacks.RECORD)
    assert SETTING.releases is not None
    assert (SETTING.releases.registered, SETTING.releases.champion) == ((Kind.SHIFTED,), 2)


def test_version_2_is_a_tenth_too_high(all_flights: pd.DataFrame, champion: Reference) -> None:
    rows = all_flights[all_flights["month"].isin(MONTHS)].sample(20_000, random_state=1)
    second = rollbacks.reference(Kind.SHIFTED, champion)
    moved = second.predict(rows).mean() - champion.predict(rows).mean()
    assert 0.1 <= moved <= 0.15


@pytest.mark.parametrize("kind", [Kind.SHIFTED, Kind.BETTER, Kind.GOOD])
def test_versions_differ_in_every_request_by_far_more_than_the_tolerance(
    all_flights: pd.DataFrame, champion: Reference, kind: Kind
) -> None:
    production = all_flights[all_flights["month"].isin(PLAN.MONTHS)]
    rows = flights.resample(production, rows=PLAN.ROWS, weeks=1, seed=5)
    apart = np.abs(rollbacks.reference(kind, champion).predict(rows) - champion.predict(rows))
    by_request = apart.reshape(-1, rollbacks.ROWS_PER_REQUEST).max(axis=1)
    assert by_request.min() > 1_000 * rollbacks.TOLERANCE


def test_every_release_of_the_plan_can_be_registered() -> None:
    for kind in (Kind.SHIFTED, Kind.GOOD, Kind.BETTER, Kind.SLOW_TO_LOAD, Kind.CRASHING):
        assert (models.release_folder(kind) / "MLmodel").exists()


# -- the graders, on evidence that is made up

BEGAN, ENDED = 1_800_000_000.0, 1_800_000_002.0
STAMP = "2027-01-15T08:00:01+00:00"


def run(version: str, count: int, problem: str = "") -> dict[str, Any]:
    return {"version": version, "said": version, "problem": problem, "requests": count}


def done(to: str, first: int, last: int, by: str = "amina", status: int = 0) -> dict[str, Any]:
    """A command between two marks."""
    return {
        "status": status,
        "began": BEGAN,
        "ended": ENDED,
        "first": first,
        "last": last,
        "tail": "",
        "to": to,
        "by": by,
        "why": "it is wrong",
    }


def entries(champion: str, previous: str, by: str = "amina") -> dict[str, Any]:
    tags = {"by": by, "at": STAMP, "why": "it is wrong", "previous": previous}
    return {
        "champion": champion,
        "tags": {champion: {f"champion.{key}": value for key, value in tags.items()}},
    }


def perfect() -> dict[str, Any]:
    """What the steps of a right fix see."""
    record = entries("1", "2")
    return {
        "inputs": {
            "ordinary": [
                {"case": "plain", "problem": "", "served": [0.4], "expected": [0.4]},
            ],
            "malformed": [{"case": "empty", "problem": "", "status": 400}],
        },
        "rollback": {
            "back": done("1", 10, 30),
            "record": record,
            "told": {"before": "2", "after": "1"},
            "again": done("1", 50, 70),
            "record_after_again": record,
            "nobody": done("99", 80, 90, status=2),
            "record_after_nobody": record,
            "runs": [run("2", 20), run("1", 80)],
        },
        "forward": {
            "champion_before": "1",
            "promoted": done("3", 10, 60),
            "followed": True,
            "record": entries("3", "1"),
            "runs": [run("1", 65), run("3", 35)],
        },
        "outage": {
            "back": done("1", 50, 70),
            "again": done("1", 75, 85, by="chen-li"),
            "record": entries("1", "3"),
            "runs": [run("1", 10), run("2", 10), run("3", 40), run("1", 80), run("2", 20)],
            "forth": done("2", 130, 150, by="chen-li"),
            "restarted": {
                "problem": "",
                "back_at": 30,
                "record": entries("2", "1", by="chen-li"),
                "runs": [run("2", 90)],
            },
        },
        "releases": {
            "slow": "4",
            "crashing": "5",
            "overtaken": done("3", 20, 40),
            "record": entries("3", "4"),
            "crashed_at": 100,
            "after_crash": done("2", 150, 170),
            "record_after_crash": entries("2", "5"),
            "promoted_at": 195,
            "runs": [run("2", 35), run("3", 125), run("2", 40), run("3", 30)],
        },
        "diagnosis": {"findings": [], "truth": [], "problem": ""},
    }


Graded = dict[str, "Verdict"]


@pytest.fixture
def graded(tmp_path: Path) -> Callable[[dict[str, Any]], Graded]:
    numbers = itertools.count()

    def judge(steps: dict[str, Any]) -> Graded:
        writer = EvidenceWriter(tmp_path / str(next(numbers)))
        for name, data in steps.items():
            writer.write(Record(name, Outcome.RECORDED, data))
        verdicts, problem = grade(GRADERS, writer.freeze(), runtime="process")
        assert not problem
        assert all(verdict.outcome != "ungradable" for verdict in verdicts), verdicts
        return {verdict.check: verdict for verdict in verdicts}

    return judge


def lost(verdicts: Graded) -> dict[str, float]:
    """Points that were not earned, by check; the diagnosis of made-up evidence left out."""
    return {
        name: verdict.points_max - verdict.points
        for name, verdict in verdicts.items()
        if verdict.points < verdict.points_max and not name.startswith("diagnosis")
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """Perfect evidence in which one thing is otherwise."""
    steps = copy.deepcopy(perfect())
    place: Any = steps
    *folders, last = path.split("/")
    for folder in folders:
        place = place[int(folder) if isinstance(place, list) else folder]
    place[last] = value
    return steps


def test_points_add_up_to_a_hundred_and_a_right_fix_earns_them(
    graded: Callable[[dict[str, Any]], Graded],
) -> None:
    verdicts = graded(perfect())
    assert sum(verdict.points_max for verdict in verdicts.values()) == 100
    assert lost(verdicts) == {}
    competencies = {verdict.competency for verdict in verdicts.values() if not verdict.guard}
    assert competencies == set(SETTING.competencies)


DOWN = run("", 2, "status 503")


@pytest.mark.parametrize(
    ("path", "value", "costs"),
    [
        # One request fails, or the versions go back and forth, or the command believes too early.
        (
            "rollback/runs",
            [run("2", 20), DOWN, run("1", 78)],
            {"rollback_is_not_noticed": 16, "rollback_again_changes_nothing": 6},
        ),
        (
            "rollback/runs",
            [run("2", 20), run("1", 10), run("2", 5), run("1", 65)],
            {"rollback_is_not_noticed": 16, "rollback_again_changes_nothing": 6},
        ),
        (
            "rollback/runs",
            [run("2", 35), run("1", 65)],
            {"rollback_is_not_noticed": 16, "rollback_again_changes_nothing": 6},
        ),
        (
            "rollback/back/status",
            1,
            {"rollback_is_not_noticed": 16, "rollback_again_changes_nothing": 6},
        ),
        ("rollback/again/status", 1, {"rollback_again_changes_nothing": 6}),
        ("rollback/nobody/status", 1, {"rollback_again_changes_nothing": 6}),
        (
            "rollback/record_after_again",
            entries("1", "2", by="björn"),
            {"rollback_again_changes_nothing": 6},
        ),
        (
            "rollback/runs",
            [run("2", 20), run("1", 40), DOWN, run("1", 38)],
            {"rollback_again_changes_nothing": 6},
        ),
        (
            "rollback/record",
            entries("1", "3"),
            {"rollback_is_recorded": 9, "rollback_again_changes_nothing": 6},
        ),
        (
            "forward/runs",
            [run("1", 65), DOWN, run("3", 33)],
            {"promotion_after_a_rollback_wins": 7},
        ),
        ("forward/runs", [run("1", 100)], {"promotion_after_a_rollback_wins": 7}),
        ("forward/record", entries("3", "1", by="root"), {"promotion_is_recorded": 5}),
        ("forward/record", entries("3", "2"), {"promotion_is_recorded": 5}),
        # The registry's old opinion counts when it is back.
        (
            "outage/runs",
            [run("3", 60), run("1", 40), run("3", 20), run("1", 20), run("2", 20)],
            {"rollback_works_without_the_registry": 13},
        ),
        # The one between is not the one that was asked for.
        (
            "outage/runs",
            [run("3", 60), run("2", 5), run("1", 75), run("2", 20)],
            {"rollback_works_without_the_registry": 13},
        ),
        ("outage/again/status", 1, {"rollback_works_without_the_registry": 13}),
        (
            "outage/record",
            entries("1", "3", by="chen-li"),
            {"record_follows_when_the_registry_is_back": 8},
        ),
        (
            "outage/record",
            entries("1", "2"),
            {"record_follows_when_the_registry_is_back": 8},
        ),
        (
            "outage/restarted/record",
            entries("2", "3", by="chen-li"),
            {"restart_without_the_registry_answers_as_before": 4.5},
        ),
        (
            "outage/restarted/problem",
            "not ready within 30 s",
            {"restart_without_the_registry_answers_as_before": 9},
        ),
        (
            "outage/restarted/runs",
            [run("2", 50), run("1", 40)],
            {"restart_without_the_registry_answers_as_before": 4.5},
        ),
        (
            "outage/restarted/runs",
            [run("1", 90)],
            {"restart_without_the_registry_answers_as_before": 9},
        ),
        # The release turns up after the rollback. Before it, it may.
        (
            "releases/runs",
            [run("2", 35), run("3", 15), run("4", 10), run("3", 100), run("2", 40), run("3", 30)],
            {"rollback_wins_over_a_release_under_way": 9},
        ),
        (
            "releases/runs",
            [run("2", 25), run("4", 10), run("3", 125), run("2", 40), run("3", 9)],
            {},
        ),
        (
            "releases/record/champion",
            "4",
            {"rollback_wins_over_a_release_under_way": 9},
        ),
        (
            "releases/runs",
            [run("2", 35), run("3", 75), DOWN, run("3", 48), run("2", 40), run("3", 30)],
            {"release_that_crashes_never_answers": 8},
        ),
        # Nothing gets in any more after a release that crashed, or it is noticed.
        (
            "releases/runs",
            [run("2", 35), run("3", 125), run("2", 70)],
            {"release_that_crashes_never_answers": 8},
        ),
        (
            "releases/runs",
            [run("2", 35), run("3", 125), run("2", 40), DOWN, run("3", 28)],
            {"release_that_crashes_never_answers": 8},
        ),
        ("releases/after_crash/status", 1, {"release_that_crashes_never_answers": 8}),
    ],
)
def test_what_a_slip_costs(
    path: str, value: object, costs: dict[str, float], graded: Callable[[dict[str, Any]], Graded]
) -> None:
    assert lost(graded(changed(path, value))) == costs


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rollback/told", {"before": "2", "after": "2"}),
        ("rollback/runs", [run("2", 20), {**run("1", 80), "said": "2"}]),
        ("inputs/ordinary", [{"case": "a", "problem": "500", "served": None, "expected": [0.4]}]),
        ("inputs/malformed", [{"case": "empty", "problem": "", "status": 200}]),
    ],
)
def test_what_worked_before_has_to_work(
    path: str, value: object, graded: Callable[[dict[str, Any]], Graded]
) -> None:
    verdicts = graded(changed(path, value))
    assert sum(verdict.points for verdict in verdicts.values()) == 0


def test_nobody_who_leaves_version_2_in_place_earns_anything(
    graded: Callable[[dict[str, Any]], Graded],
) -> None:
    steps = perfect()
    stuck = [run("2", 100)]
    for name in ("rollback", "forward", "releases"):
        steps[name]["runs"] = stuck
    steps["rollback"]["told"] = {"before": "2", "after": "2"}
    del steps["outage"]
    steps["forward"]["record"] = {"champion": "3", "tags": {"3": {}}}
    verdicts = graded_without_outage(graded, steps)
    assert sum(verdict.points for verdict in verdicts.values()) == 0


def graded_without_outage(
    graded: Callable[[dict[str, Any]], Graded], steps: dict[str, Any]
) -> Graded:
    """The outage's checks need evidence: the version that was to be left never came."""
    still = perfect()["outage"]
    still["runs"] = [run("3", 150)]
    still["record"] = entries("2", "1")
    still["restarted"] = {"problem": "not ready within 30 s"}
    return graded({**steps, "outage": still})
