"""The handle on a program that bubblewrap started in a PID namespace of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from typing import TYPE_CHECKING

from sandbox.system import processes

if TYPE_CHECKING:
    import subprocess


class Namespaced(processes.Started):
    """A program in a PID namespace, held by the namespace's first process.

    Signals go to that process through its pidfd: an id could have been given to somebody else, and
    a pidfd turns readable only when the last process of the namespace is gone.
    """

    def __init__(self, process: subprocess.Popen[bytes], status_fd: int) -> None:
        super().__init__(process)
        self._pidfd: int | None = None
        self._excused = False
        self._report = os.fdopen(status_fd, "rb")
        try:
            # Blocks for the milliseconds until bubblewrap has forked, or failed before.
            self._first = int(json.loads(self._report.readline() or b"{}").get("child-pid", 0))
            if self._first:
                with contextlib.suppress(ProcessLookupError):  # it has ended already
                    self._pidfd = os.pidfd_open(self._first)
        except BaseException:
            super()._end()
            self._report.close()
            raise

    def trouble(self) -> str:
        """Why the sandbox could not be built, or an empty string."""
        if self.status is None or self._excused:
            return ""
        return f"bubblewrap ended with status {self.status} before the program ran"

    def _ask(self) -> None:
        # With --new-session the first process leads the program's group. The signal does nothing
        # to itself: the kernel keeps what it has no handler for from a namespace's first process.
        if self._pidfd is not None:
            try:
                os.killpg(self._first, signal.SIGTERM)
            except ProcessLookupError:
                # The group is not there yet: the program has not begun, and nobody will answer.
                self.kill()

    def _end(self) -> None:
        ended_by_us = self._process.poll() is None
        if self._pidfd is not None:
            self._end_namespace(self._pidfd)
        super()._end()
        # Nobody is left to write, so this ends. The status is there if the program came to run.
        self._excused = b"exit-code" in self._report.read() or ended_by_us
        self._report.close()

    def _end_namespace(self, pidfd: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(processes.GONE_WITHIN_S * 1000):
            raise processes.stuck(f"the namespace of process {self._first}")
        os.close(pidfd)
        self._pidfd = None
