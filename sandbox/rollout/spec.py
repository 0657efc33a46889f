"""What a delivery is: a canary strategy, and the analyses it asks for. Plain values, no behaviour.

The words are Argo Rollouts' own (v1.10, `Rollout` and `AnalysisTemplate`); durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SetWeight:
    """Send so many percent of the traffic to the canary, 0 to 100."""

    percent: int


@dataclass(frozen=True)
class Pause:
    """Wait so long; None waits until somebody resumes."""

    duration_s: float | None


@dataclass(frozen=True)
class AnalysisRef:
    """Which templates make an analysis.

    Args:
        templates: names, in order.
        args: what the rollout gives them, by name; wins over a template's default.
        dry_run: regular expressions; a metric whose name one of them finds decides nothing.
    """

    templates: tuple[str, ...]
    args: Mapping[str, str] = field(default_factory=dict)
    dry_run: tuple[str, ...] = ()


@dataclass(frozen=True)
class Background:
    """An analysis beside the steps.

    Args:
        analysis: which.
        starting_step: the index of the step with which it begins, counted from 0.
    """

    analysis: AnalysisRef
    starting_step: int = 0


Step: TypeAlias = SetWeight | Pause | AnalysisRef


@dataclass(frozen=True)
class Template:
    """An `AnalysisTemplate`.

    Args:
        name: its own.
        args: each argument's default; None where the rollout has to give a value.
        metrics: as they are written, known to have no field that is not supported. Values may hold
            `{{args.x}}`, so that they mean something only once a run begins.
        dry_run: as of `AnalysisRef`.
    """

    name: str
    args: Mapping[str, str | None]
    metrics: tuple[Mapping[str, Any], ...]
    dry_run: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rollout:
    """A `Rollout` with a canary strategy.

    Args:
        name: its own.
        stable_service: what the router calls the track of the stable version.
        canary_service: what it calls the canary's.
        steps: in order; none is a promotion at once.
        background: the analysis beside the steps.
        progress_deadline_s: how long a rollout may stand still before it counts as stuck.
        progress_deadline_abort: whether one that is stuck is aborted.
        abort_scale_down_delay_s: how long an aborted canary's replicas stay; None for good.
        scale_down_delay_s: how long the old replicas stay after a promotion.
    """

    name: str
    stable_service: str
    canary_service: str
    steps: tuple[Step, ...] = ()
    background: Background | None = None
    progress_deadline_s: float = 600.0
    progress_deadline_abort: bool = False
    abort_scale_down_delay_s: float | None = 30.0
    scale_down_delay_s: float = 30.0


@dataclass(frozen=True)
class Delivery:
    """What a manifest says as a whole.

    Args:
        rollout: the only one.
        templates: by name; every template that the rollout names is among them.
    """

    rollout: Rollout
    templates: Mapping[str, Template]


@dataclass(frozen=True)
class Metric:
    """One metric of a run, all arguments substituted.

    Args:
        name: unique within the run.
        query: PromQL.
        interval_s: from one measurement's end to the next; None for a single measurement.
        initial_delay_s: from the run's start to the first.
        count: how many measurements; None without end (or one, without an interval).
        success_condition: empty where there is none.
        failure_condition: likewise.
        failure_limit: more failures than that fail the metric; -1 for no limit.
        consecutive_success_limit: so many successes in a row complete it; 0 for off.
        inconclusive_limit: more than that make it inconclusive.
        consecutive_error_limit: more errors in a row than that make it an error.
        dry_run: whether it decides nothing.
    """

    name: str
    query: str
    interval_s: float | None = None
    initial_delay_s: float = 0.0
    count: int | None = None
    success_condition: str = ""
    failure_condition: str = ""
    failure_limit: int = 0
    consecutive_success_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    dry_run: bool = False


# What a query gives: a vector as a list, a scalar as a float.
Result: TypeAlias = list[float] | float
