"""The live session of a take-home: one supervisor process, its state file, and its lock.

    .sandbox/live/state.json   what runs and how it fares, rewritten about once a second
    .sandbox/live/lock         held by the supervisor as long as it lives
    .sandbox/live/*.log        what it and the service print

The commands here only read those files and signal the supervisor; the work is in `supervisor.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from sandbox import paths
from sandbox.errors import HarnessFault, UsageError
from sandbox.system.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = paths.STATE / "live"
STATE = FOLDER / "state.json"
LOCK = FOLDER / "lock"
SUPERVISOR_LOG = FOLDER / "supervisor.log"
SERVICE_LOG = FOLDER / "service.log"
# Where service and registry answer if nobody else does.
SERVICE_PORT, REGISTRY_PORT = 8080, 5000
# The first start trains the champion.
STARTED_WITHIN_S = 300.0
STOPPED_WITHIN_S = 20.0


@dataclass(frozen=True)
class Figures:
    """What a customer would see, on the simulated clock.

    Args:
        now: the simulated instant, ISO 8601.
        requests_per_s: scoring requests answered in the last wall-clock seconds.
        p95_ms: of the last few hundred requests.
        errors: share of the last few hundred requests without a usable answer.
        auc: of the last few thousand flights whose labels are in; None before there are any.
        pipeline_auc: what the pipeline's own predictions reach on the same flights.
        labelled: how many flights that are.
        mean_prediction: over the same flights.
        late_rate: what really happened to them.
        version: of the model that answered last, as the service says; empty where it does not say.
    """

    now: str = ""
    requests_per_s: float = 0.0
    p95_ms: float = 0.0
    errors: float = 0.0
    auc: float | None = None
    pipeline_auc: float | None = None
    labelled: int = 0
    mean_prediction: float | None = None
    late_rate: float | None = None
    version: str = ""


@dataclass(frozen=True)
class Alert:
    """An alert whose expression gives something.

    Args:
        name: as the rule says.
        severity: its label of that name; empty where it has none.
        firing: whether it fires; otherwise its `for` is not over.
        since: since when its expression has given something, ISO 8601, on the wall clock.
        series: for how many series it does.
    """

    name: str
    severity: str
    firing: bool
    since: str
    series: int


@dataclass(frozen=True)
class Monitoring:
    """What the Prometheus of a session says.

    Args:
        url: where it answers; empty where it does not run.
        problem: why it does not run or answer, in words.
        rules: how many rules are loaded, recording rules among them.
        refused: why the rule file as it was last saved is not loaded; empty where it is.
        troubles: targets that cannot be scraped, and rules that cannot be evaluated.
        alerts: those that are not quiet, firing ones first.
    """

    url: str = ""
    problem: str = ""
    rules: int = 0
    refused: str = ""
    troubles: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True)
class State:
    """What the supervisor last wrote.

    Args:
        pid: its process.
        scenario: what it runs.
        seed: which variant.
        workspace: the folder the service runs in.
        phase: `starting`, `running`, or `down` while the service does not answer.
        problem: why it is down, in words.
        service_url: where the model service answers.
        registry_url: where the MLflow server answers.
        isolation: what keeps the service apart from the machine.
        answered_at: when the service first gave a prediction, seconds since the epoch; 0 before.
        figures: how it fares.
        monitoring: what Prometheus says; None in a scenario without one.
        releases: versions that can be released, in scenarios about that.
        version: the one in production there.
    """

    pid: int
    scenario: str
    seed: str
    workspace: str
    phase: str
    problem: str = ""
    service_url: str = ""
    registry_url: str = ""
    isolation: str = ""
    answered_at: float = 0.0
    figures: Figures = field(default_factory=Figures)
    monitoring: Monitoring | None = None
    releases: tuple[str, ...] = ()
    version: str = ""


def write_state(state: State) -> None:
    """Write the state file in one step: a reader sees all of it or the one before."""
    aside = STATE.with_suffix(".partial")
    aside.write_text(json.dumps(asdict(state)), encoding="utf-8")
    aside.replace(STATE)


def read_state(file: Path = STATE) -> State:
    """Read a state file.

    Raises:
        OSError: there is none.
        ValueError, TypeError or KeyError: another version of the sandbox wrote it.
    """
    fields = json.loads(file.read_text("utf-8"))
    fields["figures"] = Figures(**fields["figures"])
    if (said := fields["monitoring"]) is not None:
        alerts = tuple(Alert(**alert) for alert in said["alerts"])
        parts = {"troubles": tuple(said["troubles"]), "alerts": alerts}
        fields["monitoring"] = Monitoring(**{**said, **parts})
    fields["releases"] = tuple(fields["releases"])
    return State(**fields)


def running() -> State | None:
    """The live session's state; None where no supervisor lives."""
    if not _locked():
        return None
    try:
        return read_state()
    except (OSError, ValueError, TypeError, KeyError):
        # It lives and has not written yet.
        return None


def running_on(workspace: Path) -> State | None:
    """The live session's state if it runs this workspace; None where nothing runs.

    Raises:
        UsageError: another workspace is running.
    """
    state = running()
    if state is not None and state.workspace != str(workspace):
        raise UsageError(
            expected=f"nothing running, or {workspace}",
            seen=f"{state.workspace} running",
            hint="make stop",
        )
    return state


def first() -> bool:
    """Whether nothing has ever run here."""
    return not FOLDER.exists()


def start(workspace: Path, runtime: str) -> State:
    """Start the supervisor for a workspace, or find the one that runs it already.

    Raises:
        UsageError: another workspace is running.
        HarnessFault: the supervisor ended before anything ran.
    """
    if (state := running_on(workspace)) is not None:
        return state
    FOLDER.mkdir(parents=True, exist_ok=True)
    STATE.unlink(missing_ok=True)
    with SUPERVISOR_LOG.open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "sandbox.live.supervisor", str(workspace), runtime],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return wait_for(
        _started,
        what="the take-home to start",
        within_s=STARTED_WITHIN_S,
        stop_when=lambda: _last_words() if supervisor.poll() is not None else None,
        fault=HarnessFault,
    )


def stop() -> bool:
    """Stop the live session; whether there was one. Returns when everything of it is gone."""
    state = running()
    if state is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    wait_for(
        lambda: not _locked() or None,
        what="the take-home to stop",
        within_s=STOPPED_WITHIN_S,
    )
    STATE.unlink(missing_ok=True)
    return True


def hold_lock() -> int:
    """Take the lock for the rest of this process' life; gives its file descriptor.

    Raises:
        UsageError: somebody else has it.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise UsageError(
            expected="no other take-home running", seen="one", hint="make stop"
        ) from error
    return descriptor


def _locked() -> bool:
    try:
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _started() -> State | None:
    state = running()
    return state if state and state.phase != "starting" else None


def _last_words() -> str:
    said = SUPERVISOR_LOG.read_text("utf-8", "replace").strip().splitlines()
    return said[-1] if said else "an end without a word"
