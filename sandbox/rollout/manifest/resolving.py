"""The metrics of a run, with arguments put in for `{{args.x}}`, and what makes it an Error at once.

The rules are those of Argo Rollouts v1.10: `NewAnalysisRunFromTemplates` in
`utils/analysis/helpers.go` for what a run is made of, `ResolveMetricArgs` and `ValidateMetrics` in
`utils/analysis/factory.go` for what a run's metrics have to be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.rollout.conditions import unsupported
from sandbox.rollout.manifest.durations import DurationError, duration_s
from sandbox.rollout.spec import AnalysisRef, Delivery, Metric, Template
from sandbox.untrusted import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# A value put in often enough makes a small manifest fill the memory.
GROWTH_MAX = 1_000_000
_NUMBER = re.compile(r"[-+]?[0-9]+")
_DIGITS_MAX = 20
_INT32 = 2**31


class AnalysisError(Exception):
    """Why an analysis cannot run, in one line. Argo's word for such a run is Error."""


def resolve(refs: AnalysisRef, delivery: Delivery, *, background: bool) -> tuple[Metric, ...]:
    """The metrics of a run that begins now, arguments put in, in the order of the templates.

    Args:
        refs: which analysis.
        delivery: the manifest it stands in.
        background: whether it runs beside the steps; there a metric may go on without end.

    Raises:
        AnalysisError: Argo would make the run an Error at once, or has refused the rollout.
    """
    templates = used(refs, delivery.templates)
    arguments = combined(refs, templates)
    written = substituted((metric for one in templates for metric in one.metrics), arguments)
    if not written:
        raise AnalysisError("no metrics specified")
    names = [str(metric["name"]) for metric in written]
    rules = [*refs.dry_run, *(rule for template in templates for rule in template.dry_run)]
    dry = _dry_run(rules, names)
    _distinct("metric", names)
    metrics = []
    for metric, name in zip(written, names, strict=True):
        try:
            metrics.append(_metric(metric, background=background, dry_run=name in dry))
        except AnalysisError as error:
            raise AnalysisError(f"metric {shortened(name, 40)}: {error}") from error
    return tuple(metrics)


def used(refs: AnalysisRef, templates: Mapping[str, Template]) -> list[Template]:
    """The templates of an analysis, each once.

    Raises:
        AnalysisError: there is no such template.
    """
    for name in refs.templates:
        if name not in templates:
            raise AnalysisError(f"there is no AnalysisTemplate {shortened(name)}")
    return [templates[name] for name in dict.fromkeys(refs.templates)]


def combined(refs: AnalysisRef, templates: Sequence[Template]) -> dict[str, str]:
    """The value of each argument of a run; what the rollout gives wins over a template's default.

    What the rollout gives and no template asks for is not an argument of the run.

    Raises:
        AnalysisError: an argument has no value, or templates disagree about it; two metrics have
            one name, or two rules for dry runs are the same.
    """
    _distinct("metric", [str(metric["name"]) for one in templates for metric in one.metrics])
    _distinct("dryRun rule", [*refs.dry_run, *(rule for one in templates for rule in one.dry_run)])
    values: dict[str, str | None] = {}
    for template in templates:
        for name, value in template.args.items():
            if None not in (values.get(name), value) and values[name] != value:
                raise AnalysisError(f"templates give argument {shortened(name)} different values")
            if values.get(name) is None:
                values[name] = value
    values |= {name: value for name, value in refs.args.items() if name in values}
    for name, value in values.items():
        if value is None:
            raise AnalysisError(f"argument {shortened(name)} has no value")
    return {name: value for name, value in values.items() if value is not None}


