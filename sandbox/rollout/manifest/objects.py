"""A `Rollout` and an `AnalysisTemplate` of a manifest, checked and made into plain values.

Names and types are checked by `schema.py`, values here, after Argo Rollouts v1.10,
`pkg/apis/rollouts/validation/validation.go`. Every problem goes to a list; what is returned is of
use only if the list stays empty.

This sandbox asks for more than Argo in a few places:

- `canaryService`, `stableService` and `trafficRouting.traefik` have to be there;
- numbers and durations that are written out, without `{{args.x}}`, have to be ones that Argo can
  read (it would take `count: ten` for 0, and make the run an Error over `interval: "30"`);
- an analysis names a template, a metric asks for something, and `startingStep` is one of the
  steps: otherwise nothing would ever happen;
- `replicas` of 0, `minReadySeconds` above 0 and negative delays are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.rollout.conditions import unsupported
from sandbox.rollout.manifest import schema
from sandbox.rollout.manifest.durations import DurationError, duration_s, pause_s
from sandbox.rollout.manifest.resolving import is_url
from sandbox.rollout.spec import (
    AnalysisRef,
    Background,
    Pause,
    Rollout,
    SetWeight,
    Step,
    Template,
)
from sandbox.untrusted import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.rollout.manifest.problems import Place

WEIGHT_MAX = 100
_NEEDED = "missing; the sandbox routes by Traefik between a canary and a stable service"
# Kubernetes' names: of most objects, and of a Service.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[-+]?[0-9]{1,10}")
_ZEROS = re.compile(r"[-+]?0+%?")
_LIMITS = (
    "count",
    "failureLimit",
    "consecutiveSuccessLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
)
# Argo counts only these when it asks for one kind of step; every other kind is refused anyway.
_EXCLUSIVE = frozenset({"setWeight", "pause", "experiment", "analysis"})


def rollout(document: Mapping[str, Any], place: Place) -> Rollout:
    """The rollout of a document."""
    fields = schema.read(document, "Rollout", place)
    name = _named(fields, place)
    spec, place = fields.get("spec"), place.field("spec")
    if not isinstance(spec, dict):
        return Rollout(name, "", "")
    _pods(spec, place)
    schema.at_least(spec, "replicas", 1, place)
    schema.at_least(spec, "revisionHistoryLimit", 0, place)
    if schema.at_least(spec, "minReadySeconds", 0, place) > 0:
        place.field("minReadySeconds").say("Argo knows it; the sandbox does not run it (0 is fine)")
    deadline = schema.at_least(spec, "progressDeadlineSeconds", 1, place, 600)
    strategy, place = schema.child(spec, "strategy"), place.field("strategy")
    canary, place = schema.child(strategy, "canary"), place.field("canary")
    if not {"canary", "blueGreen"} & set(strategy) and spec.get("strategy") is not schema.WRONG:
        place.say("missing")
    elif canary or strategy.get("canary") == {}:
        _routing(canary, place)
    if all(_is_zero(canary.get(surge)) for surge in ("maxSurge", "maxUnavailable")):
        place.field("maxSurge").say("cannot be zero together with maxUnavailable")
    steps = tuple(_step(step, here) for step, here in schema.entries(canary, "steps", place))
    keeps = schema.at_least(canary, "abortScaleDownDelaySeconds", 0, place, 30)
    return Rollout(
        name=name,
        stable_service=schema.text(canary, "stableService"),
        canary_service=schema.text(canary, "canaryService"),
        steps=steps,
        background=_background(canary, len(steps), place),
        progress_deadline_s=float(deadline),
        progress_deadline_abort=spec.get("progressDeadlineAbort") is True,
        abort_scale_down_delay_s=float(keeps) if keeps else None,
        scale_down_delay_s=float(schema.at_least(canary, "scaleDownDelaySeconds", 0, place, 30)),
    )


def template(document: Mapping[str, Any], place: Place) -> Template:
    """The template of a document."""
    fields = schema.read(document, "AnalysisTemplate", place)
    name = _named(fields, place)
    spec, place = schema.child(fields, "spec"), place.field("spec")
    metrics = []
    for metric, here in schema.entries(spec, "metrics", place):
        if metric is not None:
            _metric(metric, here)
            metrics.append(metric)
    return Template(
        name=name,
        args=_arguments(spec, place),
        metrics=tuple(metrics),
        dry_run=_dry_run(spec, place),
    )


def _named(fields: Mapping[str, Any], place: Place) -> str:
    metadata = schema.child(fields, "metadata")
    name = schema.filled(metadata, "name", place.field("metadata"))
    if name and not _NAME.fullmatch(name):
        here = place.field("metadata").field("name")
        here.say(f"{shortened(name)} is no name: small letters, digits, - and .")
    return name


def _pods(spec: Mapping[str, Any], place: Place) -> None:
    """The selector chooses the pods of the template; what they run is a cluster's business."""
    if "workloadRef" in spec:
        return
    pods, here = spec.get("template"), place.field("template")
    labels = _inside(pods, "metadata", "labels")
    if pods is None:
        here.say("missing")
    elif not _inside(pods, "spec", "containers"):
        here.field("spec").field("containers").say("missing")
    selector, here = spec.get("selector"), place.field("selector")
    if selector is None:
        here.say("missing")
    elif isinstance(selector, dict):
        wanted = selector.get("matchLabels", {})
        if not wanted and "matchExpressions" not in selector:
            here.say("selects by no label")
        for label, value in wanted.items() if isinstance(wanted, dict) and pods is not None else ():
            if not isinstance(labels, dict) or labels.get(label) != value:
                here.field("matchLabels").field(label).say("no such label in spec.template")


