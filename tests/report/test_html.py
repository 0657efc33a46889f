from __future__ import annotations

import dataclasses
import html
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.grading.scorecard import VerdictOutcome
from sandbox.report import data
from sandbox.report.data import assemble
from sandbox.report.html import render, write_report
from sandbox.report.pictures import Picture
from tests.report.conftest import GRADER, documents, fault, make_card, slowed, verdict, verdicts
from tests.report.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.evidence import Evidence
    from sandbox.grading.scorecard import Scorecard

HOSTILE = (
    "\x1b[31m<script>alert(1)</script> ]]> {{ 7*7 }} \"'><img src=x onerror=y> \x9b2J\u202egnp.exe"
)
ATTRIBUTES_OF_LINKS = ("src", "href", "xlink:href", "action", "data", "srcset", "poster")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page]:
    writer = EvidenceWriter(tmp_path_factory.mktemp("report") / "evidence")
    for step, content in documents().items():
        writer.write(Record(step, Outcome.RECORDED, content))
    text = render(assemble(make_card(), writer.freeze(), GRADER))
    return text, Page(text)


def without_pictures(tmp_path: Path) -> Path:
    """A grader's folder that draws and asks nothing, where a test is about neither."""
    folder = tmp_path / "no_grader"
    folder.mkdir(exist_ok=True)
    return folder


def test_a_report_is_one_small_file(page: tuple[str, Page], tmp_path: Path) -> None:
    assert 50_000 < len(page[0].encode()) < 1_500_000
    path = tmp_path / "report.html"
    report = assemble(make_card(), None, without_pictures(tmp_path))
    write_report(report, path)
    assert path.read_text("utf-8") == render(report)


def test_a_page_is_well_formed(page: tuple[str, Page]) -> None:
    _, parsed = page
    assert parsed.unclosed == []
    assert len(parsed.ids) == len(set(parsed.ids))


