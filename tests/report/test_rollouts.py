"""Pictures of releases: what is to be seen in them, and how each ended in words."""

from __future__ import annotations

import json
import re
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sandbox import paths
from sandbox.errors import SubmissionFault
from sandbox.report.data import load_pictures
from sandbox.report.interview import read_prompts, select
from sandbox.report.pictures import BAD, BEFORE, GOOD, Picture, picture
from sandbox.report.rollouts import LANES_MAX, ending, lanes, means, passage, percent
from sandbox.rollout.spec import AnalysisRef, Delivery
from sandbox.rollout.state import facts
from tests.report.conftest import verdict
from tests.rollout.driving import delivery, pause, template, watched, weight, world, written

HOSTILE = "$a_b$ <script>x</script> \x1b[2J\x1b]0;title\x07\x00 \u202e \U0001f600"
TICK_S, RELEASED_AT = 10, 6
GRADER = paths.ROOT / "graders" / "reckless_canary"
STEPS = (weight(5), pause(60), weight(50), pause(60))
BESIDE = delivery(*STEPS, background=watched(1))
REFUSED = {
    "problem": "Rollout/x: spec.steps[2]: unknown field\nline 7: not YAML",
    "version": "4",
}


def release(
    given: Delivery = BESIDE, *, until_s: float = 300.0, cut: bool = False, **scripts: str
) -> dict[str, Any]:
    """A release as evidence tells of it: a real rollout, and figures for what customers met."""
    seen = world(given, {name.replace("_", "-"): text for name, text in scripts.items()})
    seen.until(until_s)
    events = [event for event in seen.state.events if event.kind.startswith("Rollout")]
    ends = [e.at_s for e in events if e.kind in ("RolloutAborted", "RolloutCompleted")]
    ticks = RELEASED_AT + 1 + int(until_s // TICK_S)
    there = [tick > RELEASED_AT for tick in range(ticks)]
    stable = {
        "requests": [70] * ticks,
        "failed": [0] * ticks,
        "numberless": [0] * ticks,
        "slow": [0] * ticks,
        "p95_ms": [30.0] * ticks,
        "mean_prediction": [0.25] * ticks,
    }
    canary = {
        "requests": [4 * now for now in there],
        "failed": [0] * ticks,
        "numberless": [1 * now for now in there],
        "slow": [0] * ticks,
        "p95_ms": [30.0 if now else None for now in there],
        "mean_prediction": [0.35 if now else None for now in there],
    }
    content = {
        "problem": "",
        "version": "4",
        "tick_s": TICK_S,
        "ticks": ticks,
        "released_at": RELEASED_AT,
        "outcome": seen.state.outcome,
        "ended_s": ends[0] if ends else None,
        "rollout": facts(seen.state),
        "weights": [list(one) for one in seen.weights()],
        "tracks": {"stable": stable, "canary": canary},
        "exposed": 101,
        "asked": 6_300,
        "cut": cut,
    }
    found: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    return found


def many(number: int, name: str = "m") -> Delivery:
    metrics = [written(f"{name}{n}", interval="10s") for n in range(number)]
    return delivery(*STEPS, background=watched(1), templates=(template("watch", *metrics),))


def panels(seen: dict[str, Any]) -> tuple[list[Any], str]:
    """The axes of the picture, and its words."""
    with mpl.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(8, 4))
        words = passage(figure, seen)
        figure.canvas.draw()
    return figure.axes, words


def drawn(seen: dict[str, Any]) -> Picture:
    return picture("A release", lambda figure: passage(figure, seen))


def emptied(seen: dict[str, Any]) -> dict[str, Any]:
    """Nobody was answered by the release."""
    columns = seen["tracks"]["canary"]
    for name, values in columns.items():
        filler = None if name in ("p95_ms", "mean_prediction") else 0
        columns[name] = [filler] * len(values)
    return seen | {"weights": [], "exposed": 0}


def hostile() -> dict[str, Any]:
    seen = release(latency="f")
    for run in seen["rollout"]["runs"]:
        run["message"] = HOSTILE
        for metric in run["metrics"]:
            metric["metric"]["name"] = HOSTILE
            metric["measurements"][0]["message"] = HOSTILE
    return seen


