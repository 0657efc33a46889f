"""Whatever a submission does to itself is a failed check; what the harness does is ungradable."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import textwrap
from pathlib import Path

import pytest

from sandbox import assessment, compose, models, scenario, variant
from sandbox.evidence import Evidence, Outcome
from sandbox.grading.scorecard import Scorecard, VerdictOutcome

pytestmark = pytest.mark.slow

PLAN = """
from sandbox import flights
from sandbox.plan import Step
from sandbox.traffic.client import Client, predictions_of

def plan(stage):
    return [Step("replay", replay), Step("workspace", lambda stage: {"ok": True})]

def replay(stage):
    rows = flights.records(stage.flights.head(200))
    exchanges = Client(stage.stack.model.url, timeout_s=1.5).score_all(rows)
    return {
        "served": predictions_of(exchanges),
        "problems": sorted({e.problem for e in exchanges if e.problem}),
    }
"""
CHECKS = '''
from sandbox.grading import check

@check(points=90, competency="serving")
def test_answers(evidence, credit):
    """Every row is answered"""
    replay = evidence["replay"]
    credit.award(
        None not in replay["served"],
        expected="a prediction a row",
        seen="; ".join(replay["problems"]) or "one a row",
        where="replay",
    )

@check(points=10, competency="other")
def test_needs_no_service(evidence, credit):
    """Steps that do not need the service still run"""
    credit.award(evidence["workspace"]["ok"], expected="it ran", seen="it ran", where="workspace")
'''
# A service in a few lines: what it answers to scoring is put in by each case.
SERVICE = """
import json, os, time, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN = [0]

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200, b"{}")

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = rows["dataframe_records"]
        SEEN[0] += 1
        %s

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def predict(self, values):
        self.reply(200, json.dumps({"predictions": values}).encode())

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
CASES = {
    "errors": ('self.reply(500, b"boom")', "status 500: boom"),
    "wrong length": ("self.predict([0.5] * (len(rows) - 1))", "expected 50 predictions, saw 49"),
    "not numbers": ('self.predict([float("nan")] * len(rows))', "not numbers from 0 to 1"),
    "not JSON": ('self.reply(200, b"<html>")', "not {"),
    "hangs": ("time.sleep(60)", "in a row without an answer"),
    "dies mid-episode": (
        "os._exit(1) if SEEN[0] > 1 else self.predict([0.5] * len(rows))",
        "without an answer",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _trained() -> None:
    models.releases()


@pytest.fixture
def course(tmp_path: Path) -> assessment.Course:
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "plan.py").write_text(PLAN)
    (folder / "test_serving.py").write_text(CHECKS)
    return assessment.Course(folder)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    setting = scenario.load("skewed_preprocessing")
    return compose.compose(setting, variant.choose(setting, "broken"), tmp_path / "workspace")


def graded(workspace: Path, course: assessment.Course, tmp_path: Path) -> Scorecard:
    return assessment.assess(workspace, tmp_path / "results", runtime="process", course=course)


def test_a_service_that_works_passes(
    workspace: Path, course: assessment.Course, tmp_path: Path
) -> None:
    (workspace / "service/__main__.py").write_text(SERVICE % "self.predict([0.5] * len(rows))")
    assert graded(workspace, course, tmp_path).points == 100


@pytest.mark.parametrize("case", CASES)
def test_a_service_that_breaks_fails(
    case: str, workspace: Path, course: assessment.Course, tmp_path: Path
) -> None:
    answer, seen = CASES[case]
    (workspace / "service/__main__.py").write_text(SERVICE % answer)
    card = graded(workspace, course, tmp_path)
    assert card.gradable
    answers, other = card.verdicts
    assert answers.outcome is VerdictOutcome.FAILED
    assert seen in answers.seen
    assert other.outcome is VerdictOutcome.PASSED


@pytest.mark.parametrize(
    "start",
    [
        ("raise RuntimeError('no such module')", "an end with status 1"),
        ("import time; time.sleep(600)", "answer 200 at /readyz"),
    ],
    ids=["dies at the start", "never gets ready"],
)
def test_a_service_that_does_not_start_fails(
    start: tuple[str, str],
    workspace: Path,
    course: assessment.Course,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main, said = start
    loaded = scenario.load("skewed_preprocessing")
    quick = loaded.model_copy(
        update={"service": loaded.service.model_copy(update={"ready_within_s": 4.0})}
    )
    monkeypatch.setattr(assessment, "load_scenario", lambda _: quick)
    (workspace / "service/__main__.py").write_text(main)
    card = graded(workspace, course, tmp_path)
    assert card.gradable
    answers, other = card.verdicts
    assert answers.outcome is VerdictOutcome.FAILED
    assert said in answers.seen
    assert other.outcome is VerdictOutcome.PASSED
    record = Evidence(tmp_path / "results/evidence").record("replay")
    assert record.outcome is Outcome.SUBMISSION_FAULT


def test_a_fault_of_the_harness_is_ungradable(
    workspace: Path, course: assessment.Course, tmp_path: Path
) -> None:
    plan = course.plan.read_text().replace("stage.flights.head(200)", "stage.no_such_thing")
    course.plan.write_text(plan)
    (workspace / "service/__main__.py").write_text(SERVICE % "self.predict([0.5] * len(rows))")
    card = graded(workspace, course, tmp_path)
    assert not card.gradable
    answers, other = card.verdicts
    assert answers.outcome is VerdictOutcome.UNGRADABLE
    assert other.outcome is VerdictOutcome.PASSED


def test_a_registry_that_cannot_answer_is_ours(
    workspace: Path,
    course: assessment.Course,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = shutil.copytree(models.releases(), tmp_path / "registry")
    with contextlib.closing(sqlite3.connect(broken / "registry.db")) as database:
        database.execute("DROP TABLE registered_model_aliases")
        database.commit()
    monkeypatch.setattr(models, "releases", lambda: broken)
    card = graded(workspace, course, tmp_path)
    assert not card.gradable
    answers, other = card.verdicts
    assert answers.outcome is VerdictOutcome.UNGRADABLE
    assert "registry" in answers.seen
    assert other.outcome is VerdictOutcome.PASSED


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("registered-models/delete", {"name": "flight-delay"}),
        ("registered-models/alias", {"name": "flight-delay", "alias": "champion"}),
    ],
    ids=["the model", "its alias"],
)
def test_a_submission_that_empties_the_registry_fails(
    what: str,
    named: dict[str, str],
    workspace: Path,
    course: assessment.Course,
    tmp_path: Path,
) -> None:
    vandal = f"""
import os, urllib.request
while True:
    try:
        urllib.request.urlopen(urllib.request.Request(
            os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/{what}",
            b'{json.dumps(named)}', {{"Content-Type": "application/json"}}, method="DELETE"))
        break
    except OSError:
        pass
"""
    main = SERVICE % "self.predict([0.5] * len(rows))"
    (workspace / "service/__main__.py").write_text(vandal + main)
    asks = "from sandbox import registry; registry.champion_version(stage.stack.registry.url)"
    course.plan.write_text(course.plan.read_text().replace("rows = ", f"{asks}; rows = "))
    card = graded(workspace, course, tmp_path)
    assert card.gradable
    assert card.verdicts[0].outcome is VerdictOutcome.FAILED


def test_protected_files_are_put_back(
    workspace: Path, course: assessment.Course, tmp_path: Path
) -> None:
    (workspace / "pipeline/features.py").write_text("raise RuntimeError('mine')")
    main = textwrap.dedent(SERVICE) % "self.predict([0.5] * len(rows))"
    (workspace / "service/__main__.py").write_text("import pipeline.features\n" + main)
    assert graded(workspace, course, tmp_path).points == 100
