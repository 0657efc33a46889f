"""Probe: train with the submission's own pipeline, and make what it registered the champion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from sandbox import flights, registry
from sandbox.errors import SubmissionFault
from sandbox.system.waiting import wait_for
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    import pandas as pd

    from sandbox.plan import Stage

SHIPPED = "1"
_INFINITE = (float("inf"), float("-inf"))
TRAINING_WITHIN_S = 120.0
SWAPPED_WITHIN_S = 20.0
SWAPPED_ASKS = 8


def train(stage: Stage, data: pd.DataFrame) -> dict[str, Any]:
    """Run `pipeline.train` on other data than the workspace's.

    Raises:
        SubmissionFault: it did not end in time, or not with exit status 0.
    """
    path = stage.scratch / "training.parquet"
    flights.write_parquet(data, path)
    done = stage.stack.run_pipeline(
        "pipeline.train", "--data", str(path), timeout_s=TRAINING_WITHIN_S, readable=(path,)
    )
    if done.timed_out or done.status != 0:
        # Ours first: no training can register anything while the registry is away.
        registry.champion_version(stage.stack.registry.url)
        seen = "no end" if done.timed_out else f"exit status {done.status}"
        raise SubmissionFault(
            expected=f"pipeline.train to exit with 0 within {TRAINING_WITHIN_S:g} s",
            seen=f"{seen}: {done.stderr.strip()[-400:]}",
        )
    return {"seconds": done.duration_s, "result": _last_line(done.stdout)}


def promote_newest(stage: Stage) -> dict[str, Any]:
    """Make the newest registered version the champion and wait until the service answers with it.

    Raises:
        SubmissionFault: nothing newer was registered, or the service does not swap.
    """
    url = stage.stack.registry.url
    newest = registry.newest_version(url)
    if newest == SHIPPED:
        raise SubmissionFault(
            expected="pipeline.train to register a new version", seen="only the shipped one"
        )
    registry.point_champion(url, newest)
    answers_with(stage.stack.model.url, newest)
    return {"version": newest}


def answers_with(url: str, version: str) -> None:
    """Wait until a service says that it serves a version.

    Raises:
        SubmissionFault: it does not, in the time that following an alias may take.
    """
    wait_for(
        # Over a new connection each time, several times in a row: a service with several processes
        # has swapped when all of them have.
        lambda: all(_answering(url) == version for _ in range(SWAPPED_ASKS)) or None,
        what=f"/version to say {version} after it became champion",
        within_s=SWAPPED_WITHIN_S,
        fault=SubmissionFault,
    )


def _answering(url: str) -> str:
    answer = Client(url).ask("GET", "/version")
    try:
        return str(json.loads(answer.body)["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _last_line(stdout: str) -> Any:
    """What the command said last, where that is an object of plain JSON values."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    lines = stdout.strip().splitlines()
    try:
        said = json.loads(lines[-1], parse_constant=refuse) if lines else None
    except (ValueError, RecursionError):
        return None
    # Evidence is written as JSON: no nest too deep to write, no number too large to be one.
    values = said.values() if isinstance(said, dict) else [[]]
    return None if any(isinstance(v, dict | list) or v in _INFINITE for v in values) else said
