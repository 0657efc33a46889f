"""The pytest plugin that turns test functions into verdicts.

    what happened                                                     verdict
    exactly one award above 0, nothing raised                         passed
    an AssertionError or a SubmissionFault in the call phase          failed
    the runtime in use is not among the check's `runtimes`            not run
    anything else: another exception, a fixture that breaks, a skip,
    an xfail, no award, two awards, no `@check` or `@guard`           ungradable

It is an object handed to `pytest.main` and not a conftest: nothing beside the checks replaces it.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import SandboxError, SubmissionFault
from sandbox.grading.checks import PREFIX, Check, Credit, Guard, declaration
from sandbox.grading.scorecard import Verdict, VerdictOutcome, one_line

if TYPE_CHECKING:
    from types import ModuleType

    from sandbox.evidence import Evidence

_CREDIT = pytest.StashKey[Credit]()
_RAISED = pytest.StashKey[dict[str, BaseException | None]]()


class CheckModule(pytest.Module):
    """A grader file, compiled from its source each time.

    pytest's own import would find a module of the same name in `sys.modules` (an earlier run's, or
    that of the test run we are called from) or stale byte code beside the file.
    """

    def _getobj(self) -> ModuleType:
        name = f"_sandbox_checks_{self.path.stem}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        # Dataclasses and pickles look their module up; the runner removes it after the run.
        sys.modules[name] = module
        # `optimize=0` keeps assertions even under `python -O`.
        code = compile(self.path.read_bytes(), self.path, "exec", dont_inherit=True, optimize=0)
        exec(code, module.__dict__)  # noqa: S102 - the graders' own file, as pytest would run it
        return module


class VerdictCollector:
    """Collects one verdict for each test function, before guards.

    Args:
        evidence: what the fixture `evidence` gives.
        runtime: the runtime the evidence was collected in.

    Attributes:
        verdicts: verdicts by file name and function name, in the order they were decided.
        seen: how many verdicts each function gave; anything but one is a problem.
        guards: what each guard guards, by name.
        problems: one line for each thing that makes the run ungradable.
        interrupt: a person's interrupt, to be raised again after pytest has swallowed it.
    """

    def __init__(self, evidence: Evidence, runtime: str) -> None:
        self.verdicts: dict[tuple[str, str], Verdict] = {}
        self.seen: Counter[tuple[str, str]] = Counter()
        self.guards: dict[str, tuple[str, ...]] = {}
        self.problems: list[str] = []
        self.interrupt: KeyboardInterrupt | None = None
        self._evidence = evidence
        self._runtime = runtime

    @pytest.fixture(scope="session")
    def evidence(self) -> Evidence:
        """The frozen evidence."""
        return self._evidence

    @pytest.fixture
    def credit(self, request: pytest.FixtureRequest) -> Credit:
        """Takes the check's decision."""
        credit = Credit()
        request.node.stash[_CREDIT] = credit
        return credit

    # -- collection: only the files named, each imported afresh

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Dir:
        """Take a folder as a folder: an `__init__.py` in it is not run."""
        return pytest.Dir.from_parent(parent, path=path)

    def pytest_pycollect_makemodule(
        self, module_path: Path, parent: pytest.Collector
    ) -> pytest.Module:
        """Take a file as a grader file."""
        module: pytest.Module = CheckModule.from_parent(parent, path=module_path)
        return module

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Decide at once on what needs no run, and leave the rest."""
        left = []
        for item in items:
            what = _declared(item)
            if what is None:
                self._add(item, VerdictOutcome.UNGRADABLE, "@check or @guard", "neither")
            elif isinstance(what, Check) and not _runs_in(what, self._runtime):
                expected = f"a runtime among {', '.join(what.runtimes or ())}"
                self._add(item, VerdictOutcome.NOT_RUN, expected, self._runtime)
            else:
                left.append(item)
        items[:] = left

    # -- running: remember what each phase raised, decide after the last

    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport:
        """Remember the phase; give pytest the shortest report (rendering tracebacks costs time)."""
        raised = call.excinfo.value if call.excinfo else None
        item.stash.setdefault(_RAISED, {})[call.when] = raised
        return pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="passed" if raised is None else "failed",
            longrepr=None,
            when=call.when,  # type: ignore[arg-type] # never "collect" for an item
            start=call.start,
            stop=call.stop,
            duration=call.duration,
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> object:
        """Decide once teardown is over: it can still make a check ungradable."""
        result = yield
        self._decide(item)
        return result

    # -- what makes the whole run ungradable

    def pytest_exception_interact(
        self, call: pytest.CallInfo[None], report: pytest.CollectReport | pytest.TestReport
    ) -> None:
        """Remember what a file raised while it was imported."""
        if isinstance(report, pytest.CollectReport) and call.excinfo:
            name = Path(report.nodeid).name
            self.problems.append(f"{name} does not import: {describe(call.excinfo.value)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember a file that was skipped, or failed in a way not seen above."""
        if not report.passed and not self.problems:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self.problems.append(
                one_line(f"{Path(report.nodeid).name} was {report.outcome}: {reason}")
            )

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Remember that pytest itself broke."""
        self.problems.append(f"pytest broke: {describe(excinfo.value)}")
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell a person's interrupt from `pytest.exit` and pytest's own stop after a bad import."""
        if isinstance(excinfo.value, KeyboardInterrupt) and not isinstance(
            excinfo.value, pytest.Session.Interrupted
        ):
            self.interrupt = excinfo.value
        else:
            self.problems.append(f"the run was stopped: {describe(excinfo.value)}")

    # -- deciding

    def _decide(self, item: pytest.Item) -> None:
        raised = item.stash.get(_RAISED, {})
        credit = item.stash.get(_CREDIT, None)
        awards = credit.awards if credit else ()
        error = raised.get("call")
        passed, failed, ungradable = (
            VerdictOutcome.PASSED,
            VerdictOutcome.FAILED,
            VerdictOutcome.UNGRADABLE,
        )
        around = raised.get("setup") or raised.get("teardown")
        if around is not None:
            self._add(
                item, ungradable, "a check that can be set up and torn down", describe(around)
            )
        elif item.get_closest_marker("xfail"):
            self._add(item, ungradable, "a check that decides", "an xfail mark")
        elif isinstance(error, SandboxError) and not isinstance(error, SubmissionFault):
            self._add(item, ungradable, error.expected, one_line(error.seen) + _place(error))
        elif error is not None and not isinstance(error, AssertionError | SubmissionFault):
            self._add(item, ungradable, "a check that decides", describe(error))
        elif len(awards) > 1:
            self._add(item, ungradable, "one award", f"{len(awards)}")
        elif error is not None:
            self._add(item, failed, *_said(error))
        elif not awards:
            self._add(item, ungradable, "one award", "none")
        else:
            (award,) = awards
            # A share of 0 fails even when the grader's own code swallowed what `award` raised.
            outcome = passed if award.share > 0 else failed
            self._add(item, outcome, award.expected, award.seen, award.where, share=award.share)

    def _add(
        self,
        item: pytest.Item,
        outcome: VerdictOutcome,
        expected: str,
        seen: str,
        where: str = "",
        *,
        share: float = 0.0,
    ) -> None:
        function = getattr(item, "originalname", item.name)
        name = function.removeprefix(PREFIX)
        what = _declared(item)
        points = float(what.points) if isinstance(what, Check) else 0.0
        if isinstance(what, Guard):
            self.guards[name] = what.of
        key = (item.path.name, function)
        self.seen[key] += 1
        self.verdicts[key] = Verdict(
            check=name,
            title=_title(item, name),
            competency=what.competency if what else "",
            outcome=outcome,
            points_max=points,
            share=share,
            points=points * share,
            expected=one_line(expected),
            seen=one_line(seen),
            where=one_line(where),
            guard=isinstance(what, Guard),
        )


