"""Parity judged row by row: which skews are still in the predictions that a service gave?

A skewed service is one of few: for every subset of the skews that a variant has, the harness knows
what each row would be predicted. A skew is gone from a row when what was served equals the
prediction under some subset without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Two predictions are equal within this, absolutely.
TOLERANCE = 1e-6
# Rows that may differ for reasons of arithmetic: a value that another order of operations puts on
# the other side of a tree's threshold.
ROWS_EQUAL_MIN = 0.995
NONE = "none"


def rows_equal(served: Sequence[float | None], reference: Sequence[float]) -> NDArray[np.bool_]:
    """By row: whether the prediction is there and equals the reference; shape (rows,)."""
    given = np.array([np.nan if value is None else value for value in served], dtype="float64")
    distance: NDArray[np.float64] = np.abs(given - np.asarray(reference, dtype="float64"))
    equal: NDArray[np.bool_] = distance <= TOLERANCE
    return equal


def share_equal(served: Sequence[float | None], references: Mapping[str, Sequence[float]]) -> float:
    """Share of rows that equal the reference without any skew."""
    return float(rows_equal(served, references[NONE]).mean())


def share_without(
    served: Sequence[float | None], references: Mapping[str, Sequence[float]], skew: str
) -> float:
    """Share of rows from which a skew is gone, among the rows in which it would show.

    Args:
        served: a prediction a row, None where there was no usable one.
        references: predictions by subset, named `none` or `loud+faint`; all subsets are there.
        skew: the name of one skew.
    """
    without = {name for name in references if skew not in name.split("+")}
    gone = np.zeros(len(served), dtype=bool)
    shows = np.zeros(len(served), dtype=bool)
    for name in without:
        gone |= rows_equal(served, references[name])
        shows |= ~rows_equal(references[_with(name, skew, references)], references[name])
    return float(gone[shows].mean())


def explained(
    served: Sequence[float | None], references: Mapping[str, Sequence[float]]
) -> NDArray[np.bool_]:
    """By row: whether the prediction equals the reference under any subset; shape (rows,)."""
    by_subset = [rows_equal(served, reference) for reference in references.values()]
    return np.any(by_subset, axis=0)  # type: ignore[no-any-return]


def _with(name: str, skew: str, references: Mapping[str, Sequence[float]]) -> str:
    wanted = {*name.split("+"), skew} - {NONE}
    return next(other for other in references if set(other.split("+")) == wanted)
