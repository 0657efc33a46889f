"""What every command of the pipeline shares: the result is the last line, as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

DONE = 0
REFUSED = 1
USAGE = 2


def finish(status: int, **result: Any) -> NoReturn:
    """Print the result as one line of JSON and leave with the status."""
    print(json.dumps(result))
    sys.exit(status)


def read_flights(path: Path) -> pd.DataFrame:
    """Labelled flights from a parquet file; leaves with `USAGE` where that cannot be."""
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        finish(USAGE, error=f"expected a parquet file of flights at {path}; saw {error}")


def actor() -> str:
    """Who runs the command, for the record."""
    return os.environ.get("DEPLOYED_BY") or os.environ.get("USER") or "unknown"


def require_registry() -> None:
    """Leave with `USAGE` unless the registry is named: MLflow would quietly make an empty one."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        finish(USAGE, error="expected the registry's address in MLFLOW_TRACKING_URI; saw none")
