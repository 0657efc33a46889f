"""Probe: roll back while customers ask, and see who answered each of them.

Which version answered is read from the predictions, by the harness's own copies of the models: a
header can claim anything. Nothing here is judged by its duration; time only limits waiting.
"""

from __future__ import annotations

import ast
import contextlib
import json
import threading
import time
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import yaml

from sandbox import boosters, flights, models, registry
from sandbox.errors import HarnessFault, SandboxError
from sandbox.models import Kind
from sandbox.references import Reference
from sandbox.system.waiting import wait_for
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import pandas as pd
    from numpy.typing import NDArray

    from sandbox.stack import Stack
    from sandbox.traffic.client import Exchange

ROWS_PER_REQUEST = 8
DIFFERENT_REQUESTS = 40
# Twenty-five requests a second see every gap that a restart or a reload leaves, and leave the
# processors to the service.
PAUSE_S = 0.04
TOLERANCE = 1e-6
# The ticket's thirty seconds, and time for the command to start on a busy machine.
COMMAND_WITHIN_S = 45.0
TAIL_CHARACTERS = 400
ASK_EVERY_S = 0.2
# The tags of a record.
RECORD = {"champion.by", "champion.at", "champion.why", "champion.previous"}
# Kinds that are a booster and nothing else.
_OWN_BOOSTER = (Kind.GOOD, Kind.BETTER, Kind.WRONG_AIRPORT)
# Kinds that predict what version 1 predicts.
_AS_FIRST = (Kind.SLOW, Kind.SLOW_TO_LOAD)


def reference(
    kind: Kind, first: Reference, airport: str = "LGA", folder: Path | None = None
) -> Reference:
    """A release as the harness holds it.

    Args:
        kind: of the release.
        first: version 1.
        airport: as for `models.register`.
        folder: where its artifacts are; in the catalogue unless given.

    Raises:
        HarnessFault: what it predicts is not known here.
    """
    if kind in _AS_FIRST:
        return first
    if kind not in {*_OWN_BOOSTER, Kind.SHIFTED}:
        known = (*_AS_FIRST, *_OWN_BOOSTER, Kind.SHIFTED)
        raise HarnessFault(expected=f"one of {', '.join(known)}", seen=kind)
    folder = folder or models.release_folder(kind, airport)
    if kind == Kind.SHIFTED:
        return replace(first, booster=_shifted(folder))
    metadata = yaml.safe_load((folder / "MLmodel").read_text("utf-8"))["metadata"]
    return Reference(
        features=first.features,
        spec=first.features.FeatureSpec.from_dict(metadata["features"]),
        booster=boosters.read(folder / "model.lgb"),
    )


@dataclass(frozen=True)
class _Calibrated:
    """The release that is shifted."""

    booster: boosters.Predictor
    said: Sequence[float]
    answered: Sequence[float]

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """What the booster says, moved."""
        said = self.booster.predict(frame)
        return np.asarray(np.interp(said, self.said, self.answered), dtype="float64")


