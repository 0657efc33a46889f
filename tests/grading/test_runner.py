from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.grading.runner import apply_guards, grade
from sandbox.grading.scorecard import VerdictOutcome

PASSED, FAILED = VerdictOutcome.PASSED, VerdictOutcome.FAILED
UNGRADABLE, NOT_RUN = VerdictOutcome.UNGRADABLE, VerdictOutcome.NOT_RUN

AWARD = 'credit.award(1, expected="e", seen="s", where="w")'


def check(name: str, text: str = AWARD, declared: str = "") -> str:
    declared = declared or '@check(points=8, competency="parity")'
    return f"{declared}\ndef test_{name}(evidence, credit):\n    {text}\n"


def guard(name: str, of: str, share: float | str = 1) -> str:
    text = f'credit.award({share}, expected="e", seen="s", where="w")'
    return check(name, text, f'@guard(of=("{of}",), competency="service levels")')


class TestTheWholeRun:
    def test_order_is_by_file_then_by_place_in_it(self, grading):
        verdicts, problem = grading(
            {
                "test_b.py": check("first") + check("another"),
                "test_a.py": check("zebra") + check("yak"),
                "helper.py": "1 / 0",
            }
        )
        assert problem == ""
        assert [verdict.check for verdict in verdicts] == ["zebra", "yak", "first", "another"]

    @pytest.mark.parametrize("files", [{}, {"test_a.py": "X = 1"}, {"checks.py": check("a")}])
    def test_no_checks(self, grading, files):
        verdicts, problem = grading(files)
        assert verdicts == []
        assert "expected checks in" in problem

    def test_no_folder(self, evidence, tmp_path):
        verdicts, problem = grade(tmp_path / "nowhere", evidence, runtime="process")
        assert verdicts == []
        assert "expected checks in" in problem

    def test_folders_below_are_not_looked_into(self, evidence, write_checks, tmp_path):
        folder = write_checks(tmp_path / "checks", check("a"))
        write_checks(folder / "attempts", {"test_attempt.py": check("b", "1 / 0")})
        verdicts, problem = grade(folder, evidence, runtime="process")
        assert problem == ""
        assert [verdict.check for verdict in verdicts] == ["a"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("def test_(:", "SyntaxError"),
            ("\0", "does not import"),
            ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("1 / 0", "ZeroDivisionError"),
            ("assert 1 == 2", "AssertionError"),
            ("raise SystemExit(0)", "SystemExit"),
            ('pytest.skip("not today", allow_module_level=True)', "not today"),
            ('pytest.importorskip("no_such_module")', "no_such_module"),
            ('pytest.exit("enough")', "enough"),
            ('@check(points=-1, competency="x")\ndef test_c(): ...', "UsageError"),
            ("def test_gen():\n    yield 1", "yield"),
        ],
    )
    def test_a_file_that_does_not_import(self, grading, text, said):
        verdicts, problem = grading(
            {"test_a.py": check("a"), "test_b.py": text + "\n" + check("b")}
        )
        assert said in problem
        assert "\n" not in problem
        assert all(verdict.outcome is UNGRADABLE for verdict in verdicts)
        assert sum(verdict.points for verdict in verdicts) == 0

    def test_it_says_which_file_and_line(self, grading):
        _, problem = grading({"test_a.py": check("a") + "import no_such_module"})
        assert problem == (
            "test_a.py does not import: ModuleNotFoundError: "
            "No module named 'no_such_module' (test_a.py:6)"
        )

    def test_a_folder_whose_name_means_something_to_pytest(
        self, evidence, write_checks, tmp_path, capfd
    ):
        folder = write_checks(tmp_path / "a::b", check("a"))
        verdicts, problem = grade(folder, evidence, runtime="process")
        assert verdicts == []
        assert problem.startswith("pytest ended with status 4: ERROR: ")
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        "text",
        [
            "del test_a",
            "test_a = None",
            "__test__ = False",
            "test_alias = test_a",
            "if True:\n    def test_hidden(credit): ...",
            "class TestMore:\n    def test_c(self): ...",
            "import unittest\nclass More(unittest.TestCase):\n    def test_c(self): ...",
            "testing = test_a",
            "def test_a(credit): ...",
        ],
    )
    def test_not_exactly_the_checks_there_must_be(self, grading, text):
        verdicts, problem = grading(check("a") + check("b") + text)
        assert problem.startswith("expected ")
        assert "test_" in problem
        assert all(verdict.outcome is UNGRADABLE for verdict in verdicts)
        assert sum(verdict.points for verdict in verdicts) == 0

    def test_a_check_with_parameters_gives_more_than_one_verdict(self, grading):
        source = '@pytest.mark.parametrize("share", [1, 2])\n' + check("a").replace(
            "(evidence", "(share, evidence"
        )
        verdicts, problem = grading(source)
        assert problem == "expected 1 verdict from test_a in test_rules.py; saw 2"
        assert [verdict.outcome for verdict in verdicts] == [UNGRADABLE]

    def test_one_name_in_two_files(self, grading):
        verdicts, problem = grading({"test_a.py": check("same"), "test_b.py": check("same")})
        assert verdicts == []
        assert "test_same more than once" in problem

    def test_a_run_that_a_check_stops(self, grading):
        verdicts, problem = grading(check("a") + check("b", 'pytest.exit("enough")') + check("c"))
        assert "enough" in problem
        assert [verdict.outcome for verdict in verdicts] == [UNGRADABLE]

    def test_a_person_stops_it(self, grading):
        with pytest.raises(KeyboardInterrupt, match="by hand"):
            grading(check("a", 'raise KeyboardInterrupt("by hand")'))

    def test_pytest_itself_breaks(self, grading, monkeypatch):
        def broken(*_arguments: object) -> None:
            raise RuntimeError("out of cheese")

        monkeypatch.setattr("sandbox.grading.plugin.VerdictCollector._decide", broken)
        verdicts, problem = grading(check("a"))
        assert verdicts == []
        assert "RuntimeError: out of cheese" in problem

    def test_nothing_can_run_in_this_runtime(self, grading):
        declared = '@check(points=8, competency="x", runtimes=("docker",))'
        verdicts, problem = grading(check("a", AWARD, declared), runtime="process")
        assert problem == "expected a check that can run in runtime 'process'; saw none"
        assert [verdict.outcome for verdict in verdicts] == [UNGRADABLE]


