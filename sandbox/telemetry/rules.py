"""Alert and recording rules, evaluated by a real Prometheus at simulated time.

Rules are evaluated at every scrape, in the order of the file: a recording rule by one range query
whose result is written back, an alert by one range query and then, series by series, `for` and
`keep_firing_for` (`sandbox.telemetry.alerting`). `ALERTS` and `ALERTS_FOR_STATE` are written back
as Prometheus does, so that rules further down may read them. Source of all of it: `rules/` of
Prometheus 2.42.

A Prometheus that runs for real differs in two ways, both told to candidates: a group's `interval`
is its own, and groups run side by side, where here a rule sees what every rule above it gave at
the same instant. A rule that reads what is recorded further down, or itself, would see the value
of one evaluation ago there; here it is refused in words.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.telemetry import alerting, expressions, promtool, writeback
from sandbox.telemetry.prometheus import QueryError, WriteRefused
from sandbox.telemetry.remote_write import Batch
from sandbox.telemetry.rulefile import Rule, RulesError, read, written
from sandbox.telemetry.series import NAME, as_labels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sandbox.telemetry.alerting import Activity
    from sandbox.telemetry.prometheus import Prometheus
    from sandbox.telemetry.series import Labels
    from sandbox.telemetry.writeback import Result, Sample

__all__ = [
    "Evaluation",
    "Firing",
    "Interval",
    "Rule",
    "RuleOutcome",
    "RulesError",
    "as_json",
    "evaluate",
    "evaluate_file",
    "read",
]

SERIES_MAX = 1_000
FIRINGS_MAX = 10_000
DEADLINE_S = 30.0
_SAMPLES_A_WRITE = 20_000
_TEMPLATE = re.compile(r"\{\{\s*(?:\$labels|\.Labels)\.(\w+)\s*\}\}")


@dataclass(frozen=True)
class Interval:
    """A stretch of simulated time, in seconds since 1970.

    Args:
        start_s: the first evaluation in it.
        end_s: the first evaluation after it; None if it lasts to the end of what was evaluated.
    """

    start_s: float
    end_s: float | None


@dataclass(frozen=True)
class Firing:
    """One stretch in which an alert fired, for one series.

    Args:
        alert: its name.
        labels: its labels as Prometheus would send them, `alertname` aside.
        severity: the label `severity`, or an empty text.
        active_since_s: simulated time of the evaluation at which it became pending.
        start_s: of the evaluation at which it began to fire.
        end_s: of the first one at which it no longer fired; None if it fired to the end.
    """

    alert: str
    labels: Mapping[str, str]
    severity: str
    active_since_s: float
    start_s: float
    end_s: float | None


@dataclass(frozen=True)
class RuleOutcome:
    """What became of one rule.

    Args:
        rule: the rule.
        problem: why it could not be evaluated, in words; then the rest is empty.
        firings: when it fired, in order of time; for an alert.
        active: when its condition held for any series, `for` and `keep_firing_for` aside; for a
            recording rule, when it recorded anything.
        longest_s: seconds between the first and the last evaluation of the longest stretch in
            which the condition held without a gap, for one series.
        series: how many series its expression gave.
    """

    rule: Rule
    problem: str = ""
    firings: tuple[Firing, ...] = ()
    active: tuple[Interval, ...] = ()
    longest_s: float = 0.0
    series: int = 0


@dataclass(frozen=True)
class Evaluation:
    """What became of a file's rules.

    Args:
        outcomes: one for each rule, in the order of the file.
        problem: why the file as a whole was refused, in words; then there are no outcomes.
        notes: what a candidate should know although it is no fault.
    """

    outcomes: tuple[RuleOutcome, ...]
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def firings(self) -> list[Firing]:
        """Every firing of every alert, in order of time."""
        found = (firing for outcome in self.outcomes for firing in outcome.firings)
        return sorted(found, key=lambda firing: firing.start_s)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as plain JSON, keyed by the names of its fields."""
    return asdict(evaluation)


def evaluate_file(
    prometheus: Prometheus, path: Path, start_s: float, end_s: float, step_s: float
) -> Evaluation:
    """Evaluate a candidate's rule file. Arguments and errors as for `evaluate`.

    Prometheus loads a file as a whole or not at all, so one that it would refuse gives no alert,
    and the reason.
    """
    try:
        rules = read(path)
    except RulesError as error:
        return Evaluation((), problem=str(error))
    if problem := promtool.check_rules(path):
        return Evaluation((), problem=problem)
    return evaluate(prometheus, rules, start_s, end_s, step_s)