def describe(error: BaseException) -> str:
    """An exception in one line, with the place it came from."""
    return one_line(f"{type(error).__name__}: {error}".removesuffix(": ")) + _place(error)


def _place(error: BaseException) -> str:
    frame = _frame(error)
    return f" ({Path(frame.filename).name}:{frame.lineno})" if frame else ""


def _said(error: BaseException) -> tuple[str, str, str]:
    """What was expected, seen and where, of an error that fails a check."""
    expected, seen = getattr(error, "expected", None), getattr(error, "seen", None)
    if isinstance(expected, str) and isinstance(seen, str):
        where = getattr(error, "where", "")
        return expected, seen, where if isinstance(where, str) else ""
    # A plain `assert`: its own line is the best account of what was expected.
    frame = _frame(error)
    line = frame.line if frame else ""
    return line or "an assertion to hold", str(error) or "it does not hold", ""


def _frame(error: BaseException) -> traceback.FrameSummary | None:
    """Where an error came from: the innermost line of a grader file, or else of anything."""
    frames = traceback.extract_tb(error.__traceback__)
    graders = [frame for frame in frames if Path(frame.filename).name.startswith(PREFIX)]
    return next(reversed(graders or frames), None)


def _declared(item: pytest.Item) -> Check | Guard | None:
    return declaration(getattr(item, "function", None))


def _runs_in(what: Check, runtime: str) -> bool:
    return what.runtimes is None or runtime in what.runtimes


def _title(item: pytest.Item, name: str) -> str:
    doc = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
    return one_line(doc.splitlines()[0]) if doc else name.replace("_", " ")
