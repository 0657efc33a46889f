"""A scorecard as JUnit XML, for the test pages of CI systems."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from sandbox.grading.scorecard import VerdictOutcome, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.grading.scorecard import Scorecard, Verdict


def write_junit(card: Scorecard, path: Path) -> None:
    """Write a scorecard as JUnit XML.

    A failed check is a `failure`, an ungradable one an `error`, one that was not run is `skipped`.
    A run that is ungradable as a whole has one `error` more, so that no page shows it green.
    """
    counts = Counter(verdict.outcome for verdict in card.verdicts)
    seconds = f"{sum(card.durations_s.values()):.3f}"
    totals = {
        "tests": str(len(card.verdicts) + bool(card.problem)),
        "failures": str(counts[VerdictOutcome.FAILED]),
        "errors": str(counts[VerdictOutcome.UNGRADABLE] + bool(card.problem)),
        "time": seconds,
    }
    suites = ET.Element("testsuites", {"name": "sandbox", **totals})
    suite = _add(
        suites,
        "testsuite",
        {
            "name": card.scenario,
            **totals,
            "skipped": str(counts[VerdictOutcome.NOT_RUN]),
            "timestamp": card.collected_at,
        },
    )
    _properties(suite, _facts(card))
    for verdict in card.verdicts:
        _case(suite, card.scenario, verdict)
    if card.problem:
        case = _add(suite, "testcase", {"classname": card.scenario, "name": "the whole run"})
        _add(case, "error", {"type": "ungradable", "message": card.problem})
    ET.indent(suites)
    ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _facts(card: Scorecard) -> dict[str, str]:
    facts = {
        "status": "graded" if card.gradable else "ungradable",
        "title": card.title,
        "seed": card.seed,
        "points": f"{card.points:g}",
        "points_max": f"{card.points_max:g}",
    }
    for group, values in (
        ("competency", {k: f"{a:g}/{b:g}" for k, (a, b) in card.competencies.items()}),
        ("runtime", card.runtime),
        ("digest", card.digests),
        ("tool", card.tools),
    ):
        facts |= {f"{group}.{name}": value for name, value in values.items()}
    return facts


def _case(suite: ET.Element, scenario: str, verdict: Verdict) -> None:
    case = _add(suite, "testcase", {"classname": scenario, "name": verdict.check})
    _properties(
        case,
        {
            "title": verdict.title,
            "competency": verdict.competency,
            "points": f"{verdict.points:g}",
            "points_max": f"{verdict.points_max:g}",
            "share": f"{verdict.share:g}",
            "guard": str(verdict.guard).lower(),
            "held_back_by": ", ".join(verdict.held_back_by),
        },
    )
    said = f"expected {verdict.expected}; saw {verdict.seen}"
    if verdict.where:
        said += f" ({verdict.where})"
    if verdict.outcome is VerdictOutcome.PASSED:
        _add(case, "system-out", {}, said)
    elif verdict.outcome is VerdictOutcome.FAILED:
        _add(case, "failure", {"type": "failed", "message": said}, said)
    elif verdict.outcome is VerdictOutcome.UNGRADABLE:
        _add(case, "error", {"type": "ungradable", "message": said}, said)
    else:
        _add(case, "skipped", {"message": said})


def _properties(parent: ET.Element, values: Mapping[str, str]) -> None:
    properties = _add(parent, "properties", {})
    for name, value in values.items():
        _add(properties, "property", {"name": name, "value": value})


def _add(
    parent: ET.Element, tag: str, attributes: Mapping[str, str], text: str | None = None
) -> ET.Element:
    """Add an element; the only way text gets into the document, so the only place to clean it."""
    element = ET.SubElement(parent, tag, {k: printable(v) for k, v in attributes.items()})
    element.text = printable(text) if text else None
    return element
