"""Analysis runs as Argo Rollouts takes them: one measurement, one metric, one whole run.

The rules are those of Argo Rollouts v1.10, `analysis/analysis.go` and `utils/evaluate/evaluate.go`;
each function here names the one it follows. Everything is a value: a run goes in, a run comes out.

Two things are this clock's own. A measurement takes no simulated time: it starts and finishes at
one instant. And a wait is over at the first tick at which so much time has passed, not at the one
after it. Argo asks for strictly more, but on a clock that never stands still, and it wakes up
exactly when the wait ends: there the next measurement comes some milliseconds after
`finished + interval`. On a clock of ticks the strict rule would put it off by a whole tick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.rollout.conditions import ConditionError, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.rollout.spec import Metric, Result

PENDING = "Pending"
RUNNING = "Running"
SUCCESSFUL = "Successful"
INCONCLUSIVE = "Inconclusive"
ERROR = "Error"
FAILED = "Failed"

# From best to worst (`analysisStatusOrder` in utils/analysis/helpers.go).
SEVERITY = (SUCCESSFUL, INCONCLUSIVE, ERROR, FAILED)

# When a measurement that was an error is taken again, in seconds (`DefaultErrorRetryInterval`).
RETRY_S = 10.0


@dataclass(frozen=True)
class Answer:
    """What Prometheus said to a query.

    Args:
        value: what it gave; None for nothing at all.
        error: why there is no value; empty where there is one.
    """

    value: Result | None = None
    error: str = ""


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Args:
        at_s: when it was taken.
        phase: Successful, Failed, Inconclusive or Error.
        value: the value as Argo writes it, `[0.05,NaN]` for a vector; empty without one.
        message: what the error was; empty without one.
    """

    at_s: float
    phase: str
    value: str = ""
    message: str = ""


@dataclass(frozen=True)
class MetricState:
    """A metric of a run, with everything that was measured.

    Args:
        metric: which.
        phase: Pending until the first measurement, Running, or how it ended.
        message: once it has ended: its last measurement's, or for a dry run why it ended so.
        measurements: in order of time.
        failed: how many of them Failed.
        inconclusive: how many were Inconclusive.
        successful: how many were Successful.
        consecutive_error: how many errors the last measurements were, in a row.
        consecutive_success: how many successes they were, in a row.
    """

    metric: Metric
    phase: str = PENDING
    message: str = ""
    measurements: tuple[Measurement, ...] = ()
    failed: int = 0
    inconclusive: int = 0
    successful: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0

    @property
    def count(self) -> int:
        """How many measurements count towards the metric's `count`: all but the errors."""
        return self.failed + self.inconclusive + self.successful


@dataclass(frozen=True)
class Run:
    """An `AnalysisRun`.

    Args:
        name: unique in a rollout.
        started_s: when.
        metrics: in the order of the templates; none where they could not be made sense of.
        phase: Running, or how it ended.
        message: why it ended so; may be empty.
        ended_s: when it ended; None until then.
    """

    name: str
    started_s: float
    metrics: tuple[MetricState, ...]
    phase: str = RUNNING
    message: str = ""
    ended_s: float | None = None


def reached(now_s: float, since_s: float, wait_s: float) -> bool:
    """Whether so much time has passed, compared in whole milliseconds."""
    return round(1000 * (now_s - since_s)) >= round(1000 * wait_s)


def measure(metric: Metric, answer: Answer, at_s: float) -> Measurement:
    """One measurement from what Prometheus said.

    The rules are those of `EvaluateResult` and of `Run` in metricproviders/prometheus: an error
    where there is no answer or a condition cannot be evaluated; without conditions a success; with
    one of them its word; with both, failure wins, and neither is inconclusive.
    """
    if answer.error:
        return Measurement(at_s, ERROR, message=answer.error)
    value = _text(answer.value)
    try:
        success = _holds("successCondition", metric.success_condition, answer.value)
        failure = _holds("failureCondition", metric.failure_condition, answer.value)
    except ConditionError as error:
        return Measurement(at_s, ERROR, value, str(error))
    if success is None:
        success = not failure
    if failure is None:
        failure = not success
    if failure:
        return Measurement(at_s, FAILED, value)
    return Measurement(at_s, SUCCESSFUL if success else INCONCLUSIVE, value)


def due(run: Run, now_s: float) -> tuple[Metric, ...]:
    """The metrics of a run to measure now (`generateMetricTasks`); none once it has ended.

    The first measurement is due `initialDelay` after the run's start, the next one an interval
    after the last, or 10 s after an error; never two at one instant.
    """
    if run.phase != RUNNING:
        return ()
    return tuple(state.metric for state in run.metrics if _is_due(state, run.started_s, now_s))


def taken(run: Run, answers: Mapping[str, Answer], now_s: float) -> Run:
    """The run after measurements that were taken at one instant.

    They are counted together before any of them decides, as in `runMeasurements`: of two metrics
    that end at once the worse one gives the run its phase.

    Args:
        run: a running one.
        answers: by the name of the metric.
        now_s: when they were taken.
    """
    metrics = tuple(
        _counted(state, measure(state.metric, answers[state.metric.name], now_s))
        if state.metric.name in answers
        else state
        for state in run.metrics
    )
    return _assessed(replace(run, metrics=metrics), now_s)


