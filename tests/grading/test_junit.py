from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.grading.junit import write_junit
from sandbox.grading.scorecard import VerdictOutcome

FAILED, UNGRADABLE = VerdictOutcome.FAILED, VerdictOutcome.UNGRADABLE
NOT_RUN = VerdictOutcome.NOT_RUN


@pytest.fixture
def suite_of(tmp_path):
    def suite(card) -> ET.Element:
        write_junit(card, tmp_path / "junit.xml")
        root = ET.parse(tmp_path / "junit.xml").getroot()
        assert root.tag == "testsuites"
        (suite,) = root
        return suite

    return suite


@pytest.fixture
def card(make_card, make_verdict):
    return make_card(
        make_verdict("passed", share=0.5, points=2.5, held_back_by=("g", "h")),
        make_verdict("failed", outcome=FAILED, share=0.0, points=0.0, expected="x", seen="y < z"),
        make_verdict("ungradable", outcome=UNGRADABLE, share=0.0, points=0.0, where=""),
        make_verdict("not_run", outcome=NOT_RUN, share=0.0, points=0.0),
    )


def properties(element):
    return {p.get("name"): p.get("value") for p in element.find("properties")}


def test_each_outcome_has_its_element(suite_of, card):
    suite = suite_of(card)
    found = {
        case.get("name"): [child.tag for child in case if child.tag != "properties"]
        for case in suite.iter("testcase")
    }
    assert found == {
        "passed": ["system-out"],
        "failed": ["failure"],
        "ungradable": ["error"],
        "not_run": ["skipped"],
    }
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
        "time": "10.750",
    }
    assert suite.get("name") == "skewed_preprocessing"
    assert suite.get("timestamp") == "2026-01-02T03:04:05Z"


def test_a_failure_says_what_was_expected_seen_and_where(suite_of, card):
    message = suite_of(card).find(".//failure").get("message")
    assert message == "expected x; saw y < z (parity.share)"


def test_properties(suite_of, card):
    suite = suite_of(card)
    facts = properties(suite)
    assert facts["status"] == "ungradable"
    assert facts["points"] == "2.5"
    assert facts["points_max"] == "30"
    assert facts["seed"] == "7"
    assert facts["digest.evidence"] == "ab12"
    assert facts["digest.submission"] == "cd34"
    assert facts["runtime.isolation"] == "bubblewrap"
    assert facts["competency.parity"] == "2.5/30"
    assert properties(suite.find("testcase")) == {
        "title": "Title of passed.",
        "competency": "parity",
        "points": "2.5",
        "points_max": "10",
        "share": "0.5",
        "guard": "false",
        "held_back_by": "g, h",
    }


def test_a_run_that_is_ungradable_as_a_whole_is_never_green(suite_of, make_card):
    suite = suite_of(make_card(problem="no checks"))
    assert suite.find("testcase/error").get("message") == "no checks"
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


ANYTHING = st.text(st.characters(exclude_categories=()))


@given(texts=st.tuples(ANYTHING, ANYTHING, ANYTHING), outcome=st.sampled_from(VerdictOutcome))
def test_hostile_text_leaves_it_well_formed(
    tmp_path_factory, make_card, make_verdict, texts, outcome
):
    seen, title, problem = texts
    path = tmp_path_factory.mktemp("junit") / "junit.xml"
    write_junit(
        make_card(make_verdict(seen=seen, title=title, outcome=outcome), problem=problem), path
    )
    suite = ET.parse(path).getroot()[0]
    assert len(suite.findall("testcase")) == 1 + bool(problem)
    assert suite.find("testcase").get("name") == "a"


def test_control_characters_are_gone(suite_of, make_card, make_verdict):
    seen = "a\x00\x1b[31m\x08]]>&<\ud800\ufffe\x9b"
    suite = suite_of(make_card(make_verdict(seen=seen, outcome=FAILED)))
    assert "saw a[31m]]>&< (" in suite.find(".//failure").get("message")
