"""Probe: replay one episode on a fresh replica of the submission, and see which alerts fire.

Every episode has a replica and a Prometheus of its own, so that nothing of one shows in another.
All times in the evidence are seconds from the episode's start, on the simulated clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox import episode
from sandbox import script as scripts
from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.grading.parity import rows_equal
from sandbox.grading.statistics import auc
from sandbox.telemetry import explain, prometheus, rules
from sandbox.telemetry.series import NAME
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from sandbox.episode import Recording
    from sandbox.faults import Fault
    from sandbox.plan import Stage
    from sandbox.script import Script
    from sandbox.telemetry.prometheus import Prometheus

ROWS_PER_REQUEST = 100
PICTURED_EVERY_S = 600
PROBLEMS_KEPT = 5


def run(
    stage: Stage,
    name: str,
    clean: Script,
    fault: Fault | None = None,
    *,
    rows_per_request: int = ROWS_PER_REQUEST,
    explained: bool = False,
    ask: Callable[[Prometheus, Recording], Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Replay a script, with a fault or without, and record what came of it.

    Args:
        stage: the submission's stage.
        name: of the episode, also chooses its random numbers.
        clean: what would happen without the fault.
        fault: what goes wrong.
        rows_per_request: most flights in a request.
        explained: whether to say of each silent rule why it is silent.
        ask: what else to ask, while Prometheus still runs; its answer goes into the evidence.

    Returns:
        The script's facts; `effect` of the fault on the champion's predictions; `answers`,
        `scrapes` and `feedback`; `alerts` as `fired` gives them; `pictured`, series for pictures.

    Raises:
        SubmissionFault: the service does not start, hangs, or is never scraped.
    """
    scripted = clean if fault is None else faulted(stage, name, clean, fault)
    settings = stage.scenario.telemetry
    if settings is None:
        raise HarnessFault(expected="telemetry in scenario.yaml", seen="none")
    folder = stage.scratch / f"prometheus of {name}"
    folder.mkdir()
    with (
        prometheus.running(stage.runtime, folder, scripted.tick_s) as server,
        stage.replica() as replica,
    ):
        recording = episode.replay(
            scripted,
            Client(replica.url),
            server,
            name=name,
            seed=stage.variant.number(f"{name}: gateway"),
            rows_per_request=rows_per_request,
            progress=stage.progress,
        )
        _require_scraped(recording)
        seen = {
            **scripts.facts(scripted),
            "effect": effect(stage, clean, scripted),
            "answers": answers(recording),
            "scrapes": _problems(recording.scrape_problems),
            "feedback": _problems(recording.feedback_problems),
            "alerts": fired(server, stage.submitted / settings.rules, scripted, explained),
            "pictured": pictured(clean, recording),
        }
        return {**seen, **(ask(server, recording) if ask else {})}


def faulted(stage: Stage, name: str, clean: Script, fault: Fault) -> Script:
    """What happens in an episode with its fault; the same whenever it is asked for."""
    return fault(clean, noise(stage, f"{name}: fault"))


def noise(stage: Stage, purpose: str) -> np.random.Generator:
    """Random numbers of the variant for one purpose."""
    return np.random.default_rng(stage.variant.number(purpose))


def fired(
    server: Prometheus, path: Path, script: Script, explained: bool = False
) -> dict[str, Any]:
    """Evaluate a rule file over an episode.

    Returns:
        `problem`: why the file cannot be used, or nothing; `rules`: for each alert its name,
        severity, annotations, problem, `firings` (labels, `start_s`, `end_s` or None while it still
        fires) and, where asked for, `why` it is silent; `unrecorded`: for each recording rule that
        could not be evaluated, the problem by its name.
    """
    start = script.start.timestamp()
    span = (start, start + script.end_s, script.tick_s)
    evaluation = rules.evaluate_file(server, path, *span)
    unrecorded = {
        outcome.rule.name: outcome.problem
        for outcome in evaluation.outcomes
        if outcome.rule.kind == "record" and outcome.problem
    }
    return {
        "problem": evaluation.problem,
        "unrecorded": unrecorded,
        "rules": [
            {
                "alert": outcome.rule.name,
                "severity": outcome.rule.labels.get("severity", ""),
                "annotations": dict(outcome.rule.annotations),
                "problem": outcome.problem,
                "firings": [
                    {
                        "labels": dict(firing.labels),
                        "since_s": firing.active_since_s - start,
                        "start_s": firing.start_s - start,
                        "end_s": None if firing.end_s is None else firing.end_s - start,
                    }
                    for firing in outcome.firings
                ],
                "why": explain.explain(server, outcome.rule, outcome, *span, unrecorded)
                if explained and not outcome.firings
                else "",
            }
            for outcome in evaluation.outcomes
            if outcome.rule.kind == "alert"
        ],
    }


