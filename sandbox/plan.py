"""A plan: which episodes and probes a submission is put through, and how each is recorded.

A grader's `plan.py` defines `plan(stage) -> Plan`. A step is a function from the stage to plain
JSON; a list runs in order, a tuple side by side. What a step raises decides whose
fault it was; nothing it raises stops the other steps.
"""

from __future__ import annotations

import secrets
import shutil
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sandbox import flights, references
from sandbox.errors import HarnessFault, SandboxError, SubmissionFault
from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.progress import Progress, Silent
from sandbox.stack import service_spec
from sandbox.system.modules import module_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from sandbox.references import Reference
    from sandbox.runtimes.base import Runtime, Service
    from sandbox.runtimes.specs import ServiceSpec
    from sandbox.scenario import Scenario
    from sandbox.stack import Stack
    from sandbox.variant import Variant


T = TypeVar("T")


@dataclass
class Stage:
    """What a step may use.

    Args:
        scenario: the scenario.
        variant: what the seed chose.
        submitted: the submission's folder as it came; nothing of it runs in there.
        workspace: a copy of it; the services run in that one and may write to it.
        runtime: where to run more of it.
        scratch: a folder of the harness for files that a step hands to the submission.
        releases: the trained registry as the harness keeps it, out of every submission's reach.
        pristine: the workspace as it was handed out.
        progress: is told how far replays have come.
        running: the stack; None where it did not start.
        fault: why it did not.
    """

    scenario: Scenario
    variant: Variant
    submitted: Path
    workspace: Path
    runtime: Runtime
    scratch: Path
    releases: Path
    pristine: Path
    progress: Progress = field(default_factory=Silent)
    running: Stack | None = None
    fault: SandboxError | None = None
    _made: dict[str, Any] = field(default_factory=dict, repr=False)
    _making: dict[str, RLock] = field(default_factory=dict, repr=False)

    @property
    def stack(self) -> Stack:
        """The running services.

        Raises:
            SubmissionFault: they did not start.
        """
        if self.fault is not None:
            raise self.fault
        if self.running is None:
            raise HarnessFault(expected="a running stack", seen="none was started")
        return self.running

    @contextmanager
    def replica(
        self, *, pristine: bool = False, version: str | None = None, ready: bool = True
    ) -> Iterator[Service]:
        """One more replica of the model service, on a copy of the workspace of its own, so that it
        remembers nothing of what others were asked.

        Args:
            pristine: whether it is the service as it was handed out.
            version: the only version it serves; None for the registry's champion.
            ready: whether to wait until it is ready; otherwise that is up to the caller.

        Raises:
            SubmissionFault: it does not get ready.
        """
        spec = self._replica_spec(pristine=pristine, version=version)
        with self.runtime.start(spec) if ready else self.runtime.launch(spec) as service:
            yield service

    def _replica_spec(self, *, pristine: bool = False, version: str | None = None) -> ServiceSpec:
        came_from = self.pristine if pristine else self.submitted
        # A name that says nothing: a submission sees in which folder it runs.
        workspace = shutil.copytree(came_from, self.scratch / f"replica-{secrets.token_hex(4)}")
        return service_spec(self.scenario, workspace, self.stack.registry.url, version=version)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What several steps need is made by the first that asks; the others wait for it, and
        nobody waits for something else.
        """
        with self._making.setdefault(name, RLock()):
            if name not in self._made:
                self._made[name] = make()
            made: T = self._made[name]
            return made

    @property
    def flights(self) -> pd.DataFrame:
        """The real data set."""
        return self.once("flights", flights.load)

    @property
    def champion(self) -> Reference:
        """The champion as the harness holds it."""
        return self.once("champion", lambda: references.champion(self.releases))


@dataclass(frozen=True)
class Step:
    """One episode or probe.

    Args:
        name: also the name of its document in the evidence.
        run: does it and gives what it saw, as plain JSON.
    """

    name: str
    run: Callable[[Stage], Mapping[str, Any]]


Plan: TypeAlias = "Step | Sequence[Plan]"


def collect(plan: Plan, stage: Stage, writer: EvidenceWriter) -> None:
    """Run every step and record it, whatever happens in it."""
    if isinstance(plan, Step):
        _write(_recorded(plan, stage), writer)
    elif isinstance(plan, list):
        for part in plan:
            collect(part, stage, writer)
    else:
        with ThreadPoolExecutor(len(plan)) as pool:
            for done in [pool.submit(collect, part, stage, writer) for part in plan]:
                done.result()


def _write(record: Record, writer: EvidenceWriter) -> None:
    try:
        writer.write(record)
    except (HarnessFault, RecursionError) as error:
        # What it saw is not plain JSON. That is the step's fault, and the others still run.
        outcome, reason = Outcome.HARNESS_FAULT, f"{type(error).__name__}: {error}"
        writer.write(Record(record.step, outcome, {}, reason, duration_s=record.duration_s))


def _recorded(step: Step, stage: Stage) -> Record:
    began = time.monotonic()
    try:
        data = step.run(stage)
        return Record(step.name, Outcome.RECORDED, data, duration_s=time.monotonic() - began)
    except SubmissionFault as error:
        outcome, reason, detail = Outcome.SUBMISSION_FAULT, *_split(error)
    except Exception as error:
        outcome, reason = Outcome.HARNESS_FAULT, f"{type(error).__name__}: {error}"
        detail = "".join(traceback.format_exception(error))
    return Record(step.name, outcome, {}, reason, detail, time.monotonic() - began)


def _split(error: SubmissionFault) -> tuple[str, str]:
    """The first line is the reason; what follows (log lines) is detail."""
    reason, _, detail = str(error).partition("\n")
    return reason, detail


def load_plan(path: Path) -> Callable[[Stage], Plan]:
    """The `plan` function of a grader's or a scenario's `plan.py`.

    Raises:
        HarnessFault: there is none.
    """
    try:
        module = module_from(path.read_text("utf-8"), f"plan_of_{path.parent.name}", str(path))
        plan: Callable[[Stage], Plan] = module.plan
    except (OSError, SyntaxError, AttributeError, ImportError) as error:
        raise HarnessFault(expected=f"a function plan(stage) in {path}", seen=str(error)) from error
    return plan