class TestGuards:
    def graded(self, grading, source):
        verdicts, problem = grading(source)
        assert problem == ""
        return {verdict.check: verdict for verdict in verdicts}

    def test_one_that_passes_takes_nothing(self, grading):
        verdicts = self.graded(grading, check("a") + guard("g", "a"))
        assert (verdicts["a"].points, verdicts["a"].held_back_by) == (8.0, ())
        assert verdicts["g"].guard
        assert (verdicts["g"].points_max, verdicts["g"].points) == (0.0, 0.0)
        assert verdicts["g"].competency == "service levels"

    def test_one_that_fails_takes_everything_of_what_it_guards(self, grading):
        verdicts = self.graded(grading, check("a") + check("b") + guard("g", "a", 0))
        assert verdicts["g"].outcome is FAILED
        assert verdicts["a"].outcome is PASSED
        assert (verdicts["a"].share, verdicts["a"].points) == (1.0, 0.0)
        assert verdicts["a"].held_back_by == ("g",)
        assert (verdicts["b"].points, verdicts["b"].held_back_by) == (8.0, ())

    def test_one_that_the_submission_broke_takes_everything(self, grading):
        source = guard("g", "a").replace("credit.award", 'evidence["broken"]; credit.award')
        verdicts = self.graded(grading, check("a") + source)
        assert verdicts["g"].outcome is FAILED
        assert verdicts["a"].points == 0

    def test_several_multiply(self, grading):
        source = (
            check("a", AWARD.replace("1", "0.5")) + guard("g", "a", 0.5) + guard("h", "a", 0.25)
        )
        verdict = self.graded(grading, source + guard("i", "a"))["a"]
        assert (verdict.share, verdict.points) == (0.5, 8 * 0.5 * 0.5 * 0.25)
        assert verdict.held_back_by == ("g", "h")

    def test_one_that_is_ungradable_makes_what_it_guards_ungradable(self, grading):
        verdicts = self.graded(grading, check("a") + check("b") + guard("g", "a", "1 / 0"))
        assert verdicts["a"].outcome is UNGRADABLE
        assert verdicts["a"].points == 0
        assert verdicts["a"].expected == "its guard g to decide"
        assert "ZeroDivisionError" in verdicts["a"].seen
        assert verdicts["b"].outcome is PASSED

    def test_one_in_another_file(self, grading):
        files = {"test_a.py": guard("g", "a", 0.5), "test_b.py": check("a")}
        assert self.graded(grading, files)["a"].points == 4

    def test_what_was_not_run_stays_not_run(self, grading):
        declared = '@check(points=8, competency="x", runtimes=("docker",))'
        source = check("a", AWARD, declared) + check("b") + guard("g", "a", "1 / 0")
        assert self.graded(grading, source)["a"].outcome is NOT_RUN

    @pytest.mark.parametrize("name", ["nothing", "test_a", "g", "h"])
    def test_one_of_nothing(self, grading, name):
        verdicts, problem = grading(check("a") + guard("g", name) + guard("h", "a"))
        assert problem == f"expected guard g to guard a check; saw {name!r}, which is none"
        assert all(verdict.outcome is UNGRADABLE for verdict in verdicts)

    @given(
        points=st.floats(min_value=0, max_value=100),
        share=st.floats(min_value=0, max_value=1),
        guards=st.lists(st.floats(min_value=0, max_value=1), max_size=5),
    )
    def test_points_stay_within_their_bounds(self, make_verdict, points, share, guards):
        checked = make_verdict("a", points_max=points, share=share, points=points * share)
        others = [
            make_verdict(f"g{n}", points_max=0.0, points=0.0, share=s, guard=True)
            for n, s in enumerate(guards)
        ]
        after, *rest = apply_guards([checked, *others], {v.check: ("a",) for v in others})
        assert rest == others
        assert 0 <= after.points <= checked.points <= points
        assert after.share == share
        assert len(after.held_back_by) == sum(s < 1 for s in guards)
        if 0 in guards:
            assert after.points == 0
        if all(s == 1 for s in guards):
            assert after == checked


