"""Statistics that checks of several scenarios use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def auc(late: Sequence[float], predictions: Sequence[float]) -> float:
    """Area under the ROC curve from the rank sum (Mann-Whitney U), ties counting half.

    Args:
        late: 1.0 for positives, 0.0 for negatives; shape (rows,).
        predictions: higher means more likely positive; shape (rows,).

    Returns:
        0-1; NaN unless both classes occur.
    """
    positive = np.asarray(late) > 0.5  # noqa: PLR2004 - between the two labels
    values, inverse, counts = np.unique(predictions, return_inverse=True, return_counts=True)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    ranks = mean_rank[inverse] if len(values) else np.array([])
    u = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(u / (positives * negatives))


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile with linear interpolation; infinity where there are no values."""
    return float(np.percentile(values, percent)) if len(values) else float("inf")


def slowdown(rounds: Sequence[Mapping[str, float]]) -> float:
    """How many times as long as the handed-out service the submission takes, in the best round.

    Args:
        rounds: what `sandbox.probes.timing` gives: for each, `submitted` and `pristine` in the same
            unit.
    """
    return min(each["submitted"] / each["pristine"] for each in rounds)