def evaluate(
    prometheus: Prometheus, rules: Sequence[Rule], start_s: float, end_s: float, step_s: float
) -> Evaluation:
    """Evaluate rules at `start_s`, every `step_s` after it, and not after `end_s`.

    Everything is evaluated within DEADLINE_S or refused; one rule that cannot be evaluated does
    not stop the others. A rule that fails at one instant (two series match where one may) fails as
    a whole, where a running Prometheus would miss that evaluation alone.

    Args:
        prometheus: where the samples are; results are written back to it.
        rules: in the order of their file.
        start_s: simulated time, seconds since 1970.
        end_s: simulated time.
        step_s: seconds between two evaluations: the scrape interval.

    Raises:
        HarnessFault: Prometheus cannot be reached.
    """
    step_ms = round(step_s * 1000)
    instants = range(round(start_s * 1000), round(end_s * 1000) + 1, step_ms)
    run = _Run(prometheus, instants, time.monotonic() + DEADLINE_S)
    outcomes = [_outcome(rule, rules[number:], run) for number, rule in enumerate(rules)]
    return Evaluation(tuple(outcomes), notes=tuple(_notes(rules, step_s)))


class _RefusedError(Exception):
    """Why a rule cannot be evaluated, in words."""


class _TakenError(_RefusedError):
    """Its samples cannot be written, because there are others."""


@dataclass(frozen=True)
class _Run:
    """What an evaluation needs at every rule.

    Args:
        prometheus: the server.
        instants: of evaluation, in milliseconds.
        deadline: when to give up, on the monotonic clock.
        told: the instants at which a series of ALERTS is written already.
    """

    prometheus: Prometheus
    instants: range
    deadline: float
    told: dict[Labels, set[int]] = field(default_factory=dict)

    def ask(self, rule: Rule) -> Result:
        """What a rule's expression gives, with the labels that the rule makes of it."""
        first, last = self.instants[0] / 1000, self.instants[-1] / 1000
        answer = self.prometheus.query_range(rule.expr, first, last, self.instants.step / 1000)
        if len(answer) > SERIES_MAX:
            raise _RefusedError(f"gives {len(answer):,} series, more than {SERIES_MAX:,}")
        found: Result = {}
        for one in answer:
            _add(found, _labelled(rule, one.labels), one.points)
        return found

    def check_time(self) -> None:
        """Give up once time is up."""
        if time.monotonic() > self.deadline:
            raise _RefusedError(f"the rules together took more than {DEADLINE_S:g} s to evaluate")

    def write(self, samples: Iterable[Sample]) -> None:
        """Write samples back, a bounded number at a time."""
        batch = Batch()
        for labels, at_ms, value in samples:
            batch.add(labels, at_ms, value)
            if len(batch) >= _SAMPLES_A_WRITE:
                self.check_time()
                self._write(batch)
                batch.clear()
        self._write(batch)

    def _write(self, batch: Batch) -> None:
        try:
            self.prometheus.write(batch)
        except WriteRefused as error:
            raise _TakenError(f"gives a series that exists already: {error.seen}") from error


def _outcome(rule: Rule, below: Sequence[Rule], run: _Run) -> RuleOutcome:
    """Evaluate one rule; `below` is itself and the rules after it."""
    try:
        run.check_time()
        _refuse(rule, below)
        found = run.ask(rule)
        if rule.kind == "record":
            run.write(writeback.recorded(found, run.instants))
            return RuleOutcome(rule, active=_active(found, run.instants), series=len(found))
        return _alerted(rule, found, run)
    except (QueryError, _RefusedError) as error:
        return RuleOutcome(rule, problem=str(error))


def _refuse(rule: Rule, below: Sequence[Rule]) -> None:
    """Refuse what cannot be evaluated as a running Prometheus would."""
    for name, value in rule.labels.items():
        if "{{" in _TEMPLATE.sub("", value):
            raise _RefusedError(
                f"the label {name} is a template other than {{{{ $labels.name }}}}: {value[:60]}"
            )
    if problem := expressions.unanswerable(rule.expr):
        raise _RefusedError(problem)
    tree = expressions.parse(rule.expr)
    for selector in expressions.selectors(tree) if tree else ():
        for other in below:
            if _reads(selector, other):
                where = "is its own" if other is rule else "is further down: move this rule below"
                raise _RefusedError(f"reads {selector}, the result of {other.name}, which {where}")


