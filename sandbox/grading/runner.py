"""Grades a folder of checks on a folder of evidence: pytest, in this process, with nothing else in.

What stands beside or above the checks (conftest.py, pytest.ini, an `__init__.py`, byte code), what
the environment says (PYTEST_ADDOPTS, PYTEST_PLUGINS) and which plugins are installed changes
nothing. The files are read twice: once as syntax, to know which checks there must be, and once by
pytest. Unless each of them gave exactly one verdict the whole run is ungradable.
"""

from __future__ import annotations

import ast
import contextlib
import io
import math
import os
import sys
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.grading.checks import PREFIX
from sandbox.grading.plugin import VerdictCollector
from sandbox.grading.scorecard import Verdict, VerdictOutcome, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sandbox.evidence import Evidence

# A check needs functions and fixtures of pytest. Each of these could change a verdict, print, write
# files or cost time; `subtests` would let a failed assertion pass.
_BLOCKED = (
    "cacheprovider",
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "logging",
    "pastebin",
    "subtests",
    "terminal",
    "threadexception",
    "unraisableexception",
    "warnings",
)


def grade(checks_folder: Path, evidence: Evidence, *, runtime: str) -> tuple[list[Verdict], str]:
    """Run every check of a folder on evidence.

    Args:
        checks_folder: its `test_*.py` are the checks; folders in it are not looked into.
        evidence: what the checks see.
        runtime: the runtime the evidence was collected in.

    Returns:
        The verdicts in the order of the files, and in one line why the whole run is ungradable, or
        nothing. When it is, every verdict that is left says so too.

    Raises:
        KeyboardInterrupt: a person stopped it.
    """
    folder = checks_folder.resolve()
    expected, problem = _expected(folder)
    if problem:
        return [], problem
    collector = VerdictCollector(evidence, runtime)
    said = _run(folder, collector)
    if collector.interrupt:
        raise collector.interrupt

    verdicts = [collector.verdicts[key] for key in expected if key in collector.verdicts]
    problem = next(
        filter(
            None,
            (
                *collector.problems,
                said,
                _not_one_each(expected, collector.seen),
                _aimless(collector.guards, verdicts),
                _idle(verdicts, runtime),
            ),
        ),
        "",
    )
    if problem:
        return [_void(verdict, problem) for verdict in verdicts], problem
    return apply_guards(verdicts, collector.guards), ""


def apply_guards(verdicts: Sequence[Verdict], guards: Mapping[str, Iterable[str]]) -> list[Verdict]:
    """Multiply the points of every check by the shares of its guards.

    Args:
        verdicts: all verdicts, guards among them.
        guards: the names of the checks that each guard guards.
    """
    by_name = {verdict.check: verdict for verdict in verdicts}
    return [
        _guarded(verdict, [by_name[name] for name, of in guards.items() if verdict.check in of])
        for verdict in verdicts
    ]


def _guarded(verdict: Verdict, guards: Sequence[Verdict]) -> Verdict:
    if verdict.outcome not in (VerdictOutcome.PASSED, VerdictOutcome.FAILED):
        return verdict
    for guard in guards:
        if guard.outcome is VerdictOutcome.UNGRADABLE:
            return replace(
                verdict,
                outcome=VerdictOutcome.UNGRADABLE,
                share=0.0,
                points=0.0,
                expected=f"its guard {guard.check} to decide",
                seen=guard.seen,
                where=guard.where,
            )
    return replace(
        verdict,
        points=verdict.points_max * verdict.share * math.prod(guard.share for guard in guards),
        held_back_by=tuple(guard.check for guard in guards if guard.share < 1),
    )


def _void(verdict: Verdict, problem: str) -> Verdict:
    """A verdict of a run that is ungradable as a whole."""
    return replace(
        verdict,
        outcome=VerdictOutcome.UNGRADABLE,
        share=0.0,
        points=0.0,
        expected="a run in which every check decides",
        seen=problem,
        where="",
    )


# -- which checks there must be


def _expected(folder: Path) -> tuple[list[tuple[str, str]], str]:
    """File and function of every check there must be, and what is wrong with the files."""
    expected: list[tuple[str, str]] = []
    for path in sorted(folder.glob(f"{PREFIX}*.py")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(path.read_bytes(), path.name)
        except (OSError, SyntaxError, ValueError) as error:
            return [], one_line(f"{path.name} does not import: {type(error).__name__}: {error}")
        expected += [
            (path.name, node.name)
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith(PREFIX)
        ]
    if not expected:
        return [], f"expected checks in {folder}; saw no {PREFIX}*.py with a {PREFIX}* function"
    twice = [name for name, times in Counter(name for _, name in expected).items() if times > 1]
    if twice:
        return [], f"expected every check to have its own name; saw {twice[0]} more than once"
    return expected, ""


def _not_one_each(expected: Sequence[tuple[str, str]], seen: Counter[tuple[str, str]]) -> str:
    for key in dict.fromkeys([*expected, *seen]):
        wanted = int(key in expected)
        if seen[key] != wanted:
            file, function = key
            verdicts = "1 verdict" if wanted else "no verdict (not a function of the file itself)"
            return f"expected {verdicts} from {function} in {file}; saw {seen[key]}"
    return ""


def _aimless(guards: Mapping[str, Iterable[str]], verdicts: Sequence[Verdict]) -> str:
    checks = {verdict.check for verdict in verdicts if not verdict.guard}
    for guard, of in guards.items():
        for name in of:
            if name not in checks:
                return f"expected guard {guard} to guard a check; saw {name!r}, which is none"
    return ""


def _idle(verdicts: Sequence[Verdict], runtime: str) -> str:
    checks = [verdict for verdict in verdicts if not verdict.guard]
    if all(verdict.outcome is VerdictOutcome.NOT_RUN for verdict in checks):
        return f"expected a check that can run in runtime {runtime!r}; saw none"
    return ""


# -- the run itself


def _run(folder: Path, collector: VerdictCollector) -> str:
    """Run pytest on the folder's files; what is wrong with the run as a whole, in one line."""
    arguments = [
        *(str(path) for path in sorted(folder.glob(f"{PREFIX}*.py"))),
        # An empty file of settings, so that none is searched for.
        f"-c{os.devnull}",
        f"--rootdir={folder}",
        f"--confcutdir={folder}",
        "--noconftest",
        "--import-mode=importlib",
        "--assert=plain",
        *(f"-pno:{name}" for name in _BLOCKED),
    ]
    with _apart(folder) as output:
        status = pytest.main(arguments, plugins=[collector])
    # Checks that fail are what we are here for, and none may be left when all are "not run".
    fine = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if status in fine:
        return ""
    return one_line(f"pytest ended with status {int(status)}: {output.getvalue()}")


@contextlib.contextmanager
def _apart(folder: Path) -> Iterator[io.StringIO]:
    """Keep the process and the run apart, both ways; gives what was printed."""
    environ, folder_before = dict(os.environ), Path.cwd()
    path, modules = sys.path[:], set(sys.modules)
    for name in environ:
        if name.startswith("PYTEST_"):
            del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # Neither the working directory nor the checks' folder may shadow a library.
    sys.path[:] = [entry for entry in path if entry and Path(entry) != folder]
    output = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            # Filters of whoever calls us (`-W error`) must not turn a warning into a verdict.
            warnings.simplefilter("ignore")
            yield output
    finally:
        _restore(environ)
        os.chdir(folder_before)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            # Libraries stay: many cannot be imported twice.
            if folder in Path(getattr(sys.modules[name], "__file__", None) or "").parents:
                del sys.modules[name]


def _restore(environ: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    for name, value in environ.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
