"""Two pipes to a program: what it says last is kept, and memory is bounded."""

from __future__ import annotations

import os
import selectors

_CHUNK_BYTES = 64 * 1024
# More than a pipe holds, so whatever the program itself wrote is in there.
_REST_CHUNKS = 64


class Tails:
    """Two pipes, and the last bytes that came out of each.

    Args:
        limit: how many bytes of each to keep.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def __enter__(self) -> Tails:
        pipes = [os.pipe(), os.pipe()]
        self._open = {descriptor for pipe in pipes for descriptor in pipe}
        self.write_fds = [write for _, write in pipes]
        self._tails = {read: bytearray() for read, _ in pipes}
        self._selector = selectors.DefaultSelector()
        for read in self._tails:
            os.set_blocking(read, False)
            self._selector.register(read, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for descriptor in self._open:
            os.close(descriptor)

    def close_write_ends(self) -> None:
        """Leave the program the only writer, so that its end closes the pipes."""
        for descriptor in self.write_fds:
            self._close(descriptor)

    @property
    def open(self) -> bool:
        """Whether anybody can still say something."""
        return bool(self._selector.get_map())

    def read(self, wait_s: float) -> bool:
        """Take what is there, waiting a while for more; false when there was nothing."""
        ready = self._selector.select(wait_s)
        for key, _ in ready:
            chunk = os.read(key.fd, _CHUNK_BYTES)
            if not chunk:
                self._selector.unregister(key.fd)
                self._close(key.fd)
                continue
            tail = self._tails[key.fd]
            tail += chunk
            del tail[: -self._limit]
        return bool(ready)

    def read_rest(self) -> None:
        """Take what the program left in the pipes.

        Bounded: a process that slipped away may hold a pipe open and fill it for ever.
        """
        for _ in range(_REST_CHUNKS):
            if not self.open or not self.read(0):
                return

    def texts(self) -> list[str]:
        """What is kept of each stream."""
        return [tail.decode("utf-8", "replace") for tail in self._tails.values()]

    def _close(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        os.close(descriptor)
