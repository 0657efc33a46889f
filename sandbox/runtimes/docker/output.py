"""What a program in a container prints, as it comes: the last is kept, and memory is bounded."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from sandbox.runtimes.docker.daemon import hang_up
from sandbox.system.processes import TAIL_BYTES

if TYPE_CHECKING:
    from docker.types import CancellableStream

# The last of it is on its way when the program has ended.
_REST_WITHIN_S = 5.0


class Output:
    """Reads a stream of the daemon to its end, in a thread of its own.

    Args:
        stream: pairs of what came on the two outputs, either of which may be None.
        limit: how many bytes of each to keep.
    """

    def __init__(self, stream: CancellableStream, limit: int = TAIL_BYTES) -> None:
        self._stream = stream
        self._limit = limit
        self._tails = (bytearray(), bytearray())
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait(self, within_s: float) -> bool:
        """Wait for its end; whether it has come."""
        self._thread.join(max(0.0, within_s))
        return not self._thread.is_alive()

    def texts(self) -> tuple[str, str]:
        """What is kept of the two, once no more comes."""
        self.wait(_REST_WITHIN_S)
        self.close()
        first, second = (bytes(tail).decode("utf-8", "replace") for tail in self._tails)
        return first, second

    def close(self) -> None:
        """Read no more; may be called again."""
        hang_up(self._stream, self._thread)

    def _read(self) -> None:
        # Cut off in the middle is the end as well: whether the program ended is known elsewhere.
        with contextlib.suppress(OSError, ValueError):
            for chunks in self._stream:
                for tail, chunk in zip(self._tails, chunks, strict=True):
                    tail.extend(chunk or b"")
                    del tail[: -self._limit]