def _inside(value: object, *names: str) -> object:
    """What lies at a path within a value of unknown shape; None where the path ends early."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _routing(canary: Mapping[str, Any], place: Place) -> None:
    services = []
    for name in ("canaryService", "stableService"):
        service, here = schema.text(canary, name), place.field(name)
        services.append(service)
        if not service and canary.get(name) is not schema.WRONG:
            here.say(_NEEDED)
        elif service and not _SERVICE.fullmatch(service):
            here.say(f"{shortened(service)} is no name of a Service: small letters, digits and -")
    if services[0] and services[0] == services[1]:
        place.field("stableService").say("has to be another service than canaryService")
    routing, place = canary.get("trafficRouting", {}), place.field("trafficRouting")
    if isinstance(routing, dict):
        traefik, place = routing.get("traefik"), place.field("traefik")
        if traefik is None:
            place.say(_NEEDED)
        elif isinstance(traefik, dict):
            schema.filled(traefik, "weightedTraefikServiceName", place)


def _is_zero(value: object) -> bool:
    return value == 0 or (isinstance(value, str) and _ZEROS.fullmatch(value) is not None)


def _step(fields: Mapping[str, Any] | None, place: Place) -> Step:
    if fields is None:
        return SetWeight(0)
    kinds = _EXCLUSIVE & set(fields)
    if not fields:
        place.say("no step: setWeight, pause ({} waits for a person) or analysis is missing")
    if len(kinds) > 1:
        place.say(f"a step is one thing, not {' and '.join(sorted(kinds))}")
    if isinstance(fields.get("analysis"), dict):
        return _analysis(fields["analysis"], place.field("analysis"))
    if isinstance(fields.get("pause"), dict):
        return _pause(fields["pause"], place.field("pause"))
    weight = fields.get("setWeight")
    if isinstance(weight, int) and not 0 <= weight <= WEIGHT_MAX:
        place.field("setWeight").say(f"has to be from 0 to {WEIGHT_MAX}, not {weight}")
    return SetWeight(weight if isinstance(weight, int) else 0)


def _pause(fields: Mapping[str, Any], place: Place) -> Pause:
    duration = fields.get("duration")
    if not isinstance(duration, int | str):
        return Pause(None)
    try:
        return Pause(pause_s(duration))
    except DurationError as error:
        place.field("duration").say(str(error))
        return Pause(None)


def _background(canary: Mapping[str, Any], steps: int, place: Place) -> Background | None:
    fields, place = canary.get("analysis"), place.field("analysis")
    if not isinstance(fields, dict):
        return None
    start = schema.at_least(fields, "startingStep", 0, place)
    if start >= max(steps, 1) and isinstance(canary.get("steps", []), list):
        place.field("startingStep").say(f"there is no step {start}; the first one is 0")
    return Background(_analysis(fields, place), start)


def _analysis(fields: Mapping[str, Any], place: Place) -> AnalysisRef:
    names = []
    for entry, here in schema.entries(fields, "templates", place):
        name = schema.text(entry or {}, "templateName")
        if entry is not None and entry.get("templateName") in (None, ""):
            here.field("templateName").say("missing")
        names.append(name)
    if not fields.get("templates"):
        place.field("templates").say("names no template")
    # A rollout's argument without a value is an empty text for Argo.
    arguments = {name: value or "" for name, value in _arguments(fields, place).items()}
    return AnalysisRef(tuple(names), arguments, _dry_run(fields, place))


def _arguments(fields: Mapping[str, Any], place: Place) -> dict[str, str | None]:
    arguments: dict[str, str | None] = {}
    for entry, here in schema.entries(fields, "args", place):
        name = schema.filled(entry or {}, "name", here)
        if name and name in arguments:
            here.field("name").say(f"{shortened(name)} is there twice")
        value = (entry or {}).get("value")
        arguments[name] = value if isinstance(value, str) else None
    return arguments


def _dry_run(fields: Mapping[str, Any], place: Place) -> tuple[str, ...]:
    entries = schema.entries(fields, "dryRun", place)
    return tuple(schema.text(entry or {}, "metricName") for entry, _ in entries)


def _metric(fields: Mapping[str, Any], place: Place) -> None:
    schema.filled(fields, "name", place)
    for name in _LIMITS:
        value = fields.get(name)
        if isinstance(value, str) and "{{" not in value and not _NUMBER.fullmatch(value):
            place.field(name).say(f"{shortened(value, 40)} is no whole number")
    for name in ("successCondition", "failureCondition"):
        text = schema.text(fields, name)
        # What is wrong with it otherwise, Argo too says at the first measurement.
        if "{{" not in text and (what := unsupported(text)):
            place.field(name).say(what)
    for name in ("interval", "initialDelay"):
        text = schema.text(fields, name)
        if text and "{{" not in text:
            _duration(text, place.field(name))
    provider, place = fields.get("provider"), place.field("provider").field("prometheus")
    if not isinstance(provider, dict):
        return
    prometheus = provider.get("prometheus")
    if not provider:
        place.say("missing")
    if isinstance(prometheus, dict):
        schema.at_least(prometheus, "timeout", 1, place)
        if not prometheus.get("query"):
            place.field("query").say("missing")
        address = schema.text(prometheus, "address")
        if address and "{{" not in address and not is_url(address):
            place.field("address").say(f"{shortened(address)} is no URL such as http://prometheus")


def _duration(text: str, place: Place) -> None:
    try:
        if duration_s(text) < 0:
            place.say(f"{text} is negative; the sandbox does not run that")
    except DurationError as error:
        place.say(str(error))