def test_a_page_loads_nothing(page: tuple[str, Page]) -> None:
    text, parsed = page
    assert {"script", "link", "iframe", "object", "embed", "base"}.isdisjoint(
        tag for tag, _ in parsed.tags
    )
    links = [
        value
        for _, attributes in parsed.tags
        for name, value in attributes.items()
        if name in ATTRIBUTES_OF_LINKS
    ]
    assert links
    assert all(link and link.startswith(("#", "data:image/png;base64,")) for link in links)
    # What is left that looks like an address is the name of SVG itself.
    assert set(re.findall(r"https?://[^\s\"<)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_every_link_inside_the_page_leads_somewhere(page: tuple[str, Page]) -> None:
    text, parsed = page
    inside = set(re.findall(r'(?:href="|url\()#([\w-]+)', text))
    assert inside <= set(parsed.ids)


def test_every_verdict_is_in_it(page: tuple[str, Page], card: Scorecard) -> None:
    _, parsed = page
    for entry in card.verdicts:
        row = " ".join(parsed.by_id[f"check-{entry.check}"].split())
        for said in (entry.title, entry.expected, entry.seen, entry.where, entry.competency):
            assert said in row
    assert "10 / 15" in parsed.by_id["check-parity_test_catches_returning_skews"]


def test_the_headline_is_the_total_and_a_sentence(page: tuple[str, Page]) -> None:
    _, parsed = page
    assert "44of 100 points" in parsed.text
    assert (
        "3 of 9 checks hold, 2 in part and 4 not at all. Points are missing mostly in "
        "training-serving parity (24 of 56), input contract (5 of 13) and diagnosis (0 of 6)."
    ) in parsed.text
    # The weightiest competency first.
    assert parsed.text.index("24 / 56") < parsed.text.index("10 / 15")


def test_what_the_candidate_changed_is_in_it(page: tuple[str, Page]) -> None:
    text, parsed = page
    changes = parsed.by_id["changes"]
    assert "pipeline/features.py" in changes
    assert "restored before grading" in changes
    assert '<div class="added">from pipeline import features</div>' in text
    assert '<div class="removed">import numpy as np</div>' in text
    assert '<div class="removed">--- not a header, a removed SQL comment</div>' in text
    assert '<div class="remark">a binary file of 12 bytes</div>' in text
    assert "12 more lines are not shown" in changes


def test_the_diagnosis_stands_beside_the_truth(page: tuple[str, Page]) -> None:
    _, parsed = page
    rows = [" ".join(row.split()) for row in parsed.by_id["diagnosis"].splitlines() if row.strip()]
    assert "✓ foundservice.preprocessingtemp_cunit" in rows
    assert "✕ missedservice.preprocessingwind_gust_ms or pressure_hpamissing_values" in rows
    assert "✕ said, not soservice.preprocessingvisib_kmunit" in rows
    assert "I ran out of time on the wind columns." in parsed.text


def test_provenance_names_digests_tools_and_isolation(
    page: tuple[str, Page], card: Scorecard
) -> None:
    _, parsed = page
    provenance = parsed.by_id["provenance"]
    for said in (*card.digests.values(), "mlflow", "3.17.2", "bubblewrap", "utc_hour", "11.4"):
        assert said in provenance


def test_the_interview_begins_a_page(page: tuple[str, Page]) -> None:
    text, parsed = page
    assert "#interview { break-before: page; }" in text
    assert "we expected" in parsed.by_id["interview"].lower()


@pytest.mark.parametrize("where", ["verdict", "case", "diagnosis", "fault", "skew_metric"])
def test_what_a_submission_says_is_inert(
    where: str, freeze: Callable[..., Evidence], tmp_path: Path
) -> None:
    changed: dict[str, object] = {}
    verdict_list = verdicts()
    content = documents()
    if where == "verdict":
        names = ("title", "expected", "seen", "where", "competency")
        verdict_list[0] = dataclasses.replace(verdict_list[0], **dict.fromkeys(names, HOSTILE))
    elif where == "case":
        case = content["case"]
        case["diff"][0] = {
            "path": HOSTILE,
            "kind": HOSTILE,
            "unified": f"--- x\n+++ x\n@@ -1 +1 @@ {HOSTILE}\n+{HOSTILE}\n-{HOSTILE}\n {HOSTILE}",
        }
        case["submission"]["added"] = [HOSTILE]
        changed = {"case": case}
    elif where == "diagnosis":
        diagnosis = content["diagnosis"]
        diagnosis["findings"] = [dict.fromkeys(("component", "subject", "kind"), HOSTILE)]
        changed = {"diagnosis": diagnosis | {"notes": HOSTILE, "problem": HOSTILE}}
    elif where == "fault":
        changed = {"parity": fault("parity", HOSTILE, detail=HOSTILE)}
    else:
        metric = content["skew_metric"]
        metric["windows"][0]["scores"] = {HOSTILE: 0.1, "$\\frac{": 0.2}
        metric["windows"][2] |= {"name": HOSTILE + "$x", "faulty_feature": HOSTILE}
        changed = {"skew_metric": metric | {"metric": HOSTILE}}
    grader = GRADER if where == "skew_metric" else without_pictures(tmp_path)
    text = render(assemble(make_card(verdicts=verdict_list), freeze(**changed), grader))
    parsed = Page(text)
    assert parsed.unclosed == []
    assert {"script", "img"}.isdisjoint(tag for tag, _ in parsed.tags)
    assert not any(name.startswith("on") for _, names in parsed.tags for name in names)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "49" not in parsed.by_id.get("changes", "")
    if where != "skew_metric":
        assert "<script>alert(1)</script>" in parsed.text


def test_hidden_characters_of_a_diff_are_shown(
    freeze: Callable[..., Evidence], tmp_path: Path
) -> None:
    case = documents()["case"]
    case["diff"] = [{"path": "a.py", "kind": "modified", "unified": "@@ -1 +1 @@\n+a\u202eb"}]
    text = render(assemble(make_card(), freeze(case=case), without_pictures(tmp_path)))
    assert '<div class="added">a\\u202eb</div>' in text


def test_a_diff_without_end_is_cut(freeze: Callable[..., Evidence], tmp_path: Path) -> None:
    case = documents()["case"]
    entry = {"path": "a.py", "kind": "added", "unified": "@@ @@\n" + "+x\n" * 700}
    case["diff"] = [entry] * 60
    report = assemble(make_card(), freeze(case=case), without_pictures(tmp_path))
    assert sum(len(change.lines) for change in report.changes) == 4000
    assert "202 more lines not shown" in Page(render(report)).text


# -- no grade


@pytest.mark.parametrize("of", ["the run", "a check"])
def test_an_ungradable_run_cannot_be_mistaken_for_a_grade(
    of: str, evidence: Evidence, tmp_path: Path
) -> None:
    if of == "the run":
        card = make_card(problem="the registry <died>")
    else:
        broken = dataclasses.replace(
            verdicts()[0], outcome=VerdictOutcome.UNGRADABLE, seen="the registry <died>"
        )
        card = make_card(verdicts=[broken, *verdicts()[1:]])
    folder = without_pictures(tmp_path)
    shutil.copy(GRADER / "interview.yaml", folder)
    report = assemble(card, evidence, folder)
    assert (report.points, report.points_max, report.competencies) == (None, None, ())
    assert report.questions == ()
    text = render(report)
    parsed = Page(text)
    assert "<title>UNGRADABLE" in text
    assert '<body class="ungradable">' in text
    assert ("section", {"class": "alarm", "role": "alert"}) in parsed.tags
    assert "Ungradable" in parsed.text
    assert "the registry <died>" in parsed.text
    assert not re.search(r"\d\s*/\s*\d|of \d+ points|\d points", parsed.text)


def test_a_grade_is_never_called_ungradable(page: tuple[str, Page]) -> None:
    _, parsed = page
    assert "ngradable" not in parsed.text


# -- what is missing


def test_a_report_without_evidence(card: Scorecard) -> None:
    report = assemble(card, None, GRADER)
    assert report.pictures == ()
    assert "44" in Page(render(report)).text


def test_a_report_of_nothing_but_faults(freeze: Callable[..., Evidence]) -> None:
    evidence = freeze(**{step: fault(step) for step in documents()})
    report = assemble(make_card(), evidence, GRADER)
    assert len(report.pictures) == 5
    assert all(not picture.svg for picture in report.pictures)
    text = Page(render(report)).text
    assert "Not drawn" in text
    assert "submission fault: the service did not start" in text


def test_a_report_of_evidence_that_was_changed(evidence: Evidence, tmp_path: Path) -> None:
    (evidence.folder / "parity.json").write_text("{}")
    report = assemble(make_card(), evidence, without_pictures(tmp_path))
    assert "unreadable: expected" in Page(render(report)).text


def test_a_report_of_a_run_that_never_began(freeze: Callable[..., Evidence]) -> None:
    evidence = freeze(**dict.fromkeys(documents()))
    card = make_card(problem="no check ran", verdicts=[])
    assert "No check decided anything." in Page(render(assemble(card, evidence, GRADER))).text


# -- the sentence


def test_the_summary_of_everything_and_of_nothing(tmp_path: Path) -> None:
    folder = without_pictures(tmp_path)
    everything = assemble(
        make_card(verdicts=[verdict("a", 60, 1), verdict("b", 40, 1)]), None, folder
    )
    assert everything.summary == "Everything that was asked for works: all of 2 checks hold."
    nothing = assemble(make_card(verdicts=[verdict("a", 60, 0), verdict("b", 40, 0)]), None, folder)
    assert nothing.summary == (
        "Nothing that was asked for works yet: none of 2 checks earned a point."
    )


def test_a_guard_tells_what_it_took(tmp_path: Path) -> None:
    report = assemble(make_card(verdicts=slowed()), None, without_pictures(tmp_path))
    (guard,) = report.guards
    assert guard.taken == 24
    assert report.points == 20
    parsed = Page(render(report))
    assert "does not hold and took 24 points" in parsed.text
    row = parsed.by_id["check-loud_skew_is_gone"]
    assert "12 points, by the guard Requests of 50 flights" in row
    assert "0 / 12" in row
    assert "−24" in parsed.by_id["check-answers_in_time"]


def test_what_was_not_run_is_told_and_not_counted(tmp_path: Path) -> None:
    skipped = verdict("a", 60, 0, outcome=VerdictOutcome.NOT_RUN)
    report = assemble(
        make_card(verdicts=[skipped, verdict("b", 40, 1)]), None, without_pictures(tmp_path)
    )
    assert report.points_max == 40
    assert "1 check cannot run in process: not counted." in report.summary
    assert "not counted" in Page(render(report)).by_id["check-a"]


def test_nothing_of_a_grader_is_left_behind(
    card: Scorecard, freeze: Callable[..., Evidence]
) -> None:
    evidence = freeze(parity=fault("parity"))
    before = {path.name for path in GRADER.iterdir()}
    assemble(card, evidence, GRADER)
    assert {path.name for path in GRADER.iterdir()} == before
    assert not [name for name in sys.modules if name.startswith("_sandbox_pictures")]


def test_a_picture_made_by_hand_is_shown_as_it_is(
    card: Scorecard, evidence: Evidence, tmp_path: Path
) -> None:
    (tmp_path / data.PICTURES).write_text(
        "from sandbox.report.pictures import Picture\n"
        "def pictures(evidence):\n"
        "    return [Picture('<A>', 'b & c', '<svg viewBox=\"0 0 9 1\"/>')]"
    )
    report = assemble(card, evidence, tmp_path)
    assert report.pictures == (Picture("<A>", "b & c", '<svg viewBox="0 0 9 1"/>'),)
    text = render(report)
    assert '<figure class="wide">' in text
    assert html.escape("b & c") in text