def terminated(run: Run, now_s: float) -> Run:
    """The run when it is told to stop: a run that has ended stays as it is, any other ends.

    Without a metric that has ended badly it is Successful (`assessRunStatus`).
    """
    return _assessed(run, now_s, terminate=True) if run.phase == RUNNING else run


def _text(value: Result | None) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return f"[{','.join(_number(one) for one in value)}]"
    return _number(value)


def _number(value: float) -> str:
    """A sample as Prometheus writes it: without an exponent, and never a JSON number."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def _holds(field: str, condition: str, value: Result | None) -> bool | None:
    """Whether a condition holds; None where there is none."""
    if not condition:
        return None
    try:
        return parse(condition).holds(value)
    except ConditionError as error:
        why = str(error)
        if value is None or value == []:
            why = "metric result is nil or empty: no data returned from the metric provider"
        raise ConditionError(f'could not evaluate {field} "{condition}": {why}') from error


def _is_due(state: MetricState, started_s: float, now_s: float) -> bool:
    if state.phase not in (PENDING, RUNNING):
        return False
    if not state.measurements:
        return reached(now_s, started_s, state.metric.initial_delay_s)
    last = state.measurements[-1]
    interval_s = state.metric.interval_s
    wait_s = RETRY_S if last.phase == ERROR or interval_s is None else interval_s
    return now_s > last.at_s and reached(now_s, last.at_s, wait_s)


def _counted(state: MetricState, measurement: Measurement) -> MetricState:
    """The metric with one more measurement (the counters of `runMeasurements`)."""
    phase = measurement.phase
    return replace(
        state,
        phase=RUNNING,
        measurements=(*state.measurements, measurement),
        failed=state.failed + (phase == FAILED),
        inconclusive=state.inconclusive + (phase == INCONCLUSIVE),
        successful=state.successful + (phase == SUCCESSFUL),
        consecutive_error=state.consecutive_error + 1 if phase == ERROR else 0,
        consecutive_success=state.consecutive_success + 1 if phase == SUCCESSFUL else 0,
    )


def _breach(state: MetricState) -> tuple[str, str]:
    """The limit that is exceeded, as phase and words; empty for none.

    `assessMetricFailureInconclusiveOrError`: errors before inconclusive ones before failures.
    """
    metric, errors = state.metric, state.consecutive_error
    if errors > metric.consecutive_error_limit:
        limit = f"consecutiveErrorLimit ({metric.consecutive_error_limit})"
        return ERROR, f"consecutiveErrors ({errors}) > {limit}"
    if state.inconclusive > metric.inconclusive_limit:
        limit = f"inconclusiveLimit ({metric.inconclusive_limit})"
        return INCONCLUSIVE, f"inconclusive ({state.inconclusive}) > {limit}"
    if 0 <= metric.failure_limit < state.failed:
        return FAILED, f"failed ({state.failed}) > failureLimit ({metric.failure_limit})"
    return "", ""


def _end(state: MetricState, *, terminating: bool) -> str:
    """How a measured metric ends now; empty while it goes on (`assessMetricStatus`)."""
    phase, _ = _breach(state)
    if phase:
        return phase
    metric = state.metric
    wanted = metric.consecutive_success_limit
    if 0 < wanted <= state.consecutive_success:
        return SUCCESSFUL
    count = metric.count or (1 if metric.interval_s is None else None)
    if count is not None and state.count >= count:
        if not wanted:
            return SUCCESSFUL
        return INCONCLUSIVE if metric.failure_limit >= 0 else FAILED
    return SUCCESSFUL if terminating else ""


def _ended(state: MetricState, *, terminating: bool) -> MetricState:
    """The metric, ended if it ends now. One that was never measured stays pending."""
    phase = _end(state, terminating=terminating) if state.phase == RUNNING else ""
    if not phase:
        return state
    message = state.measurements[-1].message
    _, why = _breach(state)
    if state.metric.dry_run and why:
        message = f"Metric assessed {phase} due to {why}"
    return replace(state, phase=phase, message=message)


def _assessed(run: Run, now_s: float, *, terminate: bool = False) -> Run:
    """The run, ended if it ends now (`assessRunStatus`, `IsTerminating`).

    Any metric but a dry run that has ended badly ends the whole run. Argo notices in the
    reconciliation that follows at once; here it is one.
    """
    metrics = tuple(_ended(state, terminating=terminate) for state in run.metrics)
    over = terminate or any(
        not state.metric.dry_run and state.phase in SEVERITY[1:] for state in metrics
    )
    if over:
        metrics = tuple(_ended(state, terminating=True) for state in metrics)
    run = replace(run, metrics=metrics)
    if not over and any(state.phase in (PENDING, RUNNING) for state in metrics):
        return run
    phase, message = _worst(metrics)
    message = "Run Terminated" if terminate else message
    return replace(run, phase=phase, message=message, ended_s=now_s)


def _worst(metrics: tuple[MetricState, ...]) -> tuple[str, str]:
    """Phase and message of the metric that ended worst; Successful where none of them counts."""
    worst, message = "", ""
    for state in metrics:
        if state.metric.dry_run or state.phase not in SEVERITY:
            continue
        if worst and SEVERITY.index(state.phase) <= SEVERITY.index(worst):
            continue
        worst = state.phase
        _, why = _breach(state)
        if why:
            message = f'Metric "{state.metric.name}" assessed {worst} due to {why}'
            if state.message:
                message += f': "Error Message: {state.message}"'
    return worst or SUCCESSFUL, message
