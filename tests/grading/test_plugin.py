"""Each rule of the plugin, by grading a small folder of checks."""

from __future__ import annotations

import pytest

from sandbox.grading.scorecard import LINE_LIMIT, VerdictOutcome

PASSED, FAILED = VerdictOutcome.PASSED, VerdictOutcome.FAILED
UNGRADABLE, NOT_RUN = VerdictOutcome.UNGRADABLE, VerdictOutcome.NOT_RUN

CHECK = '@check(points=8, competency="parity")\n'
AWARD = 'credit.award(1, expected="e", seen="s", where="w")'


def body(text: str) -> str:
    """A check with this body."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return f"{CHECK}def test_it(evidence, credit):\n{lines}"


class TestWhatACheckDecides:
    def test_passed(self, verdict_of):
        verdict = verdict_of(
            """
            @check(points=8, competency="parity")
            def test_rows_are_equal(evidence, credit):
                '''Rows are equal.

                More for the author.
                '''
                credit.award(
                    evidence["parity"]["share"] >= 0.5,
                    expected="half", seen="half of them", where="parity.share",
                )
            """
        )
        assert verdict.check == "rows_are_equal"
        assert verdict.title == "Rows are equal."
        assert verdict.competency == "parity"
        assert verdict.outcome is PASSED
        assert (verdict.points_max, verdict.share, verdict.points) == (8.0, 1.0, 8.0)
        said = (verdict.expected, verdict.seen, verdict.where)
        assert said == ("half", "half of them", "parity.share")
        assert not verdict.guard
        assert verdict.held_back_by == ()

    def test_partial(self, verdict_of):
        verdict = verdict_of(body('credit.award(0.25, expected="e", seen="s", where="w")'))
        assert verdict.outcome is PASSED
        assert (verdict.share, verdict.points) == (0.25, 2.0)

    def test_failed(self, verdict_of):
        verdict = verdict_of(body('credit.award(0, expected="e", seen="s", where="w")'))
        assert verdict.outcome is FAILED
        assert (verdict.share, verdict.points, verdict.points_max) == (0.0, 0.0, 8.0)
        assert (verdict.expected, verdict.seen, verdict.where) == ("e", "s", "w")

    def test_failed_although_the_error_was_swallowed(self, verdict_of):
        verdict = verdict_of(
            body(
                "try:\n"
                '    credit.award(0, expected="e", seen="s", where="w")\n'
                "except AssertionError:\n"
                "    pass"
            )
        )
        assert (verdict.outcome, verdict.expected) == (FAILED, "e")

    def test_a_title_without_a_docstring(self, verdict_of):
        assert verdict_of(body(AWARD)).title == "it"

    def test_what_a_submission_said_becomes_one_printable_line(self, verdict_of):
        seen = "a\\x1b[31m\\n\\nb\\u202e" + "c" * 5000
        verdict = verdict_of(
            body(f'credit.award(1, expected="e\\nx", seen="{seen}", where="w\\nx")')
        )
        assert verdict.seen.startswith("a[31m bcc")
        assert verdict.expected == "e x"
        assert verdict.where == "w x"
        assert len(verdict.seen) == LINE_LIMIT


class TestFailed:
    def test_an_assertion_with_a_message(self, verdict_of):
        verdict = verdict_of(body('assert evidence["parity"]["share"] > 0.9, "only half"'))
        assert verdict.outcome is FAILED
        assert verdict.seen == "only half"
        assert verdict.expected.startswith('assert evidence["parity"]["share"] > 0.9')

    def test_a_bare_assertion(self, verdict_of):
        verdict = verdict_of(body("assert 1 == 2"))
        assert (verdict.outcome, verdict.expected) == (FAILED, "assert 1 == 2")
        assert verdict.seen

    def test_an_assertion_of_a_library_names_the_graders_line(self, verdict_of):
        verdict = verdict_of(body("import unittest\nunittest.TestCase().assertEqual(1, 2)"))
        assert verdict.outcome is FAILED
        assert verdict.expected == "unittest.TestCase().assertEqual(1, 2)"
        assert verdict.seen == "1 != 2"

    def test_an_assertion_after_the_award(self, verdict_of):
        assert verdict_of(body(f"{AWARD}\nassert 1 == 2")).outcome is FAILED

    def test_a_step_that_the_submission_broke(self, verdict_of):
        verdict = verdict_of(body(f'evidence["broken"]\n{AWARD}'))
        assert verdict.outcome is FAILED
        assert verdict.expected == "step 'broken' to run to its end"
        assert (verdict.seen, verdict.where) == ("exit status 1", "broken")


UNGRADABLE_BODIES = {
    "a step that ours broke": f'evidence["ours"]\n{AWARD}',
    "a step never recorded": f'evidence["nowhere"]\n{AWARD}',
    "another exception": f'evidence["parity"]["misspelt"]\n{AWARD}',
    "an exception after the award": f"{AWARD}\n1 / 0",
    "a group of assertions": 'raise ExceptionGroup("", [AssertionError()])',
    "an exit": "raise SystemExit(0)",
    "pytest.fail": 'pytest.fail("no")',
    "pytest.skip": 'pytest.skip("no")',
    "pytest.skip after the award": f'{AWARD}\npytest.skip("no")',
    "pytest.xfail": 'pytest.xfail("no")',
    "pytest.importorskip": 'pytest.importorskip("no_such_module")',
    "no award": "pass",
    "two awards": f"{AWARD}\n{AWARD}",
    "two awards, the error swallowed": f"{AWARD}\ntry: {AWARD}\nexcept Exception: pass",
    "two awards and an assertion": f"{AWARD}\ntry: {AWARD}\nexcept Exception: assert 0",
    "NaN": 'credit.award(float("nan"), expected="e", seen="s", where="w")',
    "more than all": 'credit.award(1.01, expected="e", seen="s", where="w")',
    "less than nothing": 'credit.award(-1, expected="e", seen="s", where="w")',
    "NaN, the error swallowed": (
        'try: credit.award(float("nan"), expected="e", seen="s", where="w")\nexcept Exception: pass'
    ),
}


class TestUngradable:
    @pytest.mark.parametrize("text", UNGRADABLE_BODIES.values(), ids=UNGRADABLE_BODIES.keys())
    def test_by_its_body(self, verdict_of, text):
        verdict = verdict_of(body(text))
        assert verdict.outcome is UNGRADABLE
        assert (verdict.share, verdict.points, verdict.points_max) == (0.0, 0.0, 8.0)
        assert verdict.expected
        assert verdict.seen

    def test_it_says_what_happened_and_where(self, verdict_of):
        seen = verdict_of(body('evidence["parity"]["misspelt"]')).seen
        assert seen == "KeyError: 'misspelt' (test_rules.py:5)"

    def test_a_fault_of_ours_says_what_it_said(self, verdict_of):
        verdict = verdict_of(body('evidence["ours"]'))
        assert verdict.expected == "step 'ours' to run to its end"
        assert verdict.seen == "disk full (test_rules.py:5)"

    @pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='no')", "xfail"])
    @pytest.mark.parametrize("text", [AWARD, "assert 1 == 2"])
    def test_by_its_mark(self, verdict_of, mark, text):
        assert verdict_of(f"@pytest.mark.{mark}\n{body(text)}").outcome is UNGRADABLE

    @pytest.mark.parametrize("mark", ["skip", "xfail"])
    def test_by_the_mark_of_its_file(self, verdict_of, mark):
        assert verdict_of(f"pytestmark = pytest.mark.{mark}\n{body(AWARD)}").outcome is UNGRADABLE

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("1 / 0", "ZeroDivisionError: division by zero (test_rules.py:5)"),
            ("assert 1 == 2", "AssertionError (test_rules.py:5)"),
            ('evidence["broken"]', "exit status 1 (test_rules.py:5)"),
            ("pytest.skip('no')", "Skipped: no (test_rules.py:5)"),
        ],
    )
    def test_by_a_fixture_that_breaks(self, verdict_of, text, said):
        source = f"@pytest.fixture(autouse=True)\ndef parts(evidence):\n    {text}\n{body(AWARD)}"
        verdict = verdict_of(source)
        assert verdict.outcome is UNGRADABLE
        assert verdict.seen.endswith(said)

    @pytest.mark.parametrize("scope", ["function", "module"])
    @pytest.mark.parametrize("text", [AWARD, "assert 1 == 2"])
    def test_by_a_fixture_that_breaks_afterwards(self, verdict_of, scope, text):
        source = (
            f'@pytest.fixture(autouse=True, scope="{scope}")\n'
            "def parts():\n    yield\n    assert 1 == 2\n"
        )
        assert verdict_of(source + body(text)).outcome is UNGRADABLE

    def test_by_a_fixture_that_does_not_exist(self, verdict_of):
        assert verdict_of(f"{CHECK}def test_it(nothing): ...").outcome is UNGRADABLE

    def test_by_a_subtest_which_would_swallow_the_assertion(self, verdict_of):
        source = (
            f"{CHECK}def test_it(subtests, credit):\n"
            f"    with subtests.test():\n        assert 1 == 2\n    {AWARD}\n"
        )
        assert verdict_of(source).outcome is UNGRADABLE

    def test_by_a_credit_that_is_not_ours(self, verdict_of):
        source = "from unittest.mock import Mock\n@pytest.fixture\ndef credit(): return Mock()\n"
        assert verdict_of(source + body(AWARD)).outcome is UNGRADABLE

    def test_by_being_asynchronous(self, verdict_of):
        source = f"{CHECK}async def test_it(credit):\n    {AWARD}\n"
        assert verdict_of(source).outcome is UNGRADABLE

    def test_by_being_no_check(self, verdict_of):
        verdict = verdict_of(f"def test_it(credit):\n    {AWARD}\n")
        assert verdict.outcome is UNGRADABLE
        assert verdict.expected == "@check or @guard"
        assert verdict.points_max == 0

    def test_the_others_still_decide(self, grading):
        verdicts, problem = grading(body("1 / 0") + OTHER)
        assert problem == ""
        assert [verdict.outcome for verdict in verdicts] == [UNGRADABLE, PASSED]


OTHER = f'@check(points=2, competency="drift")\ndef test_other(credit):\n    {AWARD}\n'


class TestRuntimes:
    SOURCE = (
        '@check(points=8, competency="parity", runtimes=("docker", "kubernetes"))\n'
        f"def test_it(credit):\n    {AWARD}\n{OTHER}"
    )

    def test_not_run(self, verdict_of):
        verdict = verdict_of(self.SOURCE, runtime="process")
        assert verdict.outcome is NOT_RUN
        assert (verdict.points_max, verdict.points) == (8.0, 0.0)
        assert (verdict.expected, verdict.seen) == (
            "a runtime among docker, kubernetes",
            "process",
        )

    def test_run(self, verdict_of):
        assert verdict_of(self.SOURCE, runtime="kubernetes").outcome is PASSED

    def test_its_code_is_not_touched_where_it_cannot_run(self, verdict_of):
        source = self.SOURCE.replace(AWARD, "raise KeyboardInterrupt", 1)
        assert verdict_of(source, runtime="process").outcome is NOT_RUN


class TestEvidence:
    def test_what_one_check_does_to_it_another_does_not_see(self, grading):
        text = (
            'rows = evidence["parity"]["rows"]\nrows.append(3)\n'
            'credit.award(1, expected="e", seen=str(rows), where="parity.rows")'
        )
        verdicts, problem = grading(body(text) + body(text).replace("test_it", "test_again"))
        assert problem == ""
        assert [verdict.seen for verdict in verdicts] == ["[1, 2, 3]", "[1, 2, 3]"]

    def test_a_fixture_of_any_scope_may_read_it(self, verdict_of):
        source = (
            '@pytest.fixture(scope="module")\n'
            'def parity(evidence):\n    return evidence["parity"]\n'
            f'{CHECK}def test_it(parity, credit):\n    assert parity["share"] == 0.5\n    {AWARD}\n'
        )
        assert verdict_of(source).outcome is PASSED
