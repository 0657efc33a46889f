"""Attempts: known submissions kept beside the graders to prove them.

A folder under `graders/<scenario>/attempts/` with `expected.yaml` and, where files are new or
changed, an `overlay/` that is laid over the broken workspace.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import Field, ValidationError

from sandbox import compose, diagnosis, overlay, paths, scenario, variant
from sandbox.errors import UsageError
from sandbox.scenario import Strict

if TYPE_CHECKING:
    from sandbox.variant import Variant

EXPECTED = "expected.yaml"
# Seeds to choose a proof's variants from.
CANDIDATES = 200


class Attempt(Strict):
    """What `expected.yaml` says.

    Args:
        name: the folder's name.
        kind: what the attempt is there to prove.
        summary: what was done, in a line.
        healthy: files taken over from the healthy service.
        also: files of other attempts laid over as well, `<attempt>/overlay/<file>`.
        removes: files that are deleted.
        points: the exact total it has to earn.
        checks: exact points of single checks.
        folder: where it lies.
    """

    name: str
    kind: Literal["untouched", "oracle", "right fix", "partial fix", "cheat"]
    summary: str
    healthy: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    points: float = Field(ge=0, le=100)
    checks: dict[str, float] = Field(default_factory=dict)
    folder: Path


def load_all(name: str) -> list[Attempt]:
    """Every attempt of a scenario, by name.

    Raises:
        UsageError: an `expected.yaml` is not as it should be.
    """
    found = sorted((paths.GRADERS / name / "attempts").glob(f"*/{EXPECTED}"))
    return [_read(path) for path in found]


def make(attempt: Attempt, chosen: Variant, destination: Path) -> Path:
    """Make the workspace that somebody with this attempt would submit."""
    setting = scenario.load(chosen.scenario)
    compose.compose(setting, chosen, destination)
    for path in attempt.removes:
        (destination / path).unlink()
    for path in attempt.healthy:
        shutil.copyfile(paths.HEALTHY / path, destination / path)
    graders = paths.GRADERS / setting.name
    truth = graders / "truth.yaml"
    context = {
        **chosen.parameters,
        "truth": diagnosis.truth(truth, chosen) if truth.exists() else [],
    }
    for path in attempt.also:
        other, _, relative = path.partition("/overlay/")
        folder = graders / "attempts" / other / "overlay"
        overlay.lay_file(folder / relative, destination / relative, context, setting.folder)
    overlay.lay(attempt.folder / "overlay", destination, context, setting.folder)
    return destination


def variants(name: str, seeds: int) -> list[Variant]:
    """So many variants, always the same ones, that together have as many choices as they can."""
    setting = scenario.load(name)
    candidates = [variant.choose(setting, f"proof-{number}") for number in range(1, CANDIDATES)]
    chosen: list[Variant] = []
    seen: set[tuple[str, object]] = set()
    for _ in range(seeds):
        best = max(candidates, key=lambda each: len(set(each.parameters.items()) - seen))
        candidates.remove(best)
        chosen.append(best)
        seen |= set(best.parameters.items())
    return chosen


def _read(path: Path) -> Attempt:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        return Attempt(**content, name=path.parent.name, folder=path.parent)
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise UsageError(
            expected=f"{path} as docs/authoring.md describes it",
            seen=" ".join(str(error).split())[:300],
            hint="mend the file",
        ) from error