def substituted(
    metrics: Iterable[Mapping[str, Any]], arguments: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Metrics with each `{{args.x}}` replaced, in all of their texts.

    Raises:
        AnalysisError: something in double braces is no argument, or the text grows beyond measure.
    """
    metrics = list(metrics)
    longest = max(map(len, arguments.values()), default=0)
    places = sum(text.count("{{") for metric in metrics for text in _texts(metric))
    if longest * places > GROWTH_MAX:
        raise AnalysisError(f"the arguments make more than {GROWTH_MAX:,} characters of it")
    return [
        {name: _filled(value, arguments) for name, value in metric.items()} for metric in metrics
    ]


def whole(value: int | str | None, default: int = 0) -> int:
    """A number that may be written as text; like Argo's `IntValue`, any other text is 0.

    Raises:
        AnalysisError: it does not fit into 32 bits.
    """
    if value is None:
        return default
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return 0
        value = int(value) if len(value) <= _DIGITS_MAX else _INT32
    if not -_INT32 <= value < _INT32:
        raise AnalysisError("a number does not fit into 32 bits")
    return value


def is_endless(metric: Mapping[str, Any]) -> bool:
    """Whether a metric has an interval and no count (`EffectiveCount`)."""
    return bool(metric.get("interval")) and whole(metric.get("count")) == 0


def is_url(text: str) -> bool:
    """Whether a text has a scheme and a host, as Argo asks of Prometheus' address."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def _distinct(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise AnalysisError(f"{what} {shortened(name)} is there twice")
        seen.add(name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)


def _filled(value: Any, arguments: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, arguments) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    parts, at = [], 0
    while (start := value.find("{{", at)) >= 0:
        end = value.find("}}", start)
        tag = value[start + 2 : end].strip()
        if end < 0:
            raise AnalysisError(f"{{{{ without }}}} in {shortened(value)}")
        if not tag.startswith("args.") or tag.removeprefix("args.") not in arguments:
            raise AnalysisError(f"{{{{{shortened(tag)[1:-1]}}}}} is no argument of the template")
        parts += [value[at:start], arguments[tag.removeprefix("args.")]]
        at = end + 2
    return "".join([*parts, value[at:]])


def _dry_run(rules: Sequence[str], names: Sequence[str]) -> set[str]:
    """The names that one of the rules finds.

    A rule is a regular expression of Go's, unanchored. RE2 reads the same language and, unlike
    Python's, takes no more time than the name is long.

    Raises:
        AnalysisError: a rule finds none of them, or is no regular expression.
    """
    found: set[str] = set()
    if not rules:
        return found
    import pyarrow  # noqa: PLC0415 - a fifth of a second, and few manifests have such rules
    from pyarrow import compute  # noqa: PLC0415

    for number, rule in enumerate(rules):
        try:
            hits = compute.match_substring_regex(pyarrow.array(names), rule).to_pylist()
        except pyarrow.ArrowInvalid:
            hits = []
        if not any(hits):
            raise AnalysisError(f"dryRun[{number}]: {shortened(rule)} finds none of the metrics")
        found |= {name for name, hit in zip(names, hits, strict=True) if hit}
    return found


def _metric(written: Mapping[str, Any], *, background: bool, dry_run: bool) -> Metric:
    """The metric, if its limits and durations go together (`ValidateMetric`)."""
    count = whole(written.get("count"))
    failure_limit = whole(written.get("failureLimit"))
    success_limit = whole(written.get("consecutiveSuccessLimit"))
    inconclusive_limit = whole(written.get("inconclusiveLimit"))
    error_limit = whole(written.get("consecutiveErrorLimit"), 4)
    interval = written.get("interval", "")
    prometheus = written["provider"]["prometheus"]
    least = max(failure_limit, 0) + success_limit
    both = f"failureLimit + consecutiveSuccessLimit ({least})"
    for wrong, why in (
        (success_limit < 0, "consecutiveSuccessLimit must be >= 0"),
        (failure_limit < -1, "failureLimit must be >= 0, or -1 for none"),
        (
            success_limit == 0 and failure_limit == -1,
            "failureLimit and consecutiveSuccessLimit cannot both be off",
        ),
        (inconclusive_limit < 0, "inconclusiveLimit must be >= 0"),
        (error_limit < 0, "consecutiveErrorLimit must be >= 0"),
        (0 < count < least, f"count ({count}) must be >= {both}"),
        (0 < count < inconclusive_limit, f"count ({count}) must be >= inconclusiveLimit"),
        (count > 1 and not interval, f"count ({count}) needs an interval"),
        (not background and is_endless(written), "it has no end; in a step it needs a count"),
        (not is_url(prometheus.get("address") or "http://p"), "the address is no URL"),
        (bool(beyond := _beyond(written)), beyond),
    ):
        if wrong:
            raise AnalysisError(why)
    return Metric(
        name=written["name"],
        query=prometheus["query"],
        interval_s=_duration(written, "interval"),
        initial_delay_s=_duration(written, "initialDelay") or 0.0,
        count=count or None,
        success_condition=written.get("successCondition", ""),
        failure_condition=written.get("failureCondition", ""),
        failure_limit=failure_limit,
        consecutive_success_limit=success_limit,
        inconclusive_limit=inconclusive_limit,
        consecutive_error_limit=error_limit,
        dry_run=dry_run,
    )


def _beyond(written: Mapping[str, Any]) -> str:
    """What the sandbox does not run of a metric's conditions, the first one by its name."""
    for name in ("successCondition", "failureCondition"):
        if what := unsupported(written.get(name, "")):
            return f"{name}: {what}"
    return ""


def _duration(written: Mapping[str, Any], name: str) -> float | None:
    text = written.get(name)
    if not text:
        return None
    try:
        seconds = duration_s(text)
    except DurationError as error:
        raise AnalysisError(f"{name}: {error}") from error
    if seconds < 0:
        raise AnalysisError(f"{name}: {text} is negative; the sandbox does not run that")
    return seconds
