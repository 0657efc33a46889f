"""Histograms: which are right, which are too coarse to be of use, and what is said of them."""

from __future__ import annotations

from sandbox.grading.histograms import BUCKETS_MIN, fault_of, lumped


def test_a_histogram_that_is_not_there_is_said_to_be_missing() -> None:
    assert fault_of([], 1_000, BUCKETS_MIN) == "not exported"
    assert lumped([[], []]) == ""


def test_a_histogram_that_tells_hardly_any_two_values_apart_is_no_histogram() -> None:
    day = [[0.5, 950.0, 950, 950], [1.0, 980.0, 980, 980], [None, 1000.0, 1000, 1000]]
    spread = [[0.5, 500.0, 500, 500], [1.0, 980.0, 980, 980], [None, 1000.0, 1000, 1000]]
    assert lumped([day, day]) == "95% of the values are in one bucket"
    assert lumped([day, spread]) == ""
