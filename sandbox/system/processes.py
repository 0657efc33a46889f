"""Running another program: `run` takes one to its end, `start` begins one that stays.

Every program leads a session and a process group of its own, so that it can be ended as a whole
and a Ctrl-C in the terminal reaches the harness alone, which then ends it in order. What it prints
is kept up to a limit, from the end: a submission may print without end, and errors come last.

Exit statuses are those of a shell, so that they mean the same in every runtime: 126 and 127 for a
command that cannot be run or found, 128 + n for one that signal n ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sandbox.errors import HarnessFault
from sandbox.system.tails import Tails

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TAIL_BYTES = 256 * 1024
CANNOT_RUN = 126
NOT_FOUND = 127
# How often an ending is looked for while something still holds the pipes open; otherwise their
# closing wakes us at once.
_POLL_S = 0.01
# A killed process is gone in milliseconds. Only one stuck in the kernel takes longer.
GONE_WITHIN_S = 10.0


@dataclass(frozen=True)
class Completed:
    """A command that has ended.

    Args:
        status: its exit status; None when it ran out of time and was ended.
        stdout: the last part of what it printed.
        stderr: the last part of its complaints.
        timed_out: whether it was ended because its time was up.
        duration_s: wall-clock seconds it took.
    """

    status: int | None
    stdout: str
    stderr: str
    timed_out: bool
    duration_s: float


class Started:
    """A running program with everything in its process group.

    When the program itself has ended, the rest of its group is ended too, and at once: a group
    without its leader must not be signalled later, when its id may belong to somebody else.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._gone = False
        # One thread may ask whether a service lives while another stops it.
        self._lock = threading.RLock()

    @property
    def status(self) -> int | None:
        """The exit status as last seen; a signal n counts as 128 + n."""
        code = self._process.returncode
        return 128 - code if code is not None and code < 0 else code

    def poll(self) -> int | None:
        """The exit status, or None while the program runs."""
        if self._process.poll() is not None:
            self.kill()
        return self.status

    def wait(self, within_s: float) -> int | None:
        """The exit status, waiting a while for it; None if the program still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        return self.poll()

    def terminate(self) -> None:
        """Ask the group to end (SIGTERM)."""
        with self._lock:
            if not self._gone:
                self._ask()

    def kill(self) -> None:
        """End the group (SIGKILL) and return when it is gone; may be called again.

        Raises:
            HarnessFault: it does not go.
        """
        with self._lock:
            if not self._gone:
                self._end()
                self._gone = True

    def _ask(self) -> None:
        _signal_group(self._process.pid, signal.SIGTERM)

    def _end(self) -> None:
        _signal_group(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(GONE_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            raise stuck(f"process {self._process.pid}") from error

    def trouble(self) -> str:
        """Why the program never came to run through no fault of its own, or an empty string."""
        return ""


class Starter(Protocol):
    """Begins a program; `start` is the plain one, runtimes wrap it in isolation."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        workdir: Path,
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
    ) -> Started:
        """Begin `command`, writing to the two file descriptors."""


def start(
    command: Sequence[str],
    *,
    workdir: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
) -> Started:
    """Begin a program without any isolation. Raises as `begin` does."""
    return Started(
        begin(command, workdir=workdir, environment=environment, stdout=stdout, stderr=stderr)
    )


def begin(
    command: Sequence[str],
    *,
    workdir: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Begin a program in a session of its own, without standard input; for starters only.

    Raises:
        FileNotFoundError, PermissionError: there is no such command, or it is not to be run.
        HarnessFault: the working directory is missing.
    """
    if not workdir.is_dir():
        raise HarnessFault(expected=f"a folder to run {command[0]} in", seen=f"no {workdir}")
    return subprocess.Popen(
        list(command),
        cwd=workdir,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def run(
    command: Sequence[str],
    *,
    timeout_s: float,
    workdir: Path | None = None,
    environment: Mapping[str, str] | None = None,
    tail_bytes: int = TAIL_BYTES,
    starter: Starter = start,
) -> Completed:
    """Run a program to its end, or to the end of its time; what it leaves behind is ended as well.

    Args:
        command: program and arguments, never through a shell.
        timeout_s: seconds it may take.
        workdir: where it runs; here by default.
        environment: all of its environment; ours by default.
        tail_bytes: how much of each stream to keep.
        starter: how to begin it.

    Raises:
        HarnessFault: it never came to run through no fault of its own.
    """
    begun = time.monotonic()
    with Tails(tail_bytes) as tails:
        try:
            started = starter(
                command,
                workdir=workdir or Path.cwd(),
                environment=os.environ if environment is None else environment,
                stdout=tails.write_fds[0],
                stderr=tails.write_fds[1],
            )
        except (FileNotFoundError, PermissionError) as error:
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
            return Completed(status, "", str(error), False, time.monotonic() - begun)
        try:
            tails.close_write_ends()
            timed_out = not _follow(started, tails, begun + timeout_s)
        finally:
            started.kill()
        tails.read_rest()
        stdout, stderr = tails.texts()
    if not timed_out and started.trouble():
        seen = f"{started.trouble()}: {stderr[-500:].strip()}"
        raise HarnessFault(expected=f"{command[0]} to be run", seen=seen)
    status_or_none = None if timed_out else started.status
    return Completed(status_or_none, stdout, stderr, timed_out, time.monotonic() - begun)


def stuck(what: str) -> HarnessFault:
    """The error for a killed process that does not go."""
    return HarnessFault(
        expected=f"{what} to be gone {GONE_WITHIN_S:g} s after SIGKILL",
        seen="it is still there",
        hint="look for a hanging disk or network mount",
    )


def _follow(started: Started, tails: Tails, deadline: float) -> bool:
    """Read until the program has ended (true) or time is up (false)."""
    while started.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if tails.open:
            tails.read(min(left, _POLL_S))
        else:
            started.wait(left)
    return True


def _signal_group(group: int, number: signal.Signals) -> None:
    # macOS answers "not permitted" for a group of which only a zombie is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
