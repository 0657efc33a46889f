from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from sandbox.errors import HarnessFault, UsageError
from sandbox.evidence import Outcome
from sandbox.report.data import assemble, load_pictures
from sandbox.report.pictures import Picture, label, numbers, picture
from tests.report.conftest import GRADER, documents, fault, make_card, replay, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from sandbox.evidence import Evidence

MODULE = load_pictures(GRADER / "pictures.py")


def line(figure: Figure) -> str:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1])
    axes.set_title("$a_b <&>\x00\x1b \u65e5")
    return "A line."


def drawn(steps: Mapping[str, Any]) -> dict[str, Picture]:
    return {found.title: found for found in MODULE.pictures(steps)}


def test_a_picture_is_an_element_of_a_page() -> None:
    found = picture("A <title>", line)
    root = ET.fromstring(found.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "A <title>"
    assert found.caption == "A line."
    assert "$a_b &lt;&amp;&gt; \u65e5" in found.svg
    for unwanted in ("<?xml", "<!DOCTYPE", "<style", "metadata", "DejaVu", "xlink", "\n"):
        assert unwanted not in found.svg


def test_ids_of_two_pictures_do_not_meet() -> None:
    one, two = (set(re.findall(r' id="([^"]*)"', picture(t, line).svg)) for t in ("one", "two"))
    assert one
    assert not one & two


def test_every_reference_is_to_an_id_of_the_same_picture() -> None:
    for found in drawn(documents()).values():
        ids = set(re.findall(r' id="([^"]*)"', found.svg))
        references = set(re.findall(r'(?:href="|url\()#([^")]*)', found.svg))
        assert references == ids, found.title


def test_the_same_evidence_gives_the_same_bytes() -> None:
    assert MODULE.pictures(documents()) == MODULE.pictures(documents())


def test_the_machine_s_own_style_changes_nothing() -> None:
    before = picture("a", line)
    with mpl.rc_context({"lines.linewidth": 9, "svg.fonttype": "path"}):
        assert picture("a", line) == before
        assert mpl.rcParams["lines.linewidth"] == 9


@pytest.mark.parametrize("error", [KeyError("served"), ValueError("a\nb"), TypeError("no")])
def test_evidence_that_cannot_be_read_leaves_a_text(error: Exception) -> None:
    def draw(figure: Figure) -> str:
        raise error

    found = picture("a", draw)
    assert found.svg == ""
    assert found.caption.startswith(
        f"Not drawn: the evidence cannot be read ({type(error).__name__}"
    )
    assert "\n" not in found.caption


def test_a_fault_leaves_its_reason() -> None:
    def draw(figure: Figure) -> str:
        raise HarnessFault(expected="a disk", seen="\x1b[31mnone")

    assert picture("a", draw) == Picture("a", "Not drawn: none", "")


def test_numbers_takes_what_is_a_number() -> None:
    found = numbers([1, 0.5, None, "2", True, float("inf"), float("nan"), [3]])
    assert np.array_equal(found, [1, 0.5, *[np.nan] * 6], equal_nan=True)


def test_label_is_short_and_printable() -> None:
    assert label("\x1b[1ma\nb" + "c" * 90) == "a b" + "c" * 36 + "…"


def test_reading_reports_does_not_import_matplotlib() -> None:
    code = (
        "import sys, sandbox.report.html, sandbox.report.data, sandbox.report.terminal\n"
        "assert not {'matplotlib', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- the pictures of skewed_preprocessing


def test_the_five_pictures(evidence: Evidence) -> None:
    found = drawn(evidence)
    assert len(found) == 5
    assert all(entry.svg and len(entry.svg) < 400_000 for entry in found.values())
    parity, auc, latency, metric, matrix = found.values()
    assert "0% as handed out, 69.8% as submitted" in parity.caption
    assert "with the faint skew left in" in parity.caption
    assert "pipeline 0.73, handed out 0.67" in auc.caption
    assert "below the objective of 300 ms" in latency.caption
    assert "distance_km goes from 0.019 to 1.7" in metric.caption
    assert "right on 3 of 4 services" in matrix.caption


@pytest.mark.parametrize("outcome", [Outcome.SUBMISSION_FAULT, Outcome.HARNESS_FAULT])
def test_a_fault_leaves_its_reason_in_place_of_pictures(
    outcome: Outcome, freeze: Callable[..., Evidence]
) -> None:
    steps = {step: fault(step, f"{step} broke", outcome=outcome) for step in documents()}
    found = drawn(freeze(**steps | {"parity_test": documents()["parity_test"]})).values()
    broke = [f"Not drawn: {step} broke" for step in ("parity", "parity", "speed", "skew_metric")]
    assert [entry.caption for entry in found][:4] == broke
    assert [bool(entry.svg) for entry in found] == [False] * 4 + [True]


def test_a_fault_of_retraining_leaves_the_rest_of_the_picture(
    freeze: Callable[..., Evidence],
) -> None:
    evidence = freeze(parity_after_retraining=fault("parity_after_retraining"))
    found = picture("a", lambda figure: MODULE.parity(figure, evidence))
    assert "69.8% as submitted" in found.caption
    assert "nothing to show" in found.svg


def test_steps_without_anything_in_them_leave_texts() -> None:
    found = drawn({step: {} for step in documents()})
    assert [entry.svg for entry in found.values()] == [""] * 5


def test_a_service_that_answered_nothing() -> None:
    steps = documents()
    steps["parity"] = replay(500, 1, "none", unanswered=500)
    steps["speed"] = speed(10, unanswered=10)
    found = list(drawn(steps).values())
    assert all(entry.svg for entry in found)
    assert "500 of 500 flights got no answer" in found[0].caption
    assert "submitted unknown" in found[1].caption
    assert "10 of 10 requests were not answered with 200" in found[2].caption


def test_a_metric_that_was_not_exported() -> None:
    data = documents()["skew_metric"]
    for window in data["windows"]:
        window["scores"] = {}
    found = picture("a", lambda figure: MODULE.skew_metric(figure, data))
    assert found.svg == ""
    assert "no score in any window" in found.caption


@pytest.mark.parametrize("scores", [[-1.0, 5.0], [0.0, 0.0], [1e300, 1e-300], [7.0]])
def test_a_metric_on_any_scale(scores: list[float]) -> None:
    data = documents()["skew_metric"]
    for window in data["windows"]:
        window["scores"] = dict(zip(("distance_km", "temp_c"), scores, strict=False))
    assert picture("a", lambda figure: MODULE.skew_metric(figure, data)).svg


def test_a_test_that_broke_is_right_on_nothing() -> None:
    data = documents()["parity_test"]
    for run in data["runs"]:
        run |= {"status": None, "timed_out": True}
    found = picture("a", lambda figure: MODULE.parity_test(figure, data))
    assert "right on 0 of 4" in found.caption
    assert "took too long: wrong" in found.svg


@pytest.mark.parametrize(
    ("late", "scores", "expected"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], 1.0),
        ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], 0.75),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.5),
        ([0, 1, 1], [0.5, 0.5, np.nan], 0.5),
        ([1, 1], [0.5, 0.6], np.nan),
        ([], [], np.nan),
    ],
)
def test_auc(late: list[float], scores: list[float], expected: float) -> None:
    found = MODULE.auc(np.array(late, float), np.array(scores, float))
    assert found == pytest.approx(expected, nan_ok=True)


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    random = np.random.default_rng(3)
    late, scores = random.integers(0, 2, 400).astype(float), np.round(random.random(400), 1)
    pairs = scores[late == 1][:, None] - scores[late == 0][None, :]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert MODULE.auc(late, scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 9, "0%"), (9, 9, "100%"), (5999, 6000, "99.9%"), (1, 6000, "under 0.1%"), (0, 0, "0%")],
)
def test_a_share_is_all_only_when_it_is(part: int, whole: int, said: str) -> None:
    assert MODULE.percent(part, whole) == said


def test_a_grader_imports_only_what_it_may() -> None:
    source = (GRADER / "pictures.py").read_text()
    found = set(re.findall(r"^ *(?:from|import) ([\w.]+)", source, re.MULTILINE))
    types = {"typing", "collections.abc", "matplotlib.axes", "matplotlib.figure"}
    assert found == {"__future__", "numpy", "sandbox.report.pictures"} | types


# -- loading


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def pictures(:", "SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("x = 1", "a function `pictures(evidence)`"),
        ("def pictures(evidence): return ['no']", "saw str"),
    ],
)
def test_a_grader_s_file_that_is_wrong(
    source: str, said: str, evidence: Evidence, tmp_path: Path
) -> None:
    (tmp_path / "pictures.py").write_text(source)
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        assemble(make_card(), evidence, tmp_path)
    assert "\n" not in str(caught.value)
