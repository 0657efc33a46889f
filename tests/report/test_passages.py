"""Releases in the terminal: what happened when, told once, and nothing in it that acts."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.report.passages import (
    ROWS_FIRST,
    ROWS_LAST,
    closing,
    lines,
    print_passages,
    problems,
    table,
)
from sandbox.rollout.state import facts
from tests.report.test_rollouts import HOSTILE, REFUSED, SHAPES, STEPS, hostile, many, release
from tests.rollout.driving import delivery, pause, template, watched, weight, world, written

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.rollout.spec import Delivery

ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
OFTEN = delivery(
    *STEPS,
    background=watched(1),
    templates=(template("watch", written("errors", interval="10s", failureLimit=2)),),
)


def printed(seen: dict[str, Any], *, width: int = 200) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width, color_system=None).print(table("a release", seen))
    return sink.getvalue()


def rows(seen: dict[str, Any]) -> list[str]:
    return [" ".join(line.split()) for line in printed(seen).splitlines()]


def told(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [" ".join(line.plain.split()) for line in lines(before, after)]


def history(given: Delivery, until_s: float, scripts: dict[str, str]) -> list[dict[str, Any]]:
    """The facts at each tick, as they come out of a file."""
    shipped = world(given, scripts)
    found = []
    while shipped.now_s <= until_s:
        shipped.until(shipped.now_s)
        found.append(json.loads(json.dumps(facts(shipped.state))))
    return found


def test_a_release_is_told_from_its_start_to_its_end() -> None:
    assert rows(release(OFTEN, errors="sfff")) == [
        "a release, version 4",
        "0:00 The new release is started",
        "0:10 Traffic weight updated from 0 to 5",
        "0:10 Rollout step 1/4 completed (setWeight: 5)",
        "0:10 Analysis background begins",
        "0:10 errors Successful [0] (background)",
        "0:10 Rollout is paused (CanaryPauseStep)",
        "0:20 errors Failed [1], 3 times until 0:40 (background)",
        "0:40 Analysis background is Failed",
        "0:40 Rollout aborted update: Background analysis phase error/failed: "
        'Metric "errors" assessed Failed due to failed (3) > failureLimit (2)',
        "0:40 Traffic weight updated from 5 to 0",
        "Aborted after 40 s by errors: failed (3) > failureLimit (2); "
        "it got 1.6 % of the requests.",
    ]


def test_a_promotion_is_the_last_that_is_told() -> None:
    seen = rows(SHAPES["promoted"])
    assert "Rollout completed update" in seen[-2]
    assert seen[-1].startswith("Promoted after ")
    # The router's share of the canary falls to nothing then, and everybody has the release.
    assert [line.rpartition(" ")[2] for line in seen if "weight updated" in line] == [
        "5",
        "50",
        "100",
    ]


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ("promoted", "v2 was promoted: it answers everybody from now on."),
        ("aborted", "v2 was aborted: what answered before answers everybody again."),
    ],
)
def test_the_end_of_a_release_is_a_sentence(outcome: str, sentence: str) -> None:
    assert closing("v2", outcome).plain == sentence


def test_a_verdict_that_changes_is_told_each_time() -> None:
    seen = [line for line in rows(release(OFTEN, errors="sfsfs")) if "errors" in line]
    assert [line.split()[2] for line in seen] == [
        "Successful",
        "Failed",
        "Successful",
        "Failed",
        "Successful",
    ]


def test_values_are_short_and_from_first_to_last() -> None:
    seen = release(OFTEN)
    [metric] = seen["rollout"]["runs"][0]["metrics"]
    metric["measurements"][0]["value"] = "[0.123456789,NaN]"
    metric["measurements"][-1]["value"] = "-0.000012345678"
    [line] = [line for line in rows(seen) if "errors" in line]
    assert "errors Successful [0.1235,NaN] … -1.235e-05, " in line


def test_an_error_says_what_it_was() -> None:
    [line] = [line for line in rows(release(OFTEN, errors="e")) if "errors Error" in line]
    assert "errors Error server is away, 5 times until " in line


def test_a_measurement_that_decides_nothing_says_so() -> None:
    dry = template("watch", written("errors", interval="10s"), dry_run=("errors",))
    given = delivery(*STEPS, background=watched(1), templates=(dry,))
    assert any("which decides nothing (background)" in line for line in rows(release(given)))


def test_a_release_that_waits_says_where_it_stands() -> None:
    assert rows(SHAPES["waits for ever"])[-1].startswith(
        "Neither aborted nor promoted in 300 s: Paused at step 2 of 2 (pause)"
    )


def test_a_long_story_loses_its_middle() -> None:
    seen = rows(release(many(80)))
    assert len(seen) == ROWS_FIRST + ROWS_LAST + 3
    assert re.fullmatch(r"and \d+ more", seen[ROWS_FIRST + 1])
    assert seen[-1].startswith("Promoted")


# -- as it goes on


@pytest.mark.parametrize("script", ["s", "sfff", "i", "e", "sfsf"])
@pytest.mark.parametrize("given", [OFTEN, delivery(weight(5), pause(30), weight(20), pause())])
def test_what_is_told_bit_by_bit_is_what_there_is(given: Delivery, script: str) -> None:
    seen = history(given, 300, {"errors": script})
    bits: list[str] = []
    before: dict[str, Any] = {}
    for after in seen:
        bits += told(before, after)
        before = after
    events = [line for line in bits if " errors " not in line]
    whole = told({}, seen[-1])
    assert events == [line for line in whole if " errors " not in line]
    # What is together in the whole is one by one here.
    taken = [m for run in seen[-1]["runs"] for one in run["metrics"] for m in one["measurements"]]
    assert len(bits) - len(events) == len(taken)
    assert events


def test_what_is_told_is_not_told_again() -> None:
    [*_, last] = history(OFTEN, 200, {})
    assert told(last, last) == []
    assert told({}, last)


def test_what_was_missed_is_told_together() -> None:
    seen = history(OFTEN, 100, {})
    assert told(seen[3], seen[6])[0] == (
        "0:40 errors Successful [0], 3 times until 1:00 (background)"
    )


def test_an_abort_by_a_person_says_so() -> None:
    shipped = world(OFTEN).until(50, {50: "abort"})
    assert "0:50 A person says: abort" in told({}, facts(shipped.state))


# -- refused


def test_all_problems_are_told_with_their_place() -> None:
    assert [line.plain for line in problems(REFUSED["problem"])] == [
        "✗ Rollout/x: spec.steps[2]: unknown field",
        "✗ line 7: not YAML",
    ]


def test_only_releases_are_printed_and_a_refusal_once(tmp_path: Path) -> None:
    writer = EvidenceWriter(tmp_path / "evidence")
    writer.write(Record("good_release", Outcome.RECORDED, SHAPES["promoted"]))
    writer.write(Record("slow_release", Outcome.RECORDED, REFUSED))
    writer.write(Record("erring_release", Outcome.RECORDED, REFUSED))
    writer.write(Record("shifted_release", Outcome.SUBMISSION_FAULT, {}, "the service hangs"))
    writer.write(Record("diagnosis", Outcome.RECORDED, {"findings": [], "problem": "none"}))
    sink = io.StringIO()
    # Narrower than a path: what is piped is searched.
    print_passages(Console(file=sink, width=30, color_system=None), writer.freeze())
    text = sink.getvalue()
    assert text.count(", version") == 1
    assert text.count("✗ ") == 2
    assert "Rollout/x: spec.steps[2]: unknown field\n" in text
    assert "slow release" in " ".join(text.split())


# -- hostile


def test_what_a_submission_says_is_text() -> None:
    seen = hostile()
    for event in seen["rollout"]["events"]:
        event["words"] += f": {HOSTILE}"
    text = printed(seen)
    assert not ACTS.search(text)
    assert "title" not in text
    assert "$a_b$ <script>x</script>" in text
    every = "".join(line.plain for line in (*lines({}, seen["rollout"]), *problems(HOSTILE)))
    assert not ACTS.search(every)
    assert "[red]" in printed(seen | {"version": "[red]"})


def test_a_huge_text_is_cut() -> None:
    assert len(printed(release(many(3, "x" * 100_000)), width=80)) < 30_000
