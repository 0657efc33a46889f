"""Sequences of answers: parts of them, which versions answered, and what customers noticed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.grading.sequences import (
    failures,
    in_words,
    noticed,
    part,
    requests,
    untruths,
    versions,
)


def run(version: str, count: int, said: str | None = None, problem: str = "") -> dict[str, Any]:
    said = version if said is None else said
    return {"version": version, "said": said, "problem": problem, "requests": count}


DOWN = run("", 3, problem="status 503")
RUNS = [run("2", 10), DOWN, run("1", 7)]


def test_a_part_counts_requests() -> None:
    assert part(RUNS, 0) == RUNS
    assert part(RUNS, 8, 12) == [run("2", 2), {**DOWN, "requests": 2}]
    assert part(RUNS, 13) == [run("1", 7)]
    assert part(RUNS, 4, 4) == part(RUNS, 20) == part([], 0) == []


@given(
    counts=st.lists(st.integers(1, 9), max_size=6),
    cuts=st.lists(st.integers(0, 60), min_size=1, max_size=4),
)
def test_parts_next_to_each_other_are_the_whole(counts: list[int], cuts: list[int]) -> None:
    runs = [run(str(number % 3 + 1), count) for number, count in enumerate(counts)]
    edges = [0, *sorted(cuts), 10_000]
    parts = [part(runs, start, end) for start, end in itertools.pairwise(edges)]
    assert sum(map(requests, parts)) == sum(counts)
    assert [r["version"] for r in runs for _ in range(r["requests"])] == [
        r["version"] for piece in parts for r in piece for _ in range(r["requests"])
    ]


def test_versions_are_named_once_for_each_change() -> None:
    assert versions(RUNS) == ["2", "1"]
    assert versions([run("2", 1), DOWN, run("2", 1, said="1")]) == ["2"]
    assert versions([run("2", 1), run("1", 1), run("2", 1)]) == ["2", "1", "2"]
    assert versions([DOWN]) == []


def test_failures_tell_of_the_first() -> None:
    assert failures(RUNS) == (3, "status 503")
    assert failures([run("1", 4)]) == (0, "")
    other = run("", 1, problem="predictions of no version")
    assert failures([other, DOWN]) == (4, "predictions of no version")


def test_untrue_claims_are_counted_where_somebody_answered() -> None:
    assert untruths([run("2", 5, said="1"), run("2", 5), run("", 9, said="1")]) == 5
    assert untruths([run("2", 5, said="")]) == 5


@pytest.mark.parametrize(
    ("runs", "allowed", "said"),
    [
        ([run("2", 5), run("1", 5)], [["2", "1"]], ""),
        ([run("2", 5), run("1", 5, said="2"), run("1", 5)], [["2", "1"]], ""),
        ([run("2", 5), run("3", 1), run("1", 5)], [["2", "1"], ["2", "3", "1"]], ""),
        (RUNS, [["2", "1"]], "3 of 20 requests failed, the first: status 503"),
        ([run("2", 5)], [["2", "1"]], "answered by version 2"),
        (
            [run("2", 5), run("1", 1), run("2", 5), run("1", 5)],
            [["2", "1"]],
            "answered by version 2, then 1, then 2, then 1",
        ),
        ([], [["1"]], "answered by version none"),
    ],
)
def test_what_customers_noticed(
    runs: list[dict[str, Any]], allowed: list[list[str]], said: str
) -> None:
    assert noticed(runs, *allowed) == said


def test_in_words() -> None:
    assert in_words(RUNS) == "10 by version 2, 3 failed (status 503), 7 by version 1"
    assert in_words([run("1", 2), run("1", 3, said="9")]) == "5 by version 1"
    assert in_words([]) == "no requests"
