"""What the scenario promises: every handed-out manifest is reckless, and the healthy one is not.

Manifests are driven without services here: what a query would find is given.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import pytest

from sandbox import overlay, paths, scenario
from sandbox.rollout.analysis import Answer
from sandbox.rollout.controller import begin, step
from sandbox.rollout.manifest import read
from sandbox.rollout.state import Ask, Seen, State

if TYPE_CHECKING:
    from sandbox.rollout.spec import Result

SETTING = scenario.load("reckless_canary")
CHOICES = {name: parameter.choice for name, parameter in SETTING.variant.items()}  # type: ignore[union-attr]
VARIANTS = [dict(zip(CHOICES, each, strict=True)) for each in itertools.product(*CHOICES.values())]
HEALTHY = (paths.HEALTHY / "deploy/rollout.yaml").read_text("utf-8")
# What the handed-out query finds when monitoring sees nothing of the release; where the canary has
# all traffic, the stable replica's counters stand still.
UNSEEN: dict[str, tuple[Result, ...]] = {
    "both_tracks": ([0.0], [math.nan]),
    "zero_on_nothing": ([0.0],),
    "true_on_nothing": ([],),
}
FINE: dict[str, Result] = {"errors": [0.0], "slow-answers": [0.0], "mean-prediction": [0.02]}
TICK_S, WINDOW_S, READY_AFTER_S = 10, 900, 20


def broken(variant: dict[str, str]) -> str:
    path = SETTING.folder / "overlay/deploy/rollout.yaml.j2"
    return overlay.render(path.read_text("utf-8"), variant, SETTING.folder)


def driven(manifest: str, found: dict[str, Result]) -> tuple[State, float]:
    """The rollout after fifteen minutes, and the share of all requests that the release got."""
    state = begin(read(manifest), 0)
    exposed = 0.0
    for now in range(0, WINDOW_S + 1, TICK_S):
        answers: dict[Ask, Answer] = {}
        while True:
            state, actions = step(state, now, Seen(now >= READY_AFTER_S, answers))
            asks = [action for action in actions if isinstance(action, Ask)]
            if not asks:
                break
            answers = {ask: Answer(found[ask.metric]) for ask in asks}
        exposed += 100 if state.outcome == "promoted" else state.weight
    return state, exposed / 100 / (WINDOW_S / TICK_S)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(variant.values()))
def test_every_variant_gives_everybody_everything(variant: dict[str, str]) -> None:
    found: list[Result] = [[0.0], [0.33], *UNSEEN[variant["blind_query"]]]
    for value in found:
        state, exposed = driven(broken(variant), {"error-ratio": value})
        assert state.outcome == "promoted", value
        assert exposed > 0.9


def test_a_variant_leaves_no_trace_of_the_template() -> None:
    for variant in VARIANTS:
        text = broken(variant)
        assert "{%" not in text
        assert "\n\n" not in text
        assert not any(choice in text for choice in variant.values())


def test_the_healthy_manifest_promotes_what_is_good() -> None:
    state, _ = driven(HEALTHY, FINE)
    assert state.outcome == "promoted"
    assert state.events[-1].at_s <= WINDOW_S / 2


@pytest.mark.parametrize(
    "found",
    [{"errors": [0.33]}, {"slow-answers": [0.083]}, {"mean-prediction": [0.1]}]
    + [{metric: value} for metric in FINE for value in ([], [math.nan])],
    ids=str,
)
def test_the_healthy_manifest_aborts_what_is_bad_or_unknown(found: dict[str, Result]) -> None:
    state, exposed = driven(HEALTHY, FINE | found)
    assert state.outcome == "aborted"
    assert exposed < 0.03
