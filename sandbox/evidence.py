"""What episodes and probes recorded, frozen on disk: the only thing graders see.

A folder of evidence holds one JSON document per step of a plan and an index with the SHA-256 digest
of each. Documents are written while the stack runs; `freeze` closes the folder. A check reads with
`Evidence`, which refuses a document that was changed after freezing.

A step is recorded whatever happened in it, so that a check can tell whose fault it was:

    recorded           the step ran to its end; `data` is what it saw
    submission fault   the candidate's code broke its contract; reading it fails the check
    harness fault      ours broke; reading it makes the check ungradable
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox.errors import HarnessFault, SubmissionFault, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INDEX = "index.json"
CASE = "case"


class Outcome(StrEnum):
    """How a step ended."""

    RECORDED = "recorded"
    SUBMISSION_FAULT = "submission fault"
    HARNESS_FAULT = "harness fault"


@dataclass(frozen=True)
class Record:
    """One step's record.

    Args:
        step: the step's name in the plan, also the name of its file.
        outcome: how it ended.
        data: what it saw; empty unless recorded.
        reason: one line on the fault; empty when recorded.
        detail: more about the fault (log lines, traceback), for the reader.
        duration_s: wall-clock seconds the step took.
    """

    step: str
    outcome: Outcome
    data: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    duration_s: float = 0.0


class StepFault(SubmissionFault):
    """A step that the candidate's code broke.

    Args:
        step: the step's name.
        reason: one line on the fault.

    Attributes:
        where: the step's name, for the verdict that comes of it.
    """

    def __init__(self, *, step: str, reason: str) -> None:
        self.where = step
        super().__init__(expected=f"step {step!r} to run to its end", seen=reason)


class EvidenceWriter:
    """Writes records into an empty folder, then freezes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                expected=f"an empty folder for evidence at {folder}",
                seen="files in it",
                hint="choose another folder",
            )

    def write(self, record: Record) -> None:
        """Write one record; a step can be recorded once.

        Raises:
            HarnessFault: the step is recorded already, its name is no name of a file of its own,
                the evidence is frozen, or the data is not plain JSON.
        """
        name = f"{record.step}.json"
        path = self.folder / name
        if path.parent != self.folder or name == INDEX:
            raise HarnessFault(expected="a step's name to name a file", seen=repr(record.step))
        if (self.folder / INDEX).exists():
            raise HarnessFault(
                expected=f"step {record.step!r} before freezing", seen="frozen evidence"
            )
        if path.exists():
            raise HarnessFault(expected=f"one record of step {record.step!r}", seen="a second one")
        try:
            text = json.dumps(asdict(record), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise HarnessFault(
                expected=f"plain JSON without NaN from step {record.step!r}", seen=str(error)
            ) from error
        path.write_text(text, encoding="utf-8")

    def freeze(self) -> Evidence:
        """Write the index of digests and hand back the evidence for reading."""
        digests = {path.name: _digest(path) for path in sorted(self.folder.glob("*.json"))}
        (self.folder / INDEX).write_text(json.dumps(digests, indent=1), encoding="utf-8")
        return Evidence(self.folder)


class Evidence:
    """Frozen evidence, read by step name: `evidence["parity"]` gives that step's data.

    Raises:
        UsageError: the folder holds no frozen evidence.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._digests: dict[str, str] = json.loads((folder / INDEX).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                expected=f"frozen evidence with {INDEX} in {folder}",
                seen=str(error),
                hint="give the folder that `sandbox grade` wrote",
            ) from error

    @property
    def steps(self) -> list[str]:
        """Names of all recorded steps."""
        return [name.removesuffix(".json") for name in self._digests]

    @property
    def digest(self) -> str:
        """SHA-256 over the index, and so over every document."""
        return _digest(self.folder / INDEX)

    def record(self, step: str) -> Record:
        """One step's whole record, faults included.

        Raises:
            HarnessFault: the step was never recorded, or its file changed after freezing.
        """
        name = f"{step}.json"
        path = self.folder / name
        if name not in self._digests or not path.is_file():
            raise HarnessFault(expected=f"a record of step {step!r}", seen=f"only {self.steps}")
        if _digest(path) != self._digests[name]:
            raise HarnessFault(
                expected=f"{path} as it was frozen",
                seen="another digest",
                hint="collect the evidence again",
            )
        fields = json.loads(path.read_text("utf-8"))
        return Record(**{**fields, "outcome": Outcome(fields["outcome"])})

    def __getitem__(self, step: str) -> Mapping[str, Any]:
        """A step's data.

        Raises:
            StepFault: the step ended by the candidate's fault.
            HarnessFault: it ended by ours, or was never recorded.
        """
        record = self.record(step)
        if record.outcome is Outcome.SUBMISSION_FAULT:
            raise StepFault(step=step, reason=record.reason)
        if record.outcome is Outcome.HARNESS_FAULT:
            raise HarnessFault(expected=f"step {step!r} to run to its end", seen=record.reason)
        return record.data

    def __contains__(self, step: str) -> bool:
        return f"{step}.json" in self._digests


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
