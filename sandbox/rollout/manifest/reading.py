"""A real Argo Rollouts manifest, read into a delivery: one `Rollout` and its `AnalysisTemplate`s.

The file is what a team would apply to a cluster, and a candidate's: whatever is wrong with it is a
`ManifestError` that tells all of it at once. Nothing in it is passed over in silence; `fields.py`
has the list of what is run, what is accepted without effect and why, and what is refused.

Argo validates in two places, and so does this. What makes it refuse a rollout (`InvalidSpec`) is a
problem here, also what it looks up: templates that are not there, arguments without a value, two
metrics of one name, a metric without end in a step. What it finds out only when a run begins, such
as limits that do not go together, is none: the rollout starts, the run is an Error (`resolve`), and
the rollout aborts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.rollout.manifest import objects
from sandbox.rollout.manifest.documents import load
from sandbox.rollout.manifest.problems import ManifestError, Place, Problem
from sandbox.rollout.manifest.resolving import (
    AnalysisError,
    combined,
    is_endless,
    substituted,
    used,
)
from sandbox.rollout.spec import AnalysisRef, Delivery, Rollout, Template
from sandbox.untrusted import shortened, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ARGO = "argoproj.io/v1alpha1"
# What may stand in the file, and in which version. A Service is passed over: `WITHOUT_EFFECT`.
TEMPLATE = "AnalysisTemplate"
KINDS = {"Rollout": ARGO, TEMPLATE: ARGO, "Service": "v1"}
_ARGO_ONLY = frozenset({"AnalysisRun", "ClusterAnalysisTemplate", "Experiment"})
# What Argo puts in for an argument without a default when it validates an analysis of a step.
_DUMMY = "dummy-value"


def read(text: str) -> Delivery:
    """The delivery that a manifest describes.

    Raises:
        ManifestError: all that is wrong with it.
    """
    problems: list[Problem] = []
    documents = _by_kind(load(text), problems)
    templates, broken = _templates(documents[TEMPLATE], problems)
    rollouts = documents["Rollout"]
    for _, place in rollouts[1:]:
        place.say("there is a second Rollout; the sandbox rolls out one")
    if not rollouts:
        raise ManifestError([*problems, Problem("file", "there is no Rollout in it")])
    document, place = rollouts[0]
    rollout = objects.rollout(document, place)
    homes = {str(_inside(one, "name")): _inside(one, "namespace") for one, _ in documents[TEMPLATE]}
    for ref, background, here in _analyses(rollout, place):
        _check_names(ref, here, homes, _inside(document, "namespace"))
        if all(name in templates and name not in broken for name in ref.templates):
            _check_run(ref, here, templates, background=background)
    if problems:
        raise ManifestError(problems)
    return Delivery(rollout, templates)


def _by_kind(
    documents: Sequence[Any], problems: list[Problem]
) -> dict[str, list[tuple[dict[str, Any], Place]]]:
    """Documents with their places, by kind, those left out that have no place in the file."""
    found: dict[str, list[tuple[dict[str, Any], Place]]] = {kind: [] for kind in KINDS}
    for number, document in enumerate(documents, start=1):
        place = Place(f"document {number}: ", problems)
        if not isinstance(document, dict):
            if document is not None:
                place.say("has to be an object with apiVersion, kind and metadata")
            continue
        kind, version = document.get("kind"), document.get("apiVersion")
        if not isinstance(kind, str):
            place.field("kind").say("missing")
        elif kind in _ARGO_ONLY:
            place.say(f"Argo knows {kind}; the sandbox does not run it")
        elif kind not in KINDS:
            place.say(f"{shortened(kind)} is none of {', '.join(KINDS)}")
        else:
            name = _inside(document, "name")
            if isinstance(name, str):
                place = Place(f"{kind}/{visible(name[:60])}: ", problems)
            if version != KINDS[kind] and (version is not None or kind == "Service"):
                place.field("apiVersion").say(f"has to be {KINDS[kind]}")
            found[kind].append((document, place))
    return found


def _inside(document: Mapping[str, Any], name: str) -> Any:
    """A field of a document's metadata; None where there is none."""
    metadata = document.get("metadata")
    return metadata.get(name) if isinstance(metadata, dict) else None


def _templates(
    documents: Sequence[tuple[dict[str, Any], Place]], problems: list[Problem]
) -> tuple[dict[str, Template], set[str]]:
    """Templates by name, and the names of those that cannot be looked into any further."""
    templates: dict[str, Template] = {}
    broken: set[str] = set()
    for document, place in documents:
        before = len(problems)
        template = objects.template(document, place)
        if template.name and template.name in templates:
            place.say("there is a second AnalysisTemplate of this name")
        if len(problems) > before:
            broken.add(template.name)
        templates[template.name] = template
    return templates, broken


def _analyses(rollout: Rollout, place: Place) -> Iterator[tuple[AnalysisRef, bool, Place]]:
    """Every analysis of a rollout: which, whether it is beside the steps, and where it stands."""
    canary = place.field("spec").field("strategy").field("canary")
    for number, step in enumerate(rollout.steps):
        if isinstance(step, AnalysisRef):
            yield step, False, canary.field("steps").entry(number).field("analysis")
    if rollout.background is not None:
        yield rollout.background.analysis, True, canary.field("analysis")


def _check_names(
    ref: AnalysisRef, place: Place, homes: Mapping[str, object], namespace: object
) -> None:
    """Templates are in the file, and in the rollout's namespace."""
    for number, name in enumerate(ref.templates):
        here = place.field("templates").entry(number).field("templateName")
        if name and name not in homes:
            there = ", ".join(shortened(one) for one in list(homes)[:5])
            only = f", only {there}" if there else ""
            here.say(f"there is no AnalysisTemplate {shortened(name)} in the file{only}")
        elif name and None not in (homes[name], namespace) and homes[name] != namespace:
            here.say(f"{shortened(name)} is in another namespace than the rollout")


def _check_run(
    ref: AnalysisRef, place: Place, templates: Mapping[str, Template], *, background: bool
) -> None:
    """What Argo makes of an analysis when it validates the rollout.

    The rules are those of `ValidateAnalysisTemplatesWithType` in
    `pkg/apis/rollouts/validation/validation_references.go`. Whether a step's metric ends is seen
    from the template alone, whatever the rollout gives.
    """
    try:
        chosen = used(ref, templates)
        combined(ref, chosen)
        for template in () if background else chosen:
            _check_end(template)
    except AnalysisError as error:
        place.say(str(error))


def _check_end(template: Template) -> None:
    defaults = {name: _DUMMY if value is None else value for name, value in template.args.items()}
    for metric in substituted(template.metrics, defaults):
        if is_endless(metric):
            name = shortened(str(metric["name"]))
            raise AnalysisError(
                f"metric {name} has no end as its template stands; in a step it needs a count, "
                "as a number or from an arg that has a default"
            )
