"""Statistics that checks use."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sandbox.grading.statistics import auc, percentile, slowdown


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([1.0], 95, 1.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.5),
        ([4.0, 1.0, 3.0, 2.0], 0, 1.0),
        ([4.0, 1.0, 3.0, 2.0], 100, 4.0),
        (list(range(101)), 95, 95.0),
        ([0.0] * 95 + [10.0] * 5, 95, 0.5),
    ],
)
def test_percentile(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


def test_the_best_round_counts() -> None:
    rounds = [(30.0, 10.0), (24.0, 10.0), (500.0, 100.0)]
    named = [{"submitted": submitted, "pristine": pristine} for submitted, pristine in rounds]
    assert slowdown(named) == pytest.approx(2.4)


def test_no_values_are_worse_than_any() -> None:
    # A service that answered nothing is not quick.
    assert percentile([], 95) == math.inf


@pytest.mark.parametrize(
    ("late", "predictions", "expected"),
    [
        ([0, 1], [0.1, 0.9], 1.0),
        ([1, 0], [0.1, 0.9], 0.0),
        ([0, 1], [0.5, 0.5], 0.5),
        ([0, 1, 0, 1], [0.1, 0.4, 0.35, 0.8], 1.0),
        ([0, 1, 1, 0], [0.1, 0.4, 0.35, 0.8], 0.5),
    ],
)
def test_auc(late: list[float], predictions: list[float], expected: float) -> None:
    assert auc(late, predictions) == pytest.approx(expected)


def test_auc_is_the_usual_one_also_with_ties() -> None:
    random = np.random.default_rng(3)
    late = (random.random(500) < 0.3).astype(float)
    for predictions in (random.random(500), np.round(random.random(500) + late / 3, 1)):
        assert auc(late, predictions) == pytest.approx(roc_auc_score(late, predictions))


@pytest.mark.parametrize("late", [[], [0.0, 0.0], [1.0, 1.0]])
def test_auc_of_one_kind_is_not_a_number(late: list[float]) -> None:
    assert math.isnan(auc(late, [0.5] * len(late)))