SHAPES = {
    "promoted": release(),
    "aborted": release(latency="f"),
    "errors": release(latency="e"),
    "inconclusive": release(latency="i"),
    "no runs": release(delivery(*STEPS)),
    "no template": release(delivery(*STEPS, background=watched(), templates=())),
    "waits for ever": release(delivery(weight(5), pause())),
    "cut": release(delivery(weight(100), pause()), cut=True),
    "shipped in the last tick": release(until_s=0),
    "nobody got it": emptied(release()),
    "forty metrics": release(many(40)),
    "hostile names": hostile(),
    "a name beyond all bounds": release(many(3, "x" * 50_000)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn(shape: str) -> None:
    found = drawn(SHAPES[shape])
    assert found.svg, found.caption
    assert len(found.svg) < 300_000
    assert 20 < len(found.caption) <= 500


def test_a_refused_manifest_gives_words_alone() -> None:
    found = drawn(REFUSED)
    assert not found.svg
    assert found.caption == (
        "Not drawn: The manifest was refused: Rollout/x: spec.steps[2]: unknown field "
        "(and 1 more problem)"
    )
    with pytest.raises(SubmissionFault):
        passage(Figure(), REFUSED)


def test_the_words_say_how_it_ended() -> None:
    limit = "failed (1) > failureLimit (0)"
    said = {
        "promoted": "Promoted after 140 s, to everybody; before, it got 1.6 % of the requests.",
        "aborted": f"Aborted after 10 s by latency: {limit}; it got 1.6 % of the requests.",
        "waits for ever": (
            "Neither aborted nor promoted in 300 s: Paused at step 2 of 2 (pause), "
            "CanaryPauseStep; it got 1.6 % of the requests."
        ),
        "cut": (
            "Neither aborted nor promoted when it got 1.6 % of the requests; the rest was not "
            "replayed."
        ),
    }
    seen = {name: ending(SHAPES[name]) for name in said}
    # When exactly is the controller's business, and tested there.
    assert {name: re.sub(r"(?<=after )\d+", "#", text) for name, text in seen.items()} == {
        name: re.sub(r"(?<=after )\d+", "#", text) for name, text in said.items()
    }
    for name in ("promoted", "aborted"):
        assert f"after {SHAPES[name]['ended_s']:.0f} s" in seen[name]


def test_what_aborts_without_a_metric_is_named() -> None:
    unresolved = ending(SHAPES["no template"])
    assert "by the analysis background: " in unresolved
    late = delivery(*STEPS, progress_deadline_s=60.0, progress_deadline_abort=True)
    stuck = world(late, start_up_s=10_000.0).until(200.0)
    seen = release() | {"rollout": json.loads(json.dumps(facts(stuck.state)))}
    seen |= {"outcome": stuck.state.outcome, "ended_s": 60.0}
    assert ending(seen).startswith("Aborted after 60 s by the controller: ReplicaSet ")


def test_a_metric_in_dry_run_is_not_what_aborted() -> None:
    both = template(
        "watch", written("first", interval="10s"), written("second", interval="10s"), dry_run=("f",)
    )
    given = delivery(*STEPS, background=watched(1), templates=(both,))
    assert " by second: failed" in ending(release(given, first="f", second="f"))


def test_the_weights_are_steps_from_nothing() -> None:
    seen = release()
    axes, _ = panels(seen)
    [line] = [line for line in axes[0].lines if len(line.get_xdata()) > 2]
    assert list(line.get_ydata()) == [0, *(p for _, p in seen["weights"]), seen["weights"][-1][1]]
    assert list(line.get_xdata())[1:-1] == [at / 60 for at, _ in seen["weights"]]
    written_beside = [text.get_text() for text in axes[0].texts]
    assert written_beside[:2] == ["5", "50"]


def test_time_is_counted_from_the_shipping() -> None:
    axes, _ = panels(release())
    assert axes[3].get_xlim() == pytest.approx((-1.0, 5.0))
    assert axes[3].get_xlabel() == "minutes since it was shipped"


@pytest.mark.parametrize(("shape", "color"), [("aborted", BAD), ("promoted", GOOD)])
def test_a_line_is_where_it_ended(shape: str, color: str) -> None:
    seen = SHAPES[shape]
    axes, _ = panels(seen)
    for part in axes:
        ends = [line for line in part.lines if list(line.get_xdata()) == [seen["ended_s"] / 60] * 2]
        assert [line.get_color() for line in ends] == [color]


@pytest.mark.parametrize("shape", ["waits for ever", "cut"])
def test_what_has_not_ended_has_no_such_line(shape: str) -> None:
    axes, _ = panels(SHAPES[shape])
    lines = [line for line in axes[1].lines if list(line.get_ydata()) == [0, 1]]
    assert [list(line.get_xdata()) for line in lines] == [[0, 0]]


def test_shares_show_what_happened_to_a_track_and_nothing_else() -> None:
    axes, _ = panels(release())
    assert [text.get_text() for text in axes[1].get_legend().get_texts()] == [
        "canary without numbers"
    ]
    quiet = emptied(release())
    axes, _ = panels(quiet)
    assert axes[1].get_legend() is None
    assert "none failed" in axes[1].texts[0].get_text()


def test_shares_are_of_the_requests_of_the_tick_or_the_minute() -> None:
    columns = {"requests": [0, 4, 2, 0, 2], "failed": [0, 1, 2, 0, 0]}
    nan = float("nan")
    expected = [nan, 25, 100, nan, 0]
    np.testing.assert_allclose(percent(columns, "failed", 1), expected)
    np.testing.assert_allclose(percent(columns, "failed", 3), [nan, 25, 50, nan, 50])
    # What the client saw may be counted a tick before the router counts it.
    assert percent({"requests": [1], "failed": [3]}, "failed", 1).tolist() == [100]


def test_means_have_the_weight_of_their_requests() -> None:
    columns = {"requests": [3, 1, 2], "mean_prediction": [0.2, 0.4, None]}
    np.testing.assert_allclose(means(columns, 1), [0.2, 0.4, float("nan")])
    np.testing.assert_allclose(means(columns, 3), [0.2, 0.25, float("nan")])


def test_the_canary_s_mean_is_beside_the_stable_one_s() -> None:
    axes, _ = panels(release())
    by_name = {line.get_label(): line for line in axes[2].lines}
    assert np.nanmax(by_name["canary"].get_ydata()) == pytest.approx(0.35)
    assert np.nanmin(by_name["stable"].get_ydata()) == pytest.approx(0.25)


def test_each_measurement_has_a_mark_in_the_colour_of_its_verdict() -> None:
    given = delivery(
        *STEPS,
        background=watched(1),
        templates=(
            template(
                "watch",
                written("a", interval="10s", failureLimit=9),
                written("b", interval="10s", inconclusiveLimit=9),
                dry_run=("b",),
            ),
        ),
    )
    seen = release(given, a="sfe", b="i")
    axes, _ = panels(seen)
    marks = axes[3].collections
    taken = [
        m for run in seen["rollout"]["runs"] for x in run["metrics"] for m in x["measurements"]
    ]
    assert sum(len(one.get_offsets()) for one in marks) == len(taken) > 10
    assert {to_hex(one.get_edgecolor()[0]) for one in marks} == {GOOD, BAD, BEFORE}
    # What decides nothing is hollow.
    hollow = [one for one in marks if not len(one.get_facecolor())]
    assert {y for one in hollow for _, y in one.get_offsets()} == {1}
    legend = {text.get_text() for text in axes[3].get_legend().get_texts()}
    assert legend == {"Successful", "Failed", "Error", "Inconclusive, dry run"}


def test_one_metric_of_two_runs_has_one_lane() -> None:
    check = template("check", written("errors", interval="10s", count=2))
    inline = AnalysisRef(("check",))
    given = delivery(weight(5), inline, weight(50), inline, templates=(check,))
    seen = release(given)
    assert len(seen["rollout"]["runs"]) == 2
    [(name, marks)] = lanes(seen["rollout"]).items()
    assert (name, len(marks)) == ("errors", 4)


def test_a_run_that_makes_no_sense_has_a_lane_with_its_error() -> None:
    [(name, [mark])] = lanes(SHAPES["no template"]["rollout"]).items()
    assert (name, mark.phase) == ("background", "Error")


def test_of_many_metrics_those_are_drawn_that_found_something() -> None:
    axes, words = panels(release(many(40), m33="f"))
    names = [text.get_text() for text in axes[3].get_yticklabels()]
    assert len(names) == LANES_MAX
    assert "m33" in names
    assert words.endswith(f"Of 40 metrics, {40 - LANES_MAX} are not drawn.")


def test_what_a_submission_says_is_text() -> None:
    found = drawn(SHAPES["hostile names"])
    for text in (found.svg, found.caption):
        assert "title\x07" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "<script" not in found.svg
    assert "$a_b$ &lt;script&gt;" in found.svg


# -- the grader's files


STEPS_OF_PLAN = (
    "good_release",
    "unseen_release",
    "erring_release",
    "slow_release",
    "release_without_scores",
    "shifted_release",
)
CHECKS = (
    "erring_releases_are_aborted",
    "slow_releases_are_aborted",
    "releases_without_scores_are_aborted",
    "shifted_releases_are_aborted",
    "releases_that_nobody_sees_are_aborted",
    "good_releases_reach_everybody",
    "diagnosis_names_the_faults",
)


def test_the_grader_draws_each_release() -> None:
    evidence = dict.fromkeys(STEPS_OF_PLAN, SHAPES["aborted"]) | {"slow_release": REFUSED}
    found = load_pictures(GRADER / "pictures.py").pictures(evidence)
    assert len(found) == len(STEPS_OF_PLAN) == len({one.title for one in found})
    assert [bool(one.svg) for one in found].count(False) == 1
    assert found[0].caption == ending(SHAPES["aborted"])


def test_the_grader_asks_about_each_check() -> None:
    prompts = read_prompts(GRADER / "interview.yaml")
    failed = select(prompts, [verdict(name, 10, 0) for name in CHECKS])
    assert {question.check for question in failed} == set(CHECKS)
    best = select(prompts, [verdict(name, 10, 1) for name in CHECKS])
    assert 3 <= len(best) <= 6
