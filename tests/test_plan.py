"""Collecting: every step is recorded by whose fault it was, and none stops another."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import paths, scenario, variant
from sandbox.errors import HarnessFault, SubmissionFault, UsageError
from sandbox.evidence import Evidence, EvidenceWriter, Outcome, StepFault
from sandbox.plan import Plan, Stage, Step, collect, load_plan
from sandbox.progress import Silent
from sandbox.runtimes import open_runtime
from sandbox.stack import service_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sandbox.runtimes.specs import ServiceSpec

    Run = Callable[[Stage], Mapping[str, Any]]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    setting = scenario.load("skewed_preprocessing")
    chosen = variant.choose(setting, "7")
    with open_runtime("process") as runtime:
        yield Stage(
            scenario=setting,
            variant=chosen,
            submitted=tmp_path,
            workspace=tmp_path,
            runtime=runtime,
            scratch=tmp_path,
            releases=tmp_path,
            pristine=tmp_path,
        )


def collected(plan: Plan, stage: Stage, folder: Path) -> Evidence:
    writer = EvidenceWriter(folder / "evidence")
    collect(plan, stage, writer)
    return writer.freeze()


def raising(error: BaseException) -> Run:
    def run(stage: Stage) -> Mapping[str, Any]:
        raise error

    return run


def giving(**data: object) -> Run:
    return lambda stage: data


FAULT = SubmissionFault(expected="an answer", seen="none\nTraceback:\n  line 2", hint="look")


def test_a_step_that_ran_is_recorded_with_what_it_saw(stage: Stage, tmp_path: Path) -> None:
    evidence = collected([Step("one", giving(rows=[1, None, "ß"]))], stage, tmp_path)
    record = evidence.record("one")
    assert (record.outcome, record.reason, record.detail) == (Outcome.RECORDED, "", "")
    assert evidence["one"] == {"rows": [1, None, "ß"]}
    assert 0 <= record.duration_s < 5


def test_a_submissions_fault_is_split_at_its_first_line(stage: Stage, tmp_path: Path) -> None:
    evidence = collected([Step("one", raising(FAULT))], stage, tmp_path)
    record = evidence.record("one")
    assert record.outcome is Outcome.SUBMISSION_FAULT
    assert record.reason == "expected an answer; saw none"
    assert record.detail == "Traceback:\n  line 2; try: look"
    with pytest.raises(StepFault, match="saw none"):
        evidence["one"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (HarnessFault(expected="a disk", seen="none"), "HarnessFault: expected a disk; saw none"),
        (UsageError(expected="a file", seen="none"), "UsageError: expected a file; saw none"),
        (KeyError("rows"), "KeyError: 'rows'"),
        (AssertionError("no"), "AssertionError: no"),
        (RecursionError("deep"), "RecursionError: deep"),
        (MemoryError(), "MemoryError: "),
    ],
)
def test_anything_else_is_ours(stage: Stage, tmp_path: Path, error: Exception, reason: str) -> None:
    evidence = collected([Step("one", raising(error))], stage, tmp_path)
    record = evidence.record("one")
    assert (record.outcome, record.reason) == (Outcome.HARNESS_FAULT, reason)
    assert record.detail.startswith("Traceback")
    assert "in run" in record.detail
    with pytest.raises(HarnessFault):
        evidence["one"]


def deep(levels: int) -> list[Any]:
    nest: list[Any] = []
    for _ in range(levels):
        nest = [nest]
    return nest


@pytest.mark.parametrize(
    "data", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}, {"x": deep(700)}]
)
def test_what_is_no_plain_json_is_ours_and_stops_nothing(
    stage: Stage, tmp_path: Path, data: dict[str, Any]
) -> None:
    plan = [(Step("odd", lambda stage: data), Step("beside", giving())), Step("after", giving())]
    evidence = collected(plan, stage, tmp_path)
    outcomes = [evidence.record(step).outcome for step in ("odd", "beside", "after")]
    assert outcomes == [Outcome.HARNESS_FAULT, Outcome.RECORDED, Outcome.RECORDED]
    assert evidence.record("odd").reason


def test_other_steps_still_run_in_order(stage: Stage, tmp_path: Path) -> None:
    ran: list[str] = []

    def step(name: str, error: Exception | None = None) -> Step:
        def run(stage: Stage) -> Mapping[str, Any]:
            ran.append(name)
            if error is not None:
                raise error
            return {}

        return Step(name, run)

    plan: Plan = [
        step("a", FAULT),
        (step("b", KeyError("b")), step("c", FAULT), step("d")),
        step("e"),
    ]
    evidence = collected(plan, stage, tmp_path)
    assert (ran[0], sorted(ran[1:4]), ran[4]) == ("a", ["b", "c", "d"], "e")
    assert {name: evidence.record(name).outcome.value for name in "abcde"} == {
        "a": "submission fault",
        "b": "harness fault",
        "c": "submission fault",
        "d": "recorded",
        "e": "recorded",
    }


def test_steps_of_a_tuple_run_side_by_side(stage: Stage, tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=5)

    def meet(stage: Stage) -> Mapping[str, Any]:
        together.wait()
        return {}

    evidence = collected([tuple(Step(name, meet) for name in "abc")], stage, tmp_path)
    assert {evidence.record(name).outcome for name in "abc"} == {Outcome.RECORDED}


def test_steps_of_a_list_run_one_after_the_other(stage: Stage, tmp_path: Path) -> None:
    running, most = 0, 0

    def run(stage: Stage) -> Mapping[str, Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        threading.Event().wait(0.01)
        running -= 1
        return {}

    collected([Step(name, run) for name in "abc"], stage, tmp_path)
    assert most == 1


def test_a_list_in_a_tuple_is_a_lane_of_its_own(stage: Stage, tmp_path: Path) -> None:
    first_is_done, last_may_go = threading.Event(), threading.Event()
    ran: list[str] = []

    def first(stage: Stage) -> Mapping[str, Any]:
        ran.append("first")
        first_is_done.set()
        return {}

    def second(stage: Stage) -> Mapping[str, Any]:
        # Only the other lane can let it go on.
        assert last_may_go.wait(5)
        ran.append("second")
        raise FAULT

    def beside(stage: Stage) -> Mapping[str, Any]:
        assert first_is_done.wait(5)
        ran.append("beside")
        last_may_go.set()
        return {}

    lane = [Step("first", first), Step("second", second), Step("third", giving())]
    evidence = collected([(lane, Step("beside", beside)), Step("after", giving())], stage, tmp_path)
    assert ran == ["first", "beside", "second"]
    assert [step for step in evidence.steps if evidence.record(step).reason] == ["second"]
    assert sorted(evidence.steps) == ["after", "beside", "first", "second", "third"]


# -- the stage


def test_what_is_made_once_is_made_once(stage: Stage) -> None:
    made: list[int] = []
    together = threading.Barrier(8, timeout=5)

    def make() -> object:
        made.append(1)
        threading.Event().wait(0.02)
        return object()

    def ask(_: int) -> object:
        together.wait()
        return stage.once("thing", make)

    with ThreadPoolExecutor(8) as pool:
        things = set(pool.map(ask, range(8)))
    assert (len(made), len(things)) == (1, 1)
    assert stage.once("other", object) not in things


def test_what_is_made_may_need_what_else_is_made_once(stage: Stage) -> None:
    assert stage.once("outer", lambda: stage.once("inner", lambda: 1) + 1) == 2


def test_different_things_are_made_side_by_side(stage: Stage) -> None:
    together = threading.Barrier(2, timeout=5)
    with ThreadPoolExecutor(2) as pool:
        met = pool.map(lambda name: stage.once(name, together.wait), ["one", "other"])
        assert sorted(met) == [0, 1]


def test_nothing_is_kept_of_what_failed(stage: Stage) -> None:
    with pytest.raises(KeyError):
        stage.once("thing", lambda: {}["none"])
    assert stage.once("thing", lambda: None) is None
    # None is a thing, too.
    assert stage.once("thing", lambda: 1) is None


@pytest.mark.parametrize("fault", [FAULT, HarnessFault(expected="a registry", seen="none")])
def test_every_step_that_needs_the_stack_ends_by_its_fault(
    stage: Stage, tmp_path: Path, fault: SubmissionFault | HarnessFault
) -> None:
    stage.fault = fault

    def needs(stage: Stage) -> Mapping[str, Any]:
        return {"url": stage.stack.model.url}

    evidence = collected(
        [(Step("a", needs), Step("b", needs)), Step("c", giving())], stage, tmp_path
    )
    wanted = (
        Outcome.SUBMISSION_FAULT if isinstance(fault, SubmissionFault) else Outcome.HARNESS_FAULT
    )
    assert [evidence.record(name).outcome for name in "abc"] == [wanted, wanted, Outcome.RECORDED]
    with pytest.raises(type(fault)) as caught:
        stage.stack  # noqa: B018 - asking is the test
    assert caught.value is fault


def test_a_stack_that_was_never_started_is_ours(stage: Stage) -> None:
    with pytest.raises(HarnessFault, match="none was started"):
        stage.stack  # noqa: B018 - asking is the test


class FakeRuntime:
    """Starts nothing and keeps what it was asked to start."""

    def __init__(self) -> None:
        self.specs: list[ServiceSpec] = []
        self.stopped = 0

    @contextmanager
    def start(self, spec: ServiceSpec) -> Iterator[ServiceSpec]:
        self.specs.append(spec)
        yield spec
        self.stopped += 1


@pytest.fixture
def replicating(stage: Stage, tmp_path: Path) -> tuple[Stage, FakeRuntime]:
    """A stage with a stack, whose submission and handed-out workspace say which they are."""
    runtime = FakeRuntime()
    changed: dict[str, Any] = {"runtime": runtime, "scratch": tmp_path / "scratch"}
    for name in ("submitted", "pristine", "workspace"):
        changed[name] = tmp_path / name
        (tmp_path / name / "service").mkdir(parents=True)
        (tmp_path / name / "service/app.py").write_text(name)
    (tmp_path / "scratch").mkdir()
    running = SimpleNamespace(registry=SimpleNamespace(url="http://registry"))
    return replace(stage, running=running, **changed), runtime  # type: ignore[arg-type]


@pytest.mark.parametrize(("pristine", "text"), [(False, "submitted"), (True, "pristine")])
def test_a_replica_runs_on_a_copy_of_its_own(
    replicating: tuple[Stage, FakeRuntime], pristine: bool, text: str
) -> None:
    stage, runtime = replicating
    with stage.replica(pristine=pristine) as service:
        (spec,) = runtime.specs
        assert service is spec
        app = spec.workdir / "service/app.py"
        assert app.read_text() == text
        # What it writes is seen by nobody else.
        app.write_text("changed")
        with stage.replica(pristine=pristine):
            assert (runtime.specs[1].workdir / "service/app.py").read_text() == text
    for folder in (stage.submitted, stage.pristine, stage.workspace):
        assert (folder / "service/app.py").read_text() == folder.name
    assert runtime.stopped == 2


def test_a_replica_is_started_like_the_service_itself(
    replicating: tuple[Stage, FakeRuntime],
) -> None:
    stage, runtime = replicating
    with stage.replica():
        pass
    (spec,) = runtime.specs
    assert spec == service_spec(stage.scenario, spec.workdir, "http://registry")
    assert not spec.trusted
    assert stage.scratch in spec.workdir.parents


@pytest.mark.parametrize("pristine", [False, True])
def test_there_is_no_replica_where_the_stack_did_not_start(
    replicating: tuple[Stage, FakeRuntime], pristine: bool
) -> None:
    stage, runtime = replicating
    stage.fault, stage.running = FAULT, None
    with pytest.raises(SubmissionFault) as caught, stage.replica(pristine=pristine):
        pytest.fail("it started")
    assert caught.value is FAULT
    assert runtime.specs == []


def test_the_folder_of_a_replica_tells_nobody_what_it_is_for(
    replicating: tuple[Stage, FakeRuntime],
) -> None:
    stage, runtime = replicating
    for _ in range(2):
        with stage.replica():
            pass
    names = [spec.workdir.name for spec in runtime.specs]
    assert len(set(names)) == 2
    assert all(re.fullmatch("replica-[0-9a-f]{8}", name) for name in names)


def test_progress_is_told_to_nobody_unless_somebody_asks(stage: Stage) -> None:
    assert isinstance(stage.progress, Silent)
    mine = Silent()
    assert replace(stage, progress=mine).progress is mine


# -- plans


def steps_of(plan: Plan) -> list[Step]:
    return [plan] if isinstance(plan, Step) else [step for part in plan for step in steps_of(part)]


@pytest.mark.parametrize("path", sorted(paths.GRADERS.glob("*/plan.py")), ids=str)
def test_every_graders_plan_loads_and_names_each_step_once(path: Path, stage: Stage) -> None:
    plan = load_plan(path)(stage)
    names = [step.name for step in steps_of(plan)]
    assert names
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name not in ("index", "case") for name in names)


@pytest.mark.parametrize(
    "source", [None, "plan = ", "import a_module_that_is_not_there", "steps = []", "\0"]
)
def test_a_plan_that_does_not_load_is_ours(tmp_path: Path, source: str | None) -> None:
    path = tmp_path / "plan.py"
    if source is not None:
        path.write_text(source)
    with pytest.raises(HarnessFault, match="plan\\(stage\\)"):
        load_plan(path)
