from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import UsageError
from sandbox.grading.scorecard import VerdictOutcome
from sandbox.report.interview import Prompt, read_prompts, select
from sandbox.report.words import State
from tests.report.conftest import GRADER, verdict, verdicts

if TYPE_CHECKING:
    from pathlib import Path

PROMPTS = read_prompts(GRADER / "interview.yaml")
GOOD = {"check": "a", "when": "any", "ask": "Why?", "listen_for": ["x"]}


def prompt(when: str, ask: str = "Why {seen} and not {expected}?", check: str = "a") -> Prompt:
    return Prompt.model_validate(GOOD | {"when": when, "ask": ask, "check": check})


@pytest.mark.parametrize(
    ("share", "asked"),
    [(1.0, ["passed", "any"]), (0.4, ["partial", "any"]), (0.0, ["failed", "any"])],
)
def test_questions_follow_from_the_verdict(share: float, asked: list[str]) -> None:
    prompts = [prompt(when, when) for when in ("passed", "partial", "failed", "any")]
    assert [q.ask for q in select(prompts, [verdict("a", 10, share)])] == asked


@pytest.mark.parametrize("outcome", [VerdictOutcome.UNGRADABLE, VerdictOutcome.NOT_RUN])
def test_nothing_is_asked_about_what_was_not_decided(outcome: VerdictOutcome) -> None:
    assert select([prompt("any")], [verdict("a", 10, 0, outcome=outcome)]) == ()


def test_a_question_says_what_was_seen_and_expected() -> None:
    hostile = verdict("a", 10, 0, seen="\x1b[31m{expected} {0.__class__} \\1", expected="all")
    (question,) = select([prompt("failed")], [hostile])
    assert question.ask == "Why “{expected} {0.__class__} \\1” and not “all”?"
    assert question.state is State.FAILED


def test_points_lost_are_talked_about_first() -> None:
    prompts = [prompt("any", name, name) for name in "abc"]
    found = [verdict("a", 9, 1), verdict("b", 9, 0.5), verdict("c", 9, 0)]
    assert [q.ask for q in select(prompts, found)] == ["c", "b", "a"]


def test_a_guard_that_took_points_leaves_the_check_s_own_state() -> None:
    held = dataclasses.replace(verdict("a", 10, 1), points=0.0, held_back_by=("g",))
    assert len(select([prompt("passed")], [held])) == 1


def test_a_question_about_no_check_is_refused() -> None:
    with pytest.raises(UsageError, match="'b'"):
        select([prompt("any", check="b")], [verdict("a", 10, 1)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "YAML"),
        ("a: 1", "the file: Input should be a valid tuple"),
        ("- check: a", "0.when: Field required"),
        ("- {check: a, when: never, ask: b, listen_for: [c]}", "0.when: Input should be 'passed'"),
        ("- {check: a, when: any, ask: b, listen_for: [c], x: 1}", "0.x: Extra inputs"),
        ("- {check: a, when: any, ask: b, listen_for: []}", "0.listen_for"),
        ("- {check: a, when: any, ask: 'b {c}', listen_for: [c]}", "0.ask: Value error, {c}"),
        ("- {check: a, when: any, ask: 'b {seen.x}', listen_for: [c]}", "0.ask: Value error"),
    ],
)
def test_a_wrong_file_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "interview.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_prompts(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_prompts(tmp_path / "interview.yaml")


# -- the questions of skewed_preprocessing


def test_every_check_that_fails_leads_to_a_question() -> None:
    failed = [
        dataclasses.replace(v, share=0.0, points=0.0, outcome=VerdictOutcome.FAILED)
        for v in verdicts()
    ]
    asked = {question.check for question in select(PROMPTS, failed)}
    # The middle skew is asked about with the other two.
    assert asked == {v.check for v in failed} - {"middle_skew_is_gone"}


def test_the_best_candidate_is_asked_something_too() -> None:
    best = [
        dataclasses.replace(v, share=1.0, points=v.points_max, outcome=VerdictOutcome.PASSED)
        for v in verdicts()
    ]
    assert 4 <= len(select(PROMPTS, best)) <= 8