def _shifted(folder: Path) -> _Calibrated:
    # Its code is beside its booster. Running it would import MLflow, which takes a second.
    points = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse((folder / "model.py").read_text("utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    booster = boosters.read(folder / "artifacts" / "model.lgb")
    return _Calibrated(booster, points["SAID"], points["ANSWERED"])


@dataclass(frozen=True)
class Questions:
    """What is asked over and over, and what each version says to it.

    Args:
        bodies: requests of `ROWS_PER_REQUEST` flights.
        answers: predictions by version, shape (requests, rows).
    """

    bodies: Sequence[bytes]
    answers: Mapping[str, NDArray[np.float64]]

    @classmethod
    def about(cls, rows: pd.DataFrame, versions: Mapping[str, Reference]) -> Questions:
        """Questions about some flights.

        Raises:
            HarnessFault: two versions cannot be told apart in every request.
        """
        size = len(rows) // ROWS_PER_REQUEST * ROWS_PER_REQUEST
        records = flights.records(rows.head(size))
        bodies = [
            json.dumps({"dataframe_records": records[start : start + ROWS_PER_REQUEST]}).encode()
            for start in range(0, size, ROWS_PER_REQUEST)
        ]
        answers = {
            version: held.predict(rows.head(size)).reshape(-1, ROWS_PER_REQUEST)
            for version, held in versions.items()
        }
        for one, other in ((a, b) for a in answers for b in answers if a < b):
            alike = (np.abs(answers[one] - answers[other]) <= TOLERANCE).all(axis=1)
            if alike.any():
                raise HarnessFault(
                    expected=f"versions {one} and {other} to differ in every request",
                    seen=f"{alike.sum()} requests to which they say the same",
                )
        return cls(bodies, answers)

    def version(self, number: int, predictions: Sequence[float]) -> str:
        """Which version gives these predictions to a question; empty where none does."""
        given = np.asarray(predictions)
        place = number % len(self.bodies)
        for version, answers in self.answers.items():
            if (np.abs(given - answers[place]) <= TOLERANCE).all():
                return version
        return ""


class Traffic:
    """Customers who ask one question after the other, as long as the block lasts.

    Args:
        url: of the service.
        questions: what they ask.
    """

    def __init__(self, url: str, questions: Questions) -> None:
        self._client = Client(url)
        self._questions = questions
        self._exchanges: list[Exchange] = []
        self._begun = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="customers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def begun(self) -> int:
        """How many requests were sent so far. A mark: whatever is sent later has a higher place."""
        return self._begun

    def watch(self, seconds: float) -> None:
        """Let customers ask for a while."""
        self._over.wait(seconds)

    def answering(self) -> str:
        """The version that gave the last answer; empty where that was no version's."""
        done = len(self._exchanges)
        return self._label(done - 1) if done else ""

    def sees(self, version: str, within_s: float) -> bool:
        """Whether a version answers, waiting a while for it."""
        deadline = time.monotonic() + within_s
        while self.answering() != version:
            if time.monotonic() >= deadline:
                return False
            self.watch(PAUSE_S)
        return True

    def runs(self) -> list[dict[str, Any]]:
        """Who answered, as `grading.sequences` reads it."""
        seen = [
            (self._label(number), exchange.version, self._problem(number))
            for number, exchange in enumerate(list(self._exchanges))
        ]
        return [
            {"version": version, "said": said, "problem": problem, "requests": len(list(same))}
            for (version, said, problem), same in groupby(seen)
        ]

    def _label(self, number: int) -> str:
        predictions = self._exchanges[number].predictions
        return self._questions.version(number, predictions) if predictions else ""

    def _problem(self, number: int) -> str:
        exchange = self._exchanges[number]
        if exchange.predictions is None:
            return exchange.problem
        return "" if self._label(number) else "predictions of no version"

    def _ask(self) -> None:
        while not self._over.is_set():
            body = self._questions.bodies[self._begun % len(self._questions.bodies)]
            self._begun += 1
            self._exchanges.append(self._client.score_body(body, ROWS_PER_REQUEST))
            self._over.wait(PAUSE_S)


def command(
    stack: Stack, traffic: Traffic, module: str, *arguments: str, by: str, within_s: float
) -> dict[str, Any]:
    """Run a command of the pipeline while customers ask.

    Returns:
        `status`, None where it did not end in time; `began` and `ended`, seconds since the epoch;
        `first` and `last`: the marks around it; `tail` of what it printed.
    """
    began, first = time.time(), traffic.begun
    done = stack.run_pipeline(
        module,
        *arguments,
        timeout_s=within_s,
        environment={"SERVICE_URL": stack.model.url, "DEPLOYED_BY": by},
    )
    said = f"{done.stdout.strip()}\n{done.stderr.strip()}".strip()
    return {
        "status": done.status,
        "began": began,
        "ended": time.time(),
        "first": first,
        "last": traffic.begun,
        "tail": said[-TAIL_CHARACTERS:],
    }


def rollback(stack: Stack, traffic: Traffic, to: str, *, by: str, why: str) -> dict[str, Any]:
    """Run `pipeline.rollback`; what comes back is that of `command`, with `to`, `by` and `why`."""
    seen = command(
        stack,
        traffic,
        "pipeline.rollback",
        *("--to", to, "--why", why),
        by=by,
        within_s=COMMAND_WITHIN_S,
    )
    return {**seen, "to": to, "by": by, "why": why}


def told(url: str) -> str:
    """The version that `GET /version` tells of; empty where it tells of none."""
    answer = Client(url).ask("GET", "/version")
    try:
        return str(json.loads(answer.body)["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def wait_for_record(url: str, version: str, by: str, within_s: float) -> dict[str, Any]:
    """Wait until the registry has somebody's record of a version; whatever it says by then."""
    seen: dict[str, Any] = {}

    def there() -> bool | None:
        seen.update(registry.entries(url))
        tags = seen["tags"].get(version, {})
        whole = tags.get("champion.by") == by and set(tags) >= RECORD
        return (whole and seen["champion"] == version) or None

    with contextlib.suppress(_TooLateError):
        wait_for(
            there, what="the record", within_s=within_s, poll_s=ASK_EVERY_S, fault=_TooLateError
        )
    return seen


class _TooLateError(SandboxError):
    """What was waited for is not there. What is there is of interest all the same."""