HOSTILE_CONFTEST = """
import pytest
@pytest.fixture
def credit(): return type("Yes", (), {"award": lambda *a, **k: None})()
@pytest.fixture
def evidence(): return {}
def pytest_collection_modifyitems(items): items.clear()
def pytest_pyfunc_call(pyfuncitem): return True
"""
HOSTILE_INI = "[pytest]\naddopts = --collect-only\npython_functions = none_*\n"
HOSTILE = {
    "conftest.py": HOSTILE_CONFTEST,
    "pytest.ini": HOSTILE_INI,
    "tox.ini": HOSTILE_INI,
    "setup.cfg": HOSTILE_INI.replace("[pytest]", "[tool:pytest]"),
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--collect-only"\n',
    "__init__.py": "raise RuntimeError('imported')",
    "sitecustomize.py": "raise RuntimeError('imported')",
    "usercustomize.py": "raise RuntimeError('imported')",
    "colorsys.py": "raise RuntimeError('imported')",
    "sandbox.py": "raise RuntimeError('imported')",
}


class TestHermetic:
    # `colorsys` is a library that nothing has imported yet.
    SOURCE = check("good", f"import colorsys; {AWARD}") + check("bad", "assert 1 == 2")

    @pytest.fixture
    def folder(self, write_checks, tmp_path):
        return write_checks(tmp_path / "graders" / "checks", self.SOURCE)

    def outcomes(self, folder: Path, evidence) -> list[VerdictOutcome]:
        sys.modules.pop("colorsys", None)
        verdicts, problem = grade(folder, evidence, runtime="process")
        assert problem == ""
        return [verdict.outcome for verdict in verdicts]

    @pytest.mark.parametrize("where", ["beside", "above"])
    @pytest.mark.parametrize("name", HOSTILE)
    def test_files_beside_and_above(self, evidence, folder, monkeypatch, where, name):
        target = folder if where == "beside" else folder.parent
        (target / name).write_text(HOSTILE[name])
        # As an interactive interpreter has it, and as a careless caller would.
        monkeypatch.setattr(sys, "path", ["", str(folder), *sys.path])
        monkeypatch.chdir(target)
        assert self.outcomes(folder, evidence) == [PASSED, FAILED]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PYTEST_ADDOPTS", "--collect-only"),
            ("PYTEST_ADDOPTS", "--no-such-option"),
            ("PYTEST_PLUGINS", "no_such_plugin"),
            ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", ""),
        ],
    )
    def test_the_environment(self, evidence, folder, monkeypatch, name, value):
        monkeypatch.setenv(name, value)
        assert self.outcomes(folder, evidence) == [PASSED, FAILED]
        assert os.environ[name] == value

    def test_installed_plugins_are_not_loaded(self, grading):
        text = 'assert not request.config.pluginmanager.has_plugin("hypothesispytest"); ' + AWARD
        source = check("a", text).replace("(evidence", "(request, evidence")
        verdicts, problem = grading(source)
        assert (problem, verdicts[0].outcome) == ("", PASSED)

    def test_a_plugin_that_a_file_asks_for(self, grading):
        verdicts, problem = grading('pytest_plugins = ["no_such_plugin"]\n' + check("a"))
        assert (problem, verdicts[0].outcome) == ("", PASSED)

    def test_a_module_of_the_same_name(self, grading, monkeypatch):
        monkeypatch.setitem(sys.modules, "test_rules", object())
        verdicts, problem = grading(check("a"))
        assert (problem, verdicts[0].outcome) == ("", PASSED)

    def test_warnings_are_not_errors_whatever_the_caller_thinks(self, grading):
        text = f'import warnings; warnings.warn("old", DeprecationWarning); {AWARD}'
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            verdicts, problem = grading(check("a", text) + 'INVALID = "\\d"\n')
        assert (problem, verdicts[0].outcome) == ("", PASSED)

    def test_a_file_is_compiled_as_it_stands(self, grading):
        text = f"assert later.__annotations__ == {{'x': int}}; {AWARD}"
        source = (
            "from dataclasses import dataclass\ndef later(x: int): ...\n"
            # A dataclass looks its module up to make sense of an annotation in quotes.
            "@dataclass\nclass Row:\n    share: 'float'\n"
        )
        verdicts, problem = grading(source + check("a", text))
        assert (problem, verdicts[0].outcome) == ("", PASSED)

    def test_assertions_of_helpers_are_not_rewritten(self, grading):
        text = 'credit.award(1, expected="e", seen=str(len(sys.meta_path)), where="w")'
        verdicts, problem = grading("import sys\n" + check("a", text))
        assert (problem, verdicts[0].seen) == ("", str(len(sys.meta_path)))

    def test_nothing_is_printed(self, grading, capfd):
        loud = "import os; print('loud'); os.write(1, b'loud'); os.write(2, b'loud')"
        grading(f"print('loud')\n{check('a', loud)}{check('b', 'raise SystemExit(1)')}")
        grading("import no_such_module\n" + check("a"))
        assert capfd.readouterr() == ("", "")

    def test_the_process_is_left_as_it_was(self, grading, monkeypatch, tmp_path):
        monkeypatch.setenv("KEPT", "1")
        monkeypatch.setenv("CHANGED", "1")
        before = dict(os.environ), Path.cwd(), sys.path[:], set(sys.modules), warnings.filters[:]
        verdicts, problem = grading(
            check(
                "a",
                "import os, sys, warnings; os.environ['CHANGED'] = '2'; del os.environ['KEPT']; "
                "os.environ['NEW'] = '3'; os.chdir('/'); sys.path.insert(0, '/nowhere'); "
                f"warnings.simplefilter('error'); {AWARD}",
            )
        )
        assert (problem, verdicts[0].outcome) == ("", PASSED)
        after = dict(os.environ), Path.cwd(), sys.path[:], set(sys.modules), warnings.filters[:]
        assert after == before

    def test_nothing_is_written_beside_the_checks(self, evidence, folder, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        assert self.outcomes(folder, evidence) == [PASSED, FAILED]
        assert sorted(tmp_path.rglob("*")) == before

    def test_inside_another_test_run_and_optimised(self, evidence, folder, tmp_path):
        outer = tmp_path / "outer" / "test_rules.py"
        outer.parent.mkdir()
        outer.write_text(
            dedent(
                f"""
                from pathlib import Path
                from sandbox.evidence import Evidence
                from sandbox.grading.runner import grade

                def test_nested():
                    for _ in range(2):
                        verdicts, problem = grade(
                            Path({str(folder)!r}), Evidence(Path({str(evidence.folder)!r})),
                            runtime="process",
                        )
                        if problem or [v.outcome for v in verdicts] != ["passed", "failed"]:
                            raise RuntimeError(problem, verdicts)

                def test_after(): ...
                """
            )
        )
        # `-O` removes assertions, but never those of the checks.
        command = [sys.executable, "-O", "-m", "pytest", "-q", "-W", "error", str(outer)]
        done = subprocess.run(
            [*command, "-W", "ignore::pytest.PytestConfigWarning", "-p", "no:cacheprovider"],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert "2 passed" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0


class TestAgain:
    def test_a_hundred_times_the_same(self, evidence, write_checks, tmp_path):
        folder = write_checks(
            tmp_path / "checks",
            check("a") + check("b", "assert 1 == 2") + check("c", "1 / 0") + guard("g", "a", 0.5),
        )
        first = grade(folder, evidence, runtime="process")
        assert [verdict.outcome for verdict in first[0]] == [PASSED, FAILED, UNGRADABLE, PASSED]
        for _ in range(100):
            assert grade(folder, evidence, runtime="process") == first

    def test_the_state_of_a_module_does_not_leak(self, evidence, write_checks, tmp_path):
        source = "RUNS = []\n" + check(
            "a", f"RUNS.append(1); assert len(RUNS) == 1, len(RUNS); {AWARD}"
        )
        folder = write_checks(tmp_path / "checks", source)
        for _ in range(3):
            verdicts, problem = grade(folder, evidence, runtime="process")
            assert (problem, verdicts[0].outcome) == ("", PASSED)

    def test_a_module_of_the_folder_is_imported_afresh(self, evidence, write_checks, tmp_path):
        folder = write_checks(
            tmp_path / "checks",
            {
                "state_of_checks.py": "RUNS = []",
                "test_a.py": "import sys; sys.path.insert(0, __file__.rpartition('/')[0])\n"
                "from state_of_checks import RUNS\n"
                + check("a", f"RUNS.append(1); assert len(RUNS) == 1; {AWARD}"),
            },
        )
        for _ in range(3):
            verdicts, problem = grade(folder, evidence, runtime="process")
            assert (problem, verdicts[0].outcome) == ("", PASSED)

    def test_an_edit_within_the_same_moment_is_seen(self, evidence, write_checks, tmp_path):
        seen = []
        for share in (1, 0):
            text = f'credit.award({share}, expected="e", seen="s", where="w")'
            folder = write_checks(tmp_path / "checks", check("a", text))
            os.utime(folder / "test_rules.py", (1_700_000_000, 1_700_000_000))
            verdicts, problem = grade(folder, evidence, runtime="process")
            assert problem == ""
            seen.append(verdicts[0].outcome)
        assert seen == [PASSED, FAILED]
