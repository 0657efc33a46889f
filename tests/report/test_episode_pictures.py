"""Pictures of episodes: every shape is drawn, and the words say what is to be seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from sandbox.report.episodes import LANES_MAX, NAMED_MAX, timeline
from sandbox.report.pictures import Picture, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR_S = 3_600.0
HOSTILE = "$a_b$ <script>x</script> \x1b[2J\x1b]0;title\x07\x00 \u202e \U0001f600"
FAULT = {
    "kind": "nulls",
    "subject": ["temp", "carrier"],
    "words": "temp, carrier are null",
    "start_s": 2 * HOUR_S,
    "until_s": None,
}
NUMERIC = {
    "missing": [0.0, 0.0, 0.0, 0.0, 0.9, 0.9, None, None],
    "p5": [10.0] * 6 + [None] * 2,
    "p50": [20.0] * 6 + [None] * 2,
    "p95": [30.0] * 6 + [None] * 2,
}
CATEGORICAL = {
    "shares": {"UA": [0.3] * 8, "B6": [0.2] * 8, "EV": [0.2] * 8},
    "other": [0.0] * 4 + [0.4] * 4,
}


def rule(alert: str, *spans: tuple[float, float | None], severity: str = "page") -> dict[str, Any]:
    firings = [
        {
            "labels": {"severity": severity},
            "start_s": start * HOUR_S,
            "end_s": None if end is None else end * HOUR_S,
        }
        for start, end in spans
    ]
    return {
        "alert": alert,
        "severity": severity,
        "annotations": {},
        "problem": "",
        "firings": firings,
    }


def episode(
    *rules: dict[str, Any], faults: Sequence[dict[str, Any]] = (FAULT,), **inputs: Any
) -> dict[str, Any]:
    return {
        "tick_s": 120,
        "ticks": 121,
        "faults": list(faults),
        "alerts": {"problem": "", "rules": list(rules)},
        "pictured": {
            "at_s": [1_800.0 * n for n in range(8)],
            "rows": [600] * 8,
            "prediction": [0.2] * 4 + [0.5] * 3 + [None],
            "late": [0.25] * 8,
            "inputs": inputs,
        },
    }


def drawn(seen: dict[str, Any], **how: Any) -> Picture:
    def draw(figure: Figure) -> str:
        return timeline(figure, seen, unit_s=HOUR_S, unit="hours", **how)

    return picture("An episode", draw)


def panels(seen: dict[str, Any], **how: Any) -> tuple[list[Any], str]:
    """The axes of the picture, and its words."""
    with mpl.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(8, 4))
        words = timeline(figure, seen, unit_s=HOUR_S, unit="hours", **how)
        figure.canvas.draw()
    return figure.axes, words


SHAPES = {
    "a fault and an alert": episode(rule("A", (2.2, None)), temp=NUMERIC),
    "no fault": episode(faults=[]),
    "no rules": episode(temp=NUMERIC),
    "a category": episode(rule("A", (2.2, 3)), carrier=CATEGORICAL),
    "two inputs": episode(carrier=CATEGORICAL, temp=NUMERIC),
    "an input without values": episode(temp=dict.fromkeys(NUMERIC, [None] * 8)),
    "a category without values": episode(carrier={"shares": {}, "other": [None] * 8}),
    "a fault that ends": episode(rule("A", (2.2, 2.5)), faults=[{**FAULT, "until_s": 9_000.0}]),
    "forty alerts": episode(*(rule(f"A{n}", (2.2, 3), (3.1, None)) for n in range(40))),
    "an alert at one moment": episode(rule("A", (2.2, 2.2))),
    "nothing served": {
        **episode(temp=NUMERIC),
        "pictured": {**episode(temp=NUMERIC)["pictured"], "prediction": [None] * 8},
    },
    "hostile names": episode(rule(HOSTILE, (1, 2), severity=HOSTILE), carrier=CATEGORICAL),
    "a name beyond all bounds": episode(rule("x" * 50_000, (0.5, 1), (2.5, 3))),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn(shape: str) -> None:
    found = drawn(SHAPES[shape], noticed_s=2.9 * HOUR_S)
    assert found.svg, found.caption
    assert len(found.svg) < 300_000
    assert 20 < len(found.caption) <= 400
    # The dashed line is the last thing said, whatever there was to say before.
    assert found.caption.endswith("The dashed line is where customers notice.")


def test_the_words_tell_of_fault_and_alert() -> None:
    _, words = panels(episode(rule("Late", (3.5, None)), rule("Quick", (2.25, 3)), temp=NUMERIC))
    assert words == "From 2.0 hours on, temp, carrier are null. Quick fires first, at 2.2 hours."


def test_the_words_tell_of_silence() -> None:
    assert panels(episode(rule("Silent")))[1] == (
        "From 2.0 hours on, temp, carrier are null. No alert tells of it."
    )
    axes, words = panels(episode(rule("Silent"), faults=[]))
    assert words == "Nothing goes wrong here."
    assert [text.get_text() for text in axes[-1].texts] == ["no alert fired"]


def test_the_words_tell_of_false_alarms() -> None:
    seen = episode(rule("Early", (0.5, None), (1, 1.2)), rule("Right", (2.5, None)))
    assert panels(seen)[1].endswith("Right fires first, at 2.5 hours. 2 false alarms (red): Early.")
    quiet = episode(*(rule(f"A{n}", (1, 2)) for n in range(30)), faults=[])
    words = panels(quiet)[1]
    assert "30 false alarms (red)" in words
    assert words.count("A") == NAMED_MAX
    assert words.endswith(f"and {30 - NAMED_MAX} more.")


def test_a_false_alarm_looks_other_than_a_right_one() -> None:
    seen = episode(
        rule("Early", (0.5, 1)), rule("Page", (2.5, None)), rule("Ticket", (2.6, 3), severity="t")
    )
    bars = panels(seen)[0][-1].patches
    lanes = {round(bar.get_y() + bar.get_height() / 2): bar for bar in bars if bar.get_height() < 1}
    assert len({lanes[lane].get_facecolor() for lane in (0, 1, 2)}) == 3
    # From firing to resolved, or to the end of the episode.
    spans = [(lanes[n].get_x(), lanes[n].get_x() + lanes[n].get_width()) for n in range(3)]
    assert spans == [pytest.approx(span) for span in ((0.5, 1), (2.5, 4), (2.6, 3))]


def test_alerts_have_lanes_in_the_order_in_which_they_fired() -> None:
    seen = episode(
        rule("B", (2.5, 3), (3.5, 4)), rule("A", (2.7, 3)), rule("C", (2.1, 3)), rule("S")
    )
    assert [text.get_text() for text in panels(seen)[0][-1].get_yticklabels()] == ["C", "B", "A"]
    many = episode(*(rule(f"A{n}", (2.2, 3)) for n in range(40)))
    assert len(panels(many)[0][-1].get_yticks()) == LANES_MAX


def test_onset_and_customers_noticing_are_where_they_are() -> None:
    def verticals(noticed_s: float | None) -> list[float]:
        axes, _ = panels(episode(temp=NUMERIC), noticed_s=noticed_s)
        return [line.get_xdata()[0] for line in axes[0].lines if list(line.get_ydata()) == [0, 1]]

    assert verticals(3 * HOUR_S) == [2.0, 3.0]
    # After the end there is nothing to notice.
    assert verticals(5 * HOUR_S) == verticals(None) == [2.0]


def test_the_upper_part_shows_what_it_is_given() -> None:
    lines = {"AUC": [0.7] * 8, "by the labels": [0.6] * 8}
    axes, _ = panels(episode(), lines=lines, upper="AUC in a week")
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == list(lines)
    assert axes[0].get_ylabel() == "AUC in a week"


def test_what_a_submission_says_is_text() -> None:
    found = drawn(SHAPES["hostile names"])
    for text in (found.svg, found.caption):
        assert "title\x07" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    # The page escapes captions; a drawing stands in it as it is.
    assert "<script" not in found.svg
    assert "$a_b$ &lt;script&gt;" in found.svg
