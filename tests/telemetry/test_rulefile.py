"""Rule files as data: what is read, what is refused in one line, and what cannot hurt."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.system import tools
from sandbox.telemetry import rulefile
from sandbox.telemetry.rulefile import Rule, RulesError, duration_s, read, written

if TYPE_CHECKING:
    from pathlib import Path

SOUND = """\
groups:
- name: recorded
  interval: 5m
  rules:
  - record: drift:max
    expr: max by (feature) (drift)
    labels: {team: ml}
- name: alerts
  rules:
  - alert: InputDrift
    expr: drift:max > 0.2
    for: 1h30m
    keep_firing_for: 10m
    labels:
      severity: page
    annotations:
      summary: "{{ $labels.feature }} has drifted"
  - {alert: Plain, expr: 1, for: 0}
"""


def load(folder: Path, content: str | bytes) -> tuple[Rule, ...]:
    file = folder / "alerts.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(file)


def refused(folder: Path, content: str | bytes) -> str:
    with pytest.raises(RulesError) as caught:
        load(folder, content)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 500
    return said


def rule(keys: str) -> str:
    return f"groups: [{{name: g, rules: [{{{keys}}}]}}]"


# -- reading


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    assert load(tmp_path, SOUND) == (
        Rule(
            group="recorded",
            kind="record",
            name="drift:max",
            expr="max by (feature) (drift)",
            labels={"team": "ml"},
            interval_s=300,
        ),
        Rule(
            group="alerts",
            kind="alert",
            name="InputDrift",
            expr="drift:max > 0.2",
            for_s=5400,
            keep_firing_for_s=600,
            labels={"severity": "page"},
            annotations={"summary": "{{ $labels.feature }} has drifted"},
        ),
        Rule(group="alerts", kind="alert", name="Plain", expr="1"),
    )


@pytest.mark.parametrize("content", ["", "# later\n", "{}", "groups:\n", "groups: []"])
def test_a_file_without_rules_has_none(tmp_path: Path, content: str) -> None:
    assert load(tmp_path, content) == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("groups: [", "alerts.yaml is not YAML"),
        (b"\xff\xfe\xfd", "alerts.yaml is not YAML"),
        ("- a", "alerts.yaml has to be a mapping"),
        ("rules: []", "alerts.yaml: unknown key 'rules'"),
        ("groups: text", "groups has to be a list"),
        ("groups: [text]", "group 1 has to be a mapping"),
        ("groups: [{rules: []}]", "group 1: name has to be a text"),
        ("groups: [{name: g, limit: 5}]", "group g: limit is not supported here"),
        ("groups: [{name: g, query_offset: 1m}]", "group g: query_offset is not supported here"),
        ("groups: [{name: g, interval: often}]", "group g: interval: 'often' is no duration"),
        ("groups: [{name: g, source: x}]", "group g: unknown key 'source'"),
        ("groups: [{name: g, rules: [1]}]", "group g, rule 1 has to be a mapping"),
        (rule("expr: x"), "group g, rule 1 needs either record or alert"),
        (rule("expr: x, alert: A, record: r"), "group g, rule 1 needs either record or alert"),
        (rule("alert: A"), "alert A: expr has to be a text"),
        (rule("alert: A, expr: ' '"), "alert A: expr has to be a text"),
        (rule("alert: A, expr: [x]"), "alert A: expr has to be a text"),
        (rule("alert: A, expr: x, for: 5"), "alert A: for: '5' is no duration"),
        (rule("alert: A, expr: x, for: [5m]"), "alert A: for has to be a duration"),
        (rule("record: r, expr: x, for: 5m"), "record r: a recording rule has no for"),
        (rule("alert: A, expr: x, labels: [a]"), "alert A: labels has to be a mapping"),
        (rule("alert: A, expr: x, labels: {a: {}}"), "alert A: labels has to be at most 30 names"),
        (rule("alert: A, expr: x, sevrity: page"), "group g, rule 1: unknown key 'sevrity'"),
        (rule("alert: A, expr: x, labels: {{a: b}: c}"), "alerts.yaml is not YAML"),
        (rule(r'alert: "\uD83D", expr: x'), "group g, rule 1: alert has to be a text"),
        (rule(f"alert: A, expr: {'(' * 5001}"), "alert A: expr has more than 5,000 characters"),
    ],
)
def test_what_is_wrong_is_one_clear_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert refused(tmp_path, content).startswith(said)


def test_a_limit_of_nothing_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, "groups: [{name: g, limit: 0}]") == ()


def test_only_a_plain_file_of_bounded_size_is_read(tmp_path: Path) -> None:
    said = "no plain file alerts.yaml of at most 256 KiB"
    assert refused(tmp_path, "#" * (rulefile.BYTES_MAX + 1)) == said
    other = tmp_path / "other.yaml"
    other.write_text(SOUND)
    file = tmp_path / "alerts.yaml"
    file.unlink()
    file.symlink_to(other)
    for path in (file, tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(RulesError, match="no plain file"):
            read(path)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]" for n in range(9)
)


@pytest.mark.parametrize(
    "content",
    [
        BOMB + "\ngroups: *j",
        "x: &r {alert: A, expr: x}\ngroups:\n- name: g\n  rules: [" + "*r," * 101 + "]",
        "[" * 20_000,
        "groups: " + "{name: " * 5_000,
        "groups: &g [*g]",
    ],
    ids=["aliases", "many rules", "deep lists", "deep mappings", "itself"],
)
def test_bombs_do_nothing(tmp_path: Path, content: str) -> None:
    begun = time.monotonic()
    refused(tmp_path, content)
    assert time.monotonic() - begun < 10


def test_rules_of_all_groups_are_counted(tmp_path: Path) -> None:
    group = "- name: g{}\n  rules: [" + "{{alert: A, expr: x}}," * 20 + "]\n"
    five = "groups:\n" + "".join(group.format(n) for n in range(5))
    assert len(load(tmp_path, five)) == 100
    assert refused(tmp_path, five + group.format(5)) == "more than 100 rules"


@given(content=st.one_of(st.text(max_size=200), st.binary(max_size=200)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_read_or_refused_in_words(tmp_path: Path, content: str | bytes) -> None:
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    said = ""
    try:
        found = load(tmp_path, raw)
    except RulesError as error:
        found, said = (), str(error)
    assert found == ()
    assert "\n" not in said


# -- durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d", 86_400),
        ("2w", 1_209_600),
        ("1y", 31_536_000),
        ("250ms", 0.25),
        ("1y2w3d4h5m6s7ms", 33_019_506.007),
    ],
)
def test_durations_are_those_of_prometheus(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds, abs=1e-9)


BAD = ["", "5", "1.5h", "-5m", "30m1h", "5 m", "m", "1H", "99999999999y", "٣m", "5m\n"]
BAD += ["9" * 5000 + "m"]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(RulesError, match=r"is no duration|is out of range"):
        duration_s(text)


def test_promtool_refuses_the_same_durations(tmp_path: Path) -> None:
    """One question with all of them, sound ones in between: each bad one is told, and only it."""
    sound = ["0", "5m", "1h30m", "1y2w3d4h5m6s7ms"]
    for text in [*BAD[1:], *sound]:
        file = tmp_path / "rules.yaml"
        escaped = text.replace("\n", "\\n")
        file.write_text(rule(f'alert: A, expr: x, for: "{escaped}"'))
        done = subprocess.run(
            [tools.find("promtool"), "check", "rules", file], capture_output=True, check=False
        )
        assert (done.returncode == 0) == (text in sound), text


@given(st.integers(0, 10**12))
def test_a_written_duration_reads_as_itself(milliseconds: int) -> None:
    assert duration_s(written(milliseconds / 1000)) == milliseconds / 1000
