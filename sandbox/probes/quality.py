"""Probe: how good the model is by the labels that were sent, beside what the service says it is.

Predictions are those that the service gave, labels those that it was sent, the first for each
flight. What the service exports is judged against that, so no episode needs a known answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sandbox.episode import JOB
from sandbox.grading.statistics import auc
from sandbox.probes import episodes
from sandbox.script import DAY_S, HOUR_S, LABELS_SPREAD_S
from sandbox.telemetry.prometheus import QueryError
from sandbox.telemetry.series import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.episode import Recording
    from sandbox.faults import Fault
    from sandbox.plan import Stage
    from sandbox.script import Onset, Script
    from sandbox.telemetry.prometheus import Prometheus

WINDOW = 5_000
BIAS, AUC = "prediction_bias_ratio", "prediction_auc_ratio"
EVERY_S = 6 * HOUR_S
LABELS_KEPT = 5
# Of histograms and summaries: several may be in one metric, each with bounds of its own.
BOUNDS = ("le", "quantile")


def earlier_labels() -> Fault:
    """Labels of flights that were scored before the service started: ordinary life after a start.

    They are as many, and at the same hours, as those of the day that the script begins with.
    """

    def apply(script: Script, noise: np.random.Generator) -> Script:
        day = script.tick_at(DAY_S)
        first = script.events[script.events["tick"] < day]
        earlier = pd.concat([first.assign(tick=first["tick"] - day * back) for back in (1, 2)])
        after = noise.uniform(DAY_S - LABELS_SPREAD_S, DAY_S + LABELS_SPREAD_S, len(earlier))
        due = earlier["tick"] + np.ceil(after / script.tick_s).astype(int)
        labels = pd.DataFrame(
            {
                "flight_id": _unused(script, len(earlier), noise),
                "late": earlier["late"],
                "tick": due,
            }
        )
        labels = labels[labels["tick"].between(0, min(script.ticks, 2 * day) - 1)]
        return _with(script, pd.concat([labels, script.labels]))

    return apply


def noted(onset: Onset) -> Fault:
    """Something that goes wrong by itself in the data: it is only written down."""

    def apply(script: Script, _: np.random.Generator) -> Script:
        return replace(script, onsets=(*script.onsets, onset))

    return apply


def measured(stage: Stage, server: Prometheus, recording: Recording) -> dict[str, Any]:
    """What an episode's labels say, and what the service exported.

    Returns:
        `right`: share of predictions that are the champion's; `quality`: every six hours `at_s`,
        `labels` (distinct labelled flights so far), `bias` and `auc` over the last 5,000 of them
        (None before there are as many), and by metric what was `exported`; `problem` where a metric
        has more than one series; `values`: of all scrapes, the labels with most values.
    """
    script = recording.script
    served = episodes.served(recording)
    ticks = range(0, script.ticks, max(1, round(EVERY_S / script.tick_s)))
    own = figures(script, served, list(ticks))
    exported, problem = {}, ""
    for metric in (BIAS, AUC):
        points, trouble = _exported(server, script, metric)
        problem = problem or trouble
        start = script.start.timestamp()
        exported[metric] = [_finite(points.get(start + tick * script.tick_s)) for tick in ticks]
    return {
        "right": episodes.right(stage, recording),
        "quality": {
            "at_s": [tick * script.tick_s for tick in ticks],
            **own,
            "exported": exported,
            "problem": problem,
        },
        "values": label_values(recording),
    }


def figures(script: Script, served: Any, ticks: list[int]) -> dict[str, list[Any]]:
    """Number of labels, bias and AUC over the last `WINDOW` distinct labelled flights at each tick.

    Args:
        script: what was replayed.
        served: the prediction for each of its events.
        ticks: when to look, ascending.
    """
    predictions = script.events[["flight_id"]].assign(prediction=served)
    known = script.labels.drop_duplicates("flight_id").merge(
        predictions.dropna().drop_duplicates("flight_id", keep="last"), on="flight_id"
    )
    until = known["tick"].searchsorted(ticks, side="right").tolist()
    prediction, late = known["prediction"].to_numpy(), known["late"].to_numpy()
    found: dict[str, list[Any]] = {"labels": until, "bias": [], "auc": []}
    for end in until:
        last = slice(end - WINDOW, end)
        full = end >= WINDOW
        found["bias"].append(
            round(float(prediction[last].mean() - late[last].mean()), 5) if full else None
        )
        found["auc"].append(
            _finite(auc(late[last].tolist(), prediction[last].tolist())) if full else None
        )
    return found


def _exported(server: Prometheus, script: Script, metric: str) -> tuple[Mapping[float, float], str]:
    """The points of the service's only series of a metric, and why there are none."""
    start_s = script.start.timestamp()
    try:
        found = server.query_range(
            f'{metric}{{job="{JOB}"}}', start_s, start_s + script.end_s, script.tick_s
        )
    except QueryError as error:
        # As many series as that are the submission's doing.
        return {}, f"{metric} cannot be read: {error}"
    if len(found) > 1:
        return {}, f"{metric} has {len(found)} series"
    return (dict(found[0].points) if found else {}), ""


def label_values(recording: Recording) -> list[dict[str, Any]]:
    """The labels with most values in all scrapes together: metric, label, number of values."""
    values: dict[tuple[str, str], set[str]] = {}
    for series in recording.series:
        labels = dict(series)
        metric = labels.pop(NAME)
        for label, value in labels.items():
            if label not in BOUNDS:
                values.setdefault((metric, label), set()).add(value)
    most = sorted(values.items(), key=lambda item: (-len(item[1]), item[0]))[:LABELS_KEPT]
    return [
        {"metric": metric, "label": label, "values": len(found)} for (metric, label), found in most
    ]


def _unused(script: Script, count: int, noise: np.random.Generator) -> list[str]:
    taken = set(script.events["flight_id"])
    numbers = noise.permutation(1_000_000)
    ids = (f"F{number:06d}" for number in numbers)
    return [name for name, _ in zip((i for i in ids if i not in taken), range(count), strict=False)]


def _with(script: Script, labels: pd.DataFrame) -> Script:
    return replace(script, labels=labels.sort_values("tick", kind="stable", ignore_index=True))


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 5)
