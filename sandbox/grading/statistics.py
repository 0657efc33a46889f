"""Statistics that checks of several scenarios use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile with linear interpolation; infinity where there are no values."""
    return float(np.percentile(values, percent)) if len(values) else float("inf")
