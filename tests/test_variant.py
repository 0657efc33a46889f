"""What a seed chooses: the same every time, and everything that may be chosen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sandbox import scenario
from sandbox.scenario import Choice, Range
from sandbox.variant import choose

if TYPE_CHECKING:
    from sandbox.scenario import Scenario

SHIPPED = scenario.load("skewed_preprocessing")
SEEDS = [f"seed {number}" for number in range(400)]


def varying(**parameters: Choice | Range) -> Scenario:
    return SHIPPED.model_copy(update={"variant": parameters})


def test_a_seed_chooses_the_same_every_time() -> None:
    for seed in SEEDS[:50]:
        assert choose(SHIPPED, seed) == choose(scenario.load(SHIPPED.name), seed)


def test_a_seed_chooses_the_same_in_every_release() -> None:
    # A candidate's workspace is made today and graded after the next release.
    assert choose(SHIPPED, "7").parameters == {
        "loud_skew": "utc_hour",
        "middle_skew": "temp_fahrenheit",
        "faint_skew": "missing_zero",
    }


def test_a_further_parameter_leaves_the_others_alone() -> None:
    more = varying(first=Range(low=0, high=9), **SHIPPED.variant, last=Choice(choice=("x", "y")))
    for seed in SEEDS[:50]:
        before, after = choose(SHIPPED, seed).parameters, choose(more, seed).parameters
        assert {name: after[name] for name in before} == before


def test_the_order_of_parameters_does_not_matter() -> None:
    turned = varying(**dict(reversed(SHIPPED.variant.items())))
    assert all(choose(SHIPPED, s).parameters == choose(turned, s).parameters for s in SEEDS[:50])


@pytest.mark.parametrize("name", scenario.names())
def test_every_choice_is_reached_about_equally_often(name: str) -> None:
    loaded = scenario.load(name)
    drawn = [choose(loaded, seed).parameters for seed in SEEDS]
    for parameter, space in loaded.variant.items():
        times = Counter(parameters[parameter] for parameters in drawn)
        wanted = (
            set(space.choice)
            if isinstance(space, Choice)
            else set(range(space.low, space.high + 1))
        )
        assert wanted <= set(times)
        assert min(times.values()) > len(SEEDS) / len(times) / 2


def test_parameters_are_drawn_independently() -> None:
    drawn = {tuple(choose(SHIPPED, seed).parameters.values()) for seed in SEEDS}
    variants = 1
    for space in SHIPPED.variant.values():
        assert isinstance(space, Choice)
        variants *= len(space.choice)
    assert len(drawn) > 0.95 * variants


def test_both_ends_of_a_range_are_in_it() -> None:
    ranged = varying(day=Range(low=-1, high=2), one=Range(low=5, high=5))
    assert {choose(ranged, seed).parameters["day"] for seed in SEEDS} == {-1, 0, 1, 2}
    assert {choose(ranged, seed).parameters["one"] for seed in SEEDS} == {5}


def test_numbers_differ_by_purpose_seed_and_scenario() -> None:
    other = SHIPPED.model_copy(update={"name": "other"})
    chosen = choose(SHIPPED, "7")
    numbers = [
        chosen.number("rows"),
        chosen.number("weeks"),
        choose(SHIPPED, "8").number("rows"),
        choose(other, "7").number("rows"),
    ]
    assert len(set(numbers)) == 4
    assert all(0 <= number < 2**32 for number in numbers)
    assert choose(SHIPPED, "7").number("rows") == numbers[0]


def test_a_seed_is_any_text() -> None:
    assert choose(SHIPPED, "").parameters.keys() == choose(SHIPPED, "ß\0\n").parameters.keys()
