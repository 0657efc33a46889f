"""The diagnosis: read whatever is in it, scored so that guessing loses."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox import diagnosis, paths, scenario, variant
from sandbox.diagnosis import f1, share
from sandbox.scenario import Choice

if TYPE_CHECKING:
    from pathlib import Path

Finding = dict[str, str]

SOUND = """\
findings:
  - component: service.preprocessing
    subject: Temp_C
    kind: " unit "
  - {component: service.preprocessing, subject: carrier, kind: encoding, since: 2013-07-01}
notes: |
  Compared row by row.
"""


def read(folder: Path, content: str | bytes) -> dict[str, object]:
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    (folder / diagnosis.FILE).write_bytes(raw)
    return checked(folder)


def checked(folder: Path) -> dict[str, object]:
    """What is read is plain JSON of three keys, and has a problem or none."""
    said = diagnosis.read(folder)
    assert list(said) == ["findings", "notes", "problem"]
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert "\n" not in said["problem"]
    assert len(said["problem"]) < 500
    return said


# -- reading


def test_findings_and_notes_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, SOUND) == {
        "findings": [
            {"component": "service.preprocessing", "subject": "temp_c", "kind": "unit"},
            {"component": "service.preprocessing", "subject": "carrier", "kind": "encoding"},
        ],
        "notes": "Compared row by row.\n",
        "problem": "",
    }


@pytest.mark.parametrize("text", ["findings: []", "findings:", "notes: later", "other: 1"])
def test_no_findings_are_no_problem(tmp_path: Path, text: str) -> None:
    said = read(tmp_path, text)
    assert (said["findings"], said["problem"]) == ([], "")


def test_the_file_that_is_handed_out_has_no_findings(tmp_path: Path) -> None:
    for path in paths.SERVICES.glob(f"*/overlay/{diagnosis.FILE}"):
        said = read(tmp_path, path.read_text("utf-8"))
        assert (said["findings"], said["problem"]) == ([], "")
        assert said["notes"]


def test_notes_are_bounded_and_may_be_of_any_kind(tmp_path: Path) -> None:
    assert len(str(read(tmp_path, f"notes: {'x' * 100_000}")["notes"])) == 20_000
    assert read(tmp_path, "notes: [1, 2]")["notes"] == ""


def test_a_file_that_is_none_is_a_problem(tmp_path: Path) -> None:
    assert checked(tmp_path)["problem"]
    path = tmp_path / diagnosis.FILE
    path.mkdir()
    assert checked(tmp_path)["problem"]
    path.rmdir()
    os.mkfifo(path)
    assert checked(tmp_path)["problem"]
    path.unlink()
    (tmp_path / "elsewhere.yaml").write_text(SOUND)
    path.symlink_to("elsewhere.yaml")
    said = checked(tmp_path)
    assert said["problem"]
    assert said["findings"] == []
    path.unlink()
    path.symlink_to("/dev/zero")
    assert checked(tmp_path)["problem"]
    path.unlink()
    path.touch()
    os.truncate(path, 2**40)
    assert checked(tmp_path)["problem"]


DEEP = 20_000


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\xfa",
        b"\x00\x01",
        "",
        "text",
        "- a list",
        "findings: {a: 1}",
        "findings: text",
        "findings: [1]",
        "findings: [[]]",
        "findings: [{component: a, subject: b}]",
        "findings: [{component: a, subject: b, kind: c, sure: yes}]",
        "findings: [{component: a, subject: b, kind: c, ? [x] : y}]",
        "findings: [{component: [a], subject: b, kind: c}]",
        "findings: [{component: a, subject: {b: b}, kind: c}]",
        "findings: [" + "{component: a, subject: b, kind: c}," * 51 + "]",
        "findings: [unclosed",
        "a: 1\n b: 2",
        "\tfindings: []",
        "findings: !!python/object/apply:os.system [true]",
        "findings: !!bool maybe",
        "findings: !!timestamp soon",
        "findings: !!float text",
        'findings: "\\UFFFFFFFF"',
        "findings: 2013-99-99",
        "findings: " + ":".join(["1"] + ["0"] * 300) + ".0",
        "findings: " + "1:" * DEEP + "1",
        "findings: " + "1" * DEEP,
        "[" * DEEP,
        "{a: " * DEEP,
        "- " * DEEP,
        "findings: &a [*a]",
        "findings: &a {component: *a, subject: *a, kind: *a}",
        "--- a\n--- b",
    ],
    ids=lambda content: str(content[:40]),
)
def test_whatever_is_in_it_is_a_problem_and_raises_nothing(
    tmp_path: Path, content: str | bytes
) -> None:
    said = read(tmp_path, content)
    assert said["problem"]
    assert (said["findings"], said["notes"]) == ([], "")


@pytest.mark.parametrize(
    "level",
    ["- &a{n} [{ten}]", "- &a{n} {{<<: [{ten}]}}", "- &a{n} {{component: [{ten}], kind: b}}"],
)
def test_aliases_are_no_bomb(tmp_path: Path, level: str) -> None:
    # Each level holds the one before ten times: written out, the last would fill any memory.
    lines = ["findings:", "- &a0 {component: a, subject: b, kind: c}"]
    lines += [level.format(n=n, ten=", ".join([f"*a{n - 1}"] * 10)) for n in range(1, 30)]
    assert read(tmp_path, "\n".join(lines))["problem"]


PIECES = st.sampled_from(
    [*"[]{}:,-?!&*|>'\"%@#\n\t ", "findings: ", "component: ", "subject: b", "kind: c", "- ", "&a ",
     "*a", "<<: ", "!!bool ", "!!int ", "!!set ", "!!binary ", "1:2", "0x", ".inf", "2013-01-01",
     "notes: |\n ", '"\\x', "\\ud800", "--- ", "%YAML 9.9\n"]
)  # fmt: skip


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.lists(PIECES, max_size=25).map("".join) | st.binary(max_size=40))
@example(content="findings: [!!bool maybe]")
def test_nothing_that_is_written_raises(tmp_path: Path, content: str | bytes) -> None:
    read(tmp_path, content)


# -- the truth


@pytest.mark.parametrize("name", scenario.names())
def test_there_is_a_truth_for_all_that_a_variant_may_choose(name: str) -> None:
    setting = scenario.load(name)
    path = paths.GRADERS / name / "truth.yaml"
    if not path.exists():
        pytest.skip("this scenario's graders have no truth")
    # What a number measures out is no fault by itself.
    choices = {name: s for name, s in setting.variant.items() if isinstance(s, Choice)}
    assert choices
    for parameter, space in choices.items():
        for value in space.choice:
            facts = diagnosis.truth(path, variant.Variant(name, "", {parameter: value}))
            assert len(facts) == 1
            assert sorted(facts[0]) == ["component", "kind", "subject"]
            assert isinstance(facts[0]["subject"], list)
            assert isinstance(facts[0]["kind"], list)


@pytest.mark.parametrize("name", scenario.names())
def test_the_words_of_the_truth_are_in_the_ticket(name: str) -> None:
    setting = scenario.load(name)
    ticket = (setting.folder / "TICKET.md").read_text("utf-8")
    for number in range(60):
        chosen = variant.choose(setting, str(number))
        for fact in diagnosis.truth(paths.GRADERS / name / "truth.yaml", chosen):
            assert fact["component"] in ticket
            assert all(f"`{kind}`" in ticket for kind in fact["kind"])
            assert all(subject == subject.lower() for subject in fact["subject"])


# -- scoring

TRUTH = [
    {"component": "a", "subject": ["x", "also x"], "kind": ["unit", "encoding"]},
    {"component": "a", "subject": ["y"], "kind": ["encoding"]},
    {"component": "b", "subject": ["z"], "kind": ["unit"]},
]
RIGHT = [
    {"component": "a", "subject": "x", "kind": "unit"},
    {"component": "a", "subject": "y", "kind": "encoding"},
    {"component": "b", "subject": "z", "kind": "unit"},
]
WRONG = [{"component": "c", "subject": str(number), "kind": "unit"} for number in range(9)]
OTHER_NAME = {**RIGHT[0], "subject": "also x"}


@pytest.mark.parametrize(
    ("findings", "score", "earned"),
    [
        (RIGHT, 1, 1),
        ([OTHER_NAME, *RIGHT[1:]], 1, 1),
        (RIGHT[:2], 0.8, 0.8),
        (RIGHT[:1], 0.5, 0),
        ([], 0, 0),
        ([*RIGHT, WRONG[0]], 6 / 7, 6 / 7),
        ([*RIGHT, OTHER_NAME], 1, 1),
        ([*RIGHT, OTHER_NAME, {**RIGHT[0], "kind": "encoding"}], 1, 1),
        ([RIGHT[0], OTHER_NAME], 0.5, 0),
        ([*RIGHT, OTHER_NAME, WRONG[0]], 6 / 7, 6 / 7),
        ([*RIGHT, OTHER_NAME, *WRONG[:2]], 0, 0),
        ([*RIGHT, *WRONG[:2]], 0, 0),
        ([*RIGHT[:2], WRONG[0]], 4 / 6, 4 / 6),
        ([*RIGHT[:2], *WRONG[:2]], 4 / 7, 4 / 7),
        ([RIGHT[0], WRONG[0]], 2 / 5, 0),
        ([RIGHT[0], *WRONG[:2]], 2 / 6, 0),
        (WRONG[:3], 0, 0),
        ([{**RIGHT[0], "kind": "encoding"}, *RIGHT[1:]], 1, 1),
        ([{**RIGHT[1], "kind": "unit"}], 0, 0),
        ([{**RIGHT[1], "kind": "code"}], 0, 0),
        ([{**RIGHT[0], "component": "b"}], 0, 0),
        (RIGHT * 10, 1, 1),
    ],
)
def test_score_and_share(findings: list[Finding], score: float, earned: float) -> None:
    assert f1(findings, TRUTH) == pytest.approx(score)
    assert share(findings, TRUTH) == pytest.approx(earned)


WORDS = st.sampled_from(["a", "b", "c"])
FINDINGS = st.lists(
    st.fixed_dictionaries({"component": WORDS, "subject": WORDS, "kind": WORDS}), max_size=8
)
TRUTHS = st.lists(
    st.fixed_dictionaries(
        {
            "component": WORDS,
            "subject": st.lists(WORDS, min_size=1),
            "kind": st.lists(WORDS, min_size=1),
        }
    ),
    max_size=5,
)


@settings(deadline=None)
@given(findings=FINDINGS, truth=TRUTHS, seed=st.integers())
def test_a_share_is_one_whatever_the_order_and_however_often(
    findings: list[Finding], truth: list[dict[str, object]], seed: int
) -> None:
    earned = share(findings, truth)
    assert 0 <= earned <= 1
    turned = findings * 2
    random.Random(seed).shuffle(turned)
    assert share(turned, truth) == earned
    # Two names of one fault are one finding; what names none is a guess.
    guesses = {
        tuple(finding[key] for key in diagnosis.KEYS)
        for finding in findings
        if not f1([finding], truth)
    }
    if len(guesses) > len(truth) + 1 or not findings:
        assert earned == 0
    if not guesses and findings and len(truth) == 1:
        assert earned == 1


@settings(deadline=None)
@given(count=st.integers(1, 6), more=st.integers(0, 4))
def test_all_and_no_more_earns_all_and_guesses_lose(count: int, more: int) -> None:
    truth = [{"component": "a", "subject": [f"s{n}"], "kind": ["k"]} for n in range(count)]
    right = [{"component": "a", "subject": f"s{n}", "kind": "k"} for n in range(count)]
    guesses = [{"component": "a", "subject": f"g{n}", "kind": "k"} for n in range(more)]
    earned = share(right + guesses, truth)
    if more == 0:
        assert earned == 1
    elif more == 1:
        assert 0.5 < earned < 1
    else:
        assert earned == 0
