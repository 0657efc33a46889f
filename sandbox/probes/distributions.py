"""Probe: do the exported histograms hold what the model was given and what it answered?

The harness knows every row that was answered, so it can say of each bucket how many rows belong
into it, whatever buckets the candidate chose.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.probes import episodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sandbox.episode import Recording
    from sandbox.plan import Stage

VALUES, MISSING, PREDICTIONS = (
    "feature_value_bucket",
    "feature_missing_total",
    "prediction_probability_ratio_bucket",
)
# Bounds are written with fewer digits than values have: both readings of a tie are right.
RELATIVE, ABSOLUTE = 1e-4, 1e-9


def exported(stage: Stage, recording: Recording) -> dict[str, Any]:
    """Exported distributions beside what they should be, at the end of an episode.

    Returns:
        `exported`: with `rows`, how many were answered; `values`, by numeric feature a list of
        buckets `[bound, exported, least, most]` (bound None for +Inf; rows at or below it, as
        exported and as it should be at least and at most); `missing`, by feature `[exported,
        expected]`; `predictions`, like one feature of `values`.
    """
    served = episodes.served(recording)
    answered = ~np.isnan(served)
    champion = stage.champion
    frame = champion.features.build(recording.script.events[answered], champion.spec)
    numeric = [name for name in frame if name not in champion.features.CATEGORICAL]
    # Over further labels counts add up, as they do on a dashboard.
    by_feature: dict[str, dict[float, float]] = {}
    for labels, count in episodes.last_samples(recording, VALUES):
        buckets = by_feature.setdefault(labels.get("feature", ""), {})
        buckets[_bound(labels)] = buckets.get(_bound(labels), 0.0) + count
    missing: dict[str, float] = {}
    for labels, count in episodes.last_samples(recording, MISSING):
        name = labels.get("feature", "")
        missing[name] = missing.get(name, 0.0) + count
    shown: dict[float, float] = {}
    for labels, count in episodes.last_samples(recording, PREDICTIONS):
        shown[_bound(labels)] = shown.get(_bound(labels), 0.0) + count
    predictions = list(shown.items())
    return {
        "exported": {
            "rows": int(answered.sum()),
            "values": {
                name: _beside(
                    list(by_feature.get(name, {}).items()), frame[name].dropna().to_numpy()
                )
                for name in numeric
            },
            "missing": {
                name: [_finite(missing.get(name)), int(frame[name].isna().sum())] for name in frame
            },
            "predictions": _beside(predictions, served[answered]),
        }
    }


def _beside(buckets: list[tuple[float, float]], values: NDArray[np.float64]) -> list[list[Any]]:
    """Buckets in order, each with the least and the most rows that may be at or below its bound."""
    ordered = np.sort(values)
    found = []
    # Nothing is at or below -Inf, nor NaN: neither is a bucket.
    for bound, count in sorted(bucket for bucket in buckets if bucket[0] > -math.inf):
        slack = ABSOLUTE + RELATIVE * abs(bound) if math.isfinite(bound) else 0.0
        least, most = ordered.searchsorted([bound - slack, bound + slack], side="right").tolist()
        found.append([_finite(bound), _finite(count), least, most])
    return found


def _bound(labels: dict[str, str]) -> float:
    try:
        return float(labels.get("le", "nan"))
    except ValueError:
        return math.nan


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
