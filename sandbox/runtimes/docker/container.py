"""The handle on one container, from its making to its removal."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound

from sandbox.errors import HarnessFault
from sandbox.runtimes import files
from sandbox.runtimes.docker.daemon import asking, fault
from sandbox.system.processes import GONE_WITHIN_S, stuck

if TYPE_CHECKING:
    from docker import APIClient

_ASKED_EVERY_S = 0.25


@dataclass(frozen=True)
class End:
    """How a container ended.

    Args:
        status: the exit status of its program.
        out_of_memory: whether the kernel ended something in it for its memory.
    """

    status: int
    out_of_memory: bool

    def __str__(self) -> str:
        why = ": it used more memory than it was given" if self.out_of_memory else ""
        return f"an end with status {self.status}{why}"


class Container:
    """A container from its making to its removal.

    Args:
        api: the daemon.
        identity: what the daemon calls it.
    """

    def __init__(self, api: APIClient, identity: str) -> None:
        self.identity = identity
        self._api = api
        self._ended: Future[End] = Future()

    def start(self) -> None:
        """Start it, and notice its end from now on.

        Raises:
            HarnessFault: the daemon cannot.
        """
        with asking("the Docker daemon to start a container"):
            self._api.start(self.identity)
        threading.Thread(target=self._await_end, daemon=True).start()

    def end(self) -> End | None:
        """How it ended, or None while it runs.

        Raises:
            HarnessFault: the daemon went away.
        """
        return self._ended.result() if self._ended.done() else None

    def wait(self, within_s: float) -> End | None:
        """How it ended, waiting a while for that; None if it still runs. Raises as `end` does."""
        with contextlib.suppress(TimeoutError):
            return self._ended.result(max(0.0, within_s))
        return self.end()

    def stop(self, grace_s: float) -> None:
        """Ask it to end, and end it when the grace is over; returns when all of it is gone."""
        left_s = grace_s
        while self.end() is None and left_s > 0:
            self._signal("SIGTERM")
            # Whoever has hardly begun is asked in vain; the program itself is asked only once.
            self.wait(min(left_s, _ASKED_EVERY_S))
            left_s -= _ASKED_EVERY_S
        self.kill()

    def kill(self) -> None:
        """End it at once; returns when all of it is gone."""
        if self.end() is None:
            self._signal("SIGKILL")
            if self.wait(GONE_WITHIN_S) is None:
                raise stuck(f"container {self.identity[:12]}")

    def logs(self, lines: int) -> str:
        """The last lines it printed."""
        with asking("the Docker daemon to give a container's log"):
            said: bytes = self._api.logs(self.identity, tail=lines)
        return files.last_of(said.decode("utf-8", "replace"), lines)

    def remove(self) -> None:
        """Remove it, whether it runs or not; it may be gone already."""
        with asking("the Docker daemon to remove a container"):
            try:
                self._api.remove_container(self.identity, v=True, force=True)
            except NotFound:
                pass
            except APIError as error:
                if "already in progress" not in str(error.explanation):
                    raise

    def _signal(self, name: str) -> None:
        with asking("the Docker daemon to signal a container"):
            try:
                self._api.kill(self.identity, name)
            except NotFound as error:
                # Somebody else removed it; what ran in it is gone.
                raise fault("a container of this run to be there", error) from error
            except APIError as error:
                # It has just ended by itself, and its end is on its way to us.
                if "is not running" not in str(error.explanation):
                    raise

    def _await_end(self) -> None:
        try:
            with asking("the Docker daemon to stay while a submission runs"):
                self._api.wait(self.identity, timeout=None)
                # Answered only when the daemon has put everything away, its address among that.
                state = self._api.inspect_container(self.identity)["State"]
        except HarnessFault as error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(End(state["ExitCode"], state["OOMKilled"]))
