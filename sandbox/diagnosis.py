"""The diagnosis: a candidate's findings, read carefully and scored by F1 against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sandbox.variant import Variant

FILE = "diagnosis.yaml"
BYTES_MAX = 256 * 1024
FINDINGS_MAX = 50
NOTES_CHARACTERS_MAX = 20_000
KEYS = ("component", "subject", "kind")
OPTIONAL = ("since",)
# With an F1 of this or less a list of findings is no better than a few lucky guesses.
F1_WORTHLESS = 0.5


def read(workspace: Path) -> dict[str, Any]:
    """Read a workspace's diagnosis as plain JSON: `findings`, `notes`, and a `problem` in words.

    Nothing in the file raises: a diagnosis that cannot be read has a problem and no findings.
    """
    try:
        content = _content(workspace / FILE)
        findings = _findings(content.get("findings") or [])
    except _UnreadableError as error:
        return {"findings": [], "notes": "", "problem": str(error)}
    notes = content.get("notes")
    text = notes[:NOTES_CHARACTERS_MAX] if isinstance(notes, str) else ""
    return {"findings": findings, "notes": text, "problem": ""}


def truth(path: Path, variant: Variant) -> list[dict[str, Any]]:
    """What broke in a variant, from a scenario's `truth.yaml`.

    The file gives, by parameter of the variant and by its value, the finding that names it:
    `component`, and as lists of which any will do, `subject` and `kind`.
    """
    facts = yaml.safe_load(path.read_text("utf-8"))
    return [facts[name][value] for name, value in variant.parameters.items() if name in facts]


def f1(findings: Sequence[Mapping[str, str]], truth: Sequence[Mapping[str, Any]]) -> float:
    """F1 of the findings: 2 · matched / (findings + truths).

    A truth's `subject` lists what it may be called; each truth and each finding is matched at most
    once. One finding more than there are truths is allowed; more than that gives 0, so that
    guessing all loses.
    """
    distinct = {tuple(finding[key] for key in KEYS) for finding in findings}
    hits = [
        (finding, number)
        for finding in distinct
        for number, fact in enumerate(truth)
        if _matches(finding, fact)
    ]
    right, found = {finding for finding, _ in hits}, {number for _, number in hits}
    # Two names for one truth are one finding.
    said = len(distinct) - len(right) + min(len(right), len(found))
    if not said or said > len(truth) + 1:
        return 0.0
    return 2 * min(len(right), len(found)) / (said + len(truth))


def share(findings: Sequence[Mapping[str, str]], truth: Sequence[Mapping[str, Any]]) -> float:
    """Share of the points: the F1, or nothing where it is worthless."""
    value = f1(findings, truth)
    return value if value > F1_WORTHLESS else 0.0


def _matches(finding: tuple[str, ...], fact: Mapping[str, Any]) -> bool:
    component, subject, kind = finding
    return component == fact["component"] and subject in fact["subject"] and kind in fact["kind"]


class _UnreadableError(Exception):
    """What is wrong with the file, in words."""


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > BYTES_MAX:
            raise _UnreadableError(f"no plain file {FILE} of at most {BYTES_MAX} bytes")
        # Every scalar stays text: no tag can raise, no merge key and no number can be a bomb.
        content = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - safer
    except (OSError, yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        said = " ".join(str(error).split())[:300]
        raise _UnreadableError(f"{FILE} is not YAML: {said}") from error
    if not isinstance(content, dict):
        raise _UnreadableError(f"{FILE} has to be a mapping with the key findings")
    return content


def _findings(findings: object) -> list[dict[str, str]]:
    if not isinstance(findings, list) or len(findings) > FINDINGS_MAX:
        raise _UnreadableError(f"findings has to be a list of at most {FINDINGS_MAX}")
    cleaned = []
    for number, finding in enumerate(findings, start=1):
        if not isinstance(finding, dict) or not set(KEYS) <= set(finding):
            raise _UnreadableError(f"finding {number} needs the keys {', '.join(KEYS)}")
        if set(finding) - set(KEYS) - set(OPTIONAL):
            raise _UnreadableError(f"finding {number} has keys besides {', '.join(KEYS)}")
        # Only text: turning a nest of YAML aliases into text would take for ever.
        if not all(isinstance(finding[key], str) for key in KEYS):
            raise _UnreadableError(f"finding {number}: {', '.join(KEYS)} have to be text")
        cleaned.append({key: finding[key][:200].strip().lower() for key in KEYS})
    return cleaned
