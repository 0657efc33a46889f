"""Parity by row: which of three skews are still in what a service answered?

The references are made up so that it is known in which rows each skew shows: the loud one in every
row, the middle one in the first 80, the faint one in the first 10 and the last 10 of 100.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.grading.parity import (
    NONE,
    ROWS_EQUAL_MIN,
    TOLERANCE,
    explained,
    rows_equal,
    share_equal,
    share_without,
)

ROWS = 100
TIERS = ("loud", "middle", "faint")
SUBSETS = [subset for size in range(4) for subset in itertools.combinations(TIERS, size)]
row = np.arange(ROWS)
SHOWS = {
    "loud": np.ones(ROWS, dtype=bool),
    "middle": row < 80,
    "faint": (row < 10) | (row >= 90),
}
MOVES = {"loud": 0.2, "middle": 0.05, "faint": 0.003}


def name_of(subset: tuple[str, ...]) -> str:
    return "+".join(subset) or NONE


def predicted(subset: tuple[str, ...]) -> list[float]:
    base = 0.1 + row / 1000
    return (base + sum(MOVES[skew] * SHOWS[skew] for skew in subset)).tolist()


REFERENCES = {name_of(subset): predicted(subset) for subset in SUBSETS}
Served = list[float | None]


def shares(served: Served) -> list[float]:
    return [share_without(served, REFERENCES, tier) for tier in TIERS]


# -- rows


def test_rows_are_equal_within_the_tolerance_and_no_more() -> None:
    served = [0.5, 0.5 + 0.9 * TOLERANCE, 0.5 - 0.9 * TOLERANCE, 0.5 + 1.1 * TOLERANCE, 0.4]
    assert rows_equal(served, [0.5] * 5).tolist() == [True, True, True, False, False]


def test_a_row_without_a_prediction_equals_nothing() -> None:
    assert rows_equal([None, float("nan"), 0.5], [0.5] * 3).tolist() == [False, False, True]
    assert rows_equal([None, 0.5], [float("nan")] * 2).tolist() == [False, False]


def test_share_equal_is_against_no_skew() -> None:
    assert share_equal(REFERENCES[NONE], REFERENCES) == 1
    assert share_equal(REFERENCES["loud"], REFERENCES) == 0
    assert share_equal(REFERENCES["middle"], REFERENCES) == pytest.approx(0.2)
    assert share_equal(REFERENCES["faint"], REFERENCES) == pytest.approx(0.8)
    assert share_equal([None] * ROWS, REFERENCES) == 0
    half: Served = [*REFERENCES[NONE][:50], *[None] * 50]
    assert share_equal(half, REFERENCES) == pytest.approx(0.5)


# -- skews


@pytest.mark.parametrize("left", SUBSETS, ids=name_of)
def test_exactly_the_skews_that_are_mended_are_gone(left: tuple[str, ...]) -> None:
    served = REFERENCES[name_of(left)]
    assert shares(list(served)) == [0.0 if tier in left else 1.0 for tier in TIERS]


@pytest.mark.parametrize("order", [TIERS, TIERS[::-1]])
def test_names_of_subsets_may_be_in_any_order(order: tuple[str, ...]) -> None:
    turned = {
        name_of(tuple(tier for tier in order if tier in subset)): predicted(subset)
        for subset in reversed(SUBSETS)
    }
    assert share_without(predicted(("faint",)), turned, "faint") == 0
    assert share_without(predicted(("faint",)), turned, "loud") == 1


@pytest.mark.parametrize("constant", [0.0, 0.25, 0.2, 1.0])
def test_a_constant_earns_next_to_nothing(constant: float) -> None:
    # It may hit some reference in a row by chance.
    assert max(shares([constant] * ROWS)) <= 0.1


@pytest.mark.parametrize("served", [[None] * ROWS, [float("nan")] * ROWS])
def test_no_answers_earn_nothing(served: Served) -> None:
    assert shares(served) == [0, 0, 0]


def test_a_skew_counts_only_where_it_shows() -> None:
    # Right in the rows in which the faint skew does not show, and skewed where it does.
    assert shares(list(REFERENCES["faint"])) == [1, 1, 0]
    assert np.mean(rows_equal(REFERENCES["faint"], REFERENCES[NONE])) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(row < 10, 0.5), (row >= 95, 0.25), ((row >= 10) & (row < 90), 0.0), (row < 0, 0.0)],
)
def test_a_skew_mended_in_some_rows_is_gone_from_these(rows: np.ndarray, expected: float) -> None:
    served = np.where(rows, REFERENCES[NONE], REFERENCES["faint"]).tolist()
    assert share_without(served, REFERENCES, "faint") == pytest.approx(expected)
    assert share_without(served, REFERENCES, "loud") == 1


def test_rows_without_an_answer_keep_every_skew() -> None:
    served: Served = [None, None, *REFERENCES[NONE][2:]]
    assert shares(served) == pytest.approx([0.98, 1 - 2 / 80, 1 - 2 / 20])


def test_nearly_right_is_wrong() -> None:
    served = [value + 2 * TOLERANCE for value in REFERENCES[NONE]]
    assert shares(served) == [0, 0, 0]
    assert share_equal(served, REFERENCES) == 0


def test_a_few_rows_of_rounding_do_not_matter() -> None:
    thousand = {name: list(values) * 10 for name, values in REFERENCES.items()}
    served = [value + 1e-3 if n < 4 else value for n, value in enumerate(thousand[NONE])]
    assert share_without(served, thousand, "loud") >= ROWS_EQUAL_MIN
    served = [value + 1e-3 if n < 8 else value for n, value in enumerate(thousand[NONE])]
    assert share_without(served, thousand, "loud") < ROWS_EQUAL_MIN


# -- explained


def test_what_any_subset_predicts_is_explained() -> None:
    mixed = [REFERENCES[name][n] for n, name in zip(row, itertools.cycle(REFERENCES), strict=False)]
    assert explained(mixed, REFERENCES).all()
    assert explained(mixed, REFERENCES).shape == (ROWS,)


def test_what_none_predicts_is_not() -> None:
    served: Served = [None, float("nan"), 0.99, *REFERENCES["loud"][3:]]
    assert explained(served, REFERENCES).tolist() == [False] * 3 + [True] * (ROWS - 3)


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), min_size=ROWS, max_size=ROWS))
def test_shares_are_shares_whatever_is_served(served: Served) -> None:
    assert all(0 <= share <= 1 for share in [*shares(served), share_equal(served, REFERENCES)])
