"""The harness's LightGBM, which one thread at a time may enter.

LightGBM has one number of threads for the whole process. Training sets it to one, a prediction
beside it sets it back, and rows are then pushed by two threads into buffers that were made for one
(`SparseBin::push_buffers_`, 4.7): the process dies, and with it the grade. Calls wait for each
other here, and take one thread, which beside running services is no slower than several.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import lightgbm
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

_ALONE = threading.Lock()


class Predictor(Protocol):
    """A model of features."""

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """One probability a row of features; shape (rows,)."""


@dataclass(frozen=True)
class Booster:
    """A LightGBM model that threads may share.

    Args:
        held: LightGBM's own; nobody else calls it.
    """

    held: lightgbm.Booster

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """One probability a row of features; shape (rows,)."""
        with _ALONE:
            return np.asarray(self.held.predict(frame, num_threads=1), dtype="float64")


def read(path: Path) -> Booster:
    """A model as LightGBM writes it."""
    with _ALONE:
        return Booster(lightgbm.Booster(model_file=path))


def trained(train: Callable[[], lightgbm.Booster]) -> Booster:
    """What a function trains, while nothing else here predicts."""
    with _ALONE:
        return Booster(train())
