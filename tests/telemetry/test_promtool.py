"""promtool's verdict on rule files and pages of metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.system import tools
from sandbox.telemetry import promtool

RULE = "groups: [{name: g, rules: [{alert: A, expr: %s}]}]"


def check(folder: Path, content: str, name: str = "alerts.yaml") -> str:
    file = folder / name
    file.write_text(content)
    said = promtool.check_rules(file)
    assert "\n" not in said
    assert str(folder) not in said
    return said


@pytest.mark.parametrize("content", ["", "groups: []", RULE % "drift > 1"])
def test_sound_rules_are_accepted(tmp_path: Path, content: str) -> None:
    assert check(tmp_path, content) == ""


def test_two_rules_alike_are_only_poor_style(tmp_path: Path) -> None:
    twice = "{alert: A, expr: x}, {alert: A, expr: x}"
    assert check(tmp_path, f"groups: [{{name: g, rules: [{twice}]}}]") == ""


def test_keep_firing_for_is_known(tmp_path: Path) -> None:
    assert check(tmp_path, RULE % "x, keep_firing_for: 5m") == ""


def test_every_rule_that_is_refused_is_told(tmp_path: Path) -> None:
    broken = "{alert: A, expr: sum(}, {record: a-b, expr: x}"
    said = check(tmp_path, f"groups: [{{name: g, rules: [{broken}]}}]")
    assert "unclosed left parenthesis; " in said
    assert said.endswith("invalid recording rule name: a-b")


def test_an_unknown_key_is_told(tmp_path: Path) -> None:
    assert "field sevrity not found" in check(tmp_path, RULE % "x, sevrity: page")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in promtool.check_rules(tmp_path / "none.yaml")


def test_no_name_is_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("--help").write_text(RULE % "sum(")
    assert "unclosed left parenthesis" in promtool.check_rules(Path("--help"))


GOOD = "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total 1\n"


def test_a_good_page_of_metrics_has_no_findings() -> None:
    assert promtool.check_metrics(GOOD) == []
    assert promtool.check_metrics("") == []


def test_findings_come_one_a_line() -> None:
    page = "# TYPE seen counter\nseen 1\n# HELP dayDelay x\n# TYPE dayDelay gauge\ndayDelay 1\n"
    assert sorted(promtool.check_metrics(GOOD + page)) == [
        "dayDelay metric names should be written in 'snake_case' not 'camelCase'",
        'seen counter metrics should have "_total" suffix',
        "seen no help text",
    ]


def test_a_page_that_cannot_be_read_is_one_finding() -> None:
    [finding] = promtool.check_metrics('requests_total{code="200} 1\n')
    assert finding.startswith("text format parsing error in line 1")


def test_findings_are_bounded() -> None:
    page = "".join(f"seenBefore{n} 1\n" for n in range(1_000))
    assert len(promtool.check_metrics(page)) == 50


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promtool that takes longer than it may, whatever it is asked."""
    program = tmp_path / "promtool"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(promtool, "_WITHIN_S", 0.05)
    monkeypatch.setattr(tools, "find", lambda _: program)


@pytest.mark.usefixtures("slow")
def test_promtool_that_does_not_end_is_a_problem_in_words(tmp_path: Path) -> None:
    assert check(tmp_path, "") == "promtool takes more than 0.05 s to check alerts.yaml"
    assert promtool.check_metrics("") == ["promtool takes more than 0.05 s to check the metrics"]