def _reads(selector: expressions.Selector, rule: Rule) -> bool:
    """Whether a selector reads what a rule gives."""
    if rule.kind == "record":
        return selector.names(rule.name)
    if not (selector.names(writeback.ALERTS) or selector.names(writeback.FOR_STATE)):
        return False
    fixed = {"alertname": rule.name, **{k: v for k, v in rule.labels.items() if "{{" not in v}}
    return all(m.accepts(fixed[m.name]) for m in selector.matchers if m.name in fixed)


def _labelled(rule: Rule, labels: Mapping[str, str]) -> Labels:
    """The labels of a rule's result: those of the rule win, an empty one removes."""
    own = {name: text for name, text in labels.items() if name != NAME}
    added = {name: _expanded(text, own) for name, text in rule.labels.items()}
    key = NAME if rule.kind == "record" else "alertname"
    return as_labels({**own, **added, key: rule.name})


def _expanded(text: str, labels: Mapping[str, str]) -> str:
    return _TEMPLATE.sub(lambda match: labels.get(match[1], ""), text)


def _add(found: Result, labels: Labels, points: Iterable[tuple[float, float]]) -> None:
    """Add a series' points to what is known of these labels."""
    known = found.setdefault(labels, {})
    for at_s, value in points:
        at_ms = round(at_s * 1000)
        if at_ms in known:
            raise _RefusedError("gives two series that are the same once the rule's labels are set")
        known[at_ms] = value


def _alerted(rule: Rule, found: Result, run: _Run) -> RuleOutcome:
    """Apply `for` and `keep_firing_for`, and write back the state of every alert."""
    for_ms, keep_ms = round(rule.for_s * 1000), round(rule.keep_firing_for_s * 1000)
    stretches: dict[Labels, list[Activity]] = {}
    firings: list[Firing] = []
    for labels, points in found.items():
        run.check_time()
        evaluations = ((at_ms, at_ms in points) for at_ms in run.instants)
        active = alerting.activities(evaluations, for_ms=for_ms, keep_firing_for_ms=keep_ms)
        stretches[labels] = active
        firings += [_firing(rule, labels, one) for one in active if one.firing_ms is not None]
        if len(firings) > FIRINGS_MAX:
            raise _RefusedError(f"fires more than {FIRINGS_MAX:,} times")
    # An alert fires whether or not its state can be told: somebody else may have a metric ALERTS.
    with suppress(_TakenError):
        run.write(writeback.untold(writeback.states(stretches, run.instants), run.told))
    return RuleOutcome(
        rule,
        firings=tuple(sorted(firings, key=lambda firing: firing.start_s)),
        active=_active(found, run.instants),
        longest_s=_longest_s(found, run.instants),
        series=len(found),
    )


def _firing(rule: Rule, labels: Labels, stretch: Activity) -> Firing:
    shown = {name: value for name, value in labels if name != "alertname"}
    return Firing(
        alert=rule.name,
        labels=shown,
        severity=shown.get("severity", ""),
        active_since_s=stretch.since_ms / 1000,
        start_s=(stretch.firing_ms or 0) / 1000,
        end_s=None if stretch.end_ms is None else stretch.end_ms / 1000,
    )


def _active(found: Result, instants: range) -> tuple[Interval, ...]:
    """When there was any series."""
    whenever = set().union(*found.values())
    return tuple(
        Interval(start / 1000, None if end is None else end / 1000)
        for start, end in _stretches(whenever, instants)
    )


def _longest_s(found: Result, instants: range) -> float:
    """Seconds from the first to the last instant of the longest stretch of one series."""
    lengths = (
        (instants[-1] if end is None else end - instants.step) - start
        for points in found.values()
        for start, end in _stretches(points, instants)
    )
    return max(lengths, default=0) / 1000


def _stretches(points: Collection[int], instants: range) -> list[tuple[int, int | None]]:
    """Instants without a gap: the first of each stretch, and the first after it."""
    found: list[tuple[int, int | None]] = []
    start: int | None = None
    for at_ms in instants:
        if at_ms in points:
            start = at_ms if start is None else start
        elif start is not None:
            found.append((start, at_ms))
            start = None
    return [*found, (start, None)] if start is not None else found


def _notes(rules: Sequence[Rule], step_s: float) -> Iterator[str]:
    """What the file asks for and does not get."""
    asked = {rule.group: rule.interval_s for rule in rules if rule.interval_s is not None}
    for group, interval_s in asked.items():
        if interval_s != step_s:
            yield (
                f"group {group}: interval {written(interval_s)} is ignored; "
                f"rules are evaluated at every scrape, every {written(step_s)}"
            )
