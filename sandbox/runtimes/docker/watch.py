"""Noticing that the Docker daemon went away, even if it came back: containers end with it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from sandbox.errors import HarnessFault
from sandbox.runtimes.docker.daemon import RUN_LABEL, asking, hang_up

if TYPE_CHECKING:
    from docker import APIClient


class Watch:
    """Notices when the daemon goes away, even if it comes back: containers end with it.

    Args:
        api: the daemon.
        run: the run whose events are asked for; that they stop coming is what counts.
    """

    def __init__(self, api: APIClient, run: str) -> None:
        with asking("the Docker daemon to tell of events"):
            self._stream = api.events(filters={"label": f"{RUN_LABEL}={run}"})
        self._closing = self._lost = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more; may be called again.

        Raises:
            HarnessFault: the daemon went away since.
        """
        self._closing = True
        hang_up(self._stream, self._thread)
        if self._lost:
            raise HarnessFault(
                expected="the Docker daemon to stay while a submission runs",
                seen="it went away",
                hint="grade again",
            )

    def _read(self) -> None:
        with contextlib.suppress(OSError, HTTPError):
            for _ in self._stream:
                pass
        self._lost = not self._closing