def effect(stage: Stage, clean: Script, script: Script) -> dict[str, float] | None:
    """What the script's faults do to the champion, by the harness's own copy of it: by how much
    mean prediction and AUC change on the rows concerned. None where nothing goes wrong.
    """
    if not script.onsets:
        return None
    span = script.during(script.onsets[0])

    def measured(events: pd.DataFrame) -> tuple[float, float]:
        rows = events[events["tick"].between(span.start, span.stop - 1)]
        predicted = stage.champion.predict(rows)
        return float(predicted.mean()), auc(rows["late"].tolist(), predicted.tolist())

    (mean, area), (mean_after, area_after) = measured(clean.events), measured(script.events)
    return {"mean_prediction": mean_after - mean, "auc": area_after - area}


def answers(recording: Recording) -> dict[str, Any]:
    """How requests fared, as columns."""
    exchanges = recording.exchanges
    problems: dict[str, int] = {}
    for _, exchange in exchanges:
        if exchange.problem:
            problems[exchange.problem[:200]] = problems.get(exchange.problem[:200], 0) + 1
    worst = sorted(problems.items(), key=lambda item: -item[1])[:PROBLEMS_KEPT]
    return {
        "tick": [tick for tick, _ in exchanges],
        "rows": [exchange.rows for _, exchange in exchanges],
        "status": [exchange.status for _, exchange in exchanges],
        "version": sorted({exchange.version for _, exchange in exchanges}),
        "latency_ms": [round(exchange.latency_ms, 2) for _, exchange in exchanges],
        "problems": dict(worst),
    }


def served(recording: Recording) -> NDArray[np.float64]:
    """The prediction served for each of the script's events; NaN where there was none."""
    values: list[float] = []
    for _, exchange in recording.exchanges:
        values.extend(exchange.predictions or [np.nan] * exchange.rows)
    return np.array(values, dtype="float64")


def right(stage: Stage, recording: Recording) -> float:
    """Share of the script's events, 0-1, that were answered with what the champion predicts."""
    expected = stage.champion.predict(recording.script.events)
    return float(rows_equal(served(recording).tolist(), expected.tolist()).mean())


def last_samples(recording: Recording, metric: str) -> list[tuple[dict[str, str], float]]:
    """A metric's samples as the last good scrape had them, with their labels."""
    found = []
    for labels, value in recording.last_scrape.items():
        named = dict(labels)
        if named.pop(NAME) == metric:
            found.append((named, value))
    return found


def pictured(clean: Script, recording: Recording) -> dict[str, Any]:
    """What pictures need, every ten minutes or tick: rows, mean prediction as served, share late,
    and of columns that something is wrong with, quantiles and the share that is null.
    """
    script = recording.script
    every = max(1, round(PICTURED_EVERY_S / script.tick_s))
    events = script.events.assign(prediction=served(recording))
    by = events["tick"] // every
    groups = events.groupby(by)
    columns = sorted({name for onset in script.onsets for name in onset.subject} & set(events))
    return {
        "at_s": [float(number) * every * script.tick_s for number, _ in groups],
        "rows": groups.size().tolist(),
        "prediction": _plain(groups["prediction"].mean()),
        "late": _plain(groups["late"].mean()),
        "inputs": {name: _distribution(events[name], clean.events[name], by) for name in columns},
    }


def _distribution(values: Any, usual: Any, by: Any) -> dict[str, Any]:
    def share(holds: Any) -> list[float | None]:
        return _plain(holds.groupby(by).mean())

    if usual.dtype.kind in "fi":
        quantiles = {f"p{q}": _plain(values.groupby(by).quantile(q / 100)) for q in (5, 50, 95)}
        return {"missing": share(values.isna()), **quantiles}
    top = usual.value_counts().index[:3].tolist()
    return {
        "shares": {value: share(values == value) for value in top},
        "other": share(~values.isin(usual.unique())),
    }


def _plain(values: Any) -> list[float | None]:
    return [None if v != v else round(float(v), 5) for v in values]  # noqa: PLR0124 - NaN


def _problems(by_tick: Mapping[int, str]) -> dict[str, Any]:
    first = min(by_tick, default=None)
    return {"failed": len(by_tick), "problem": "" if first is None else by_tick[first]}


def _require_scraped(recording: Recording) -> None:
    problems = recording.scrape_problems
    if problems and len(problems) >= recording.script.scraped.sum():
        raise SubmissionFault(
            expected="/metrics in Prometheus' text format",
            seen=problems[max(problems)],
            hint="ask it as Prometheus does: GET /metrics",
        )
