"""A filter that keeps a submission from the kernel's keyrings, for bubblewrap to install.

Keyrings are in no namespace: a program inherits the session's, with whatever the user keeps there,
and a note that one submission leaves would be there for the next.
"""

from __future__ import annotations

import errno
import platform
import struct

# Instructions of classic BPF, and what a filter may answer: see seccomp(2) and linux/filter.h.
_LOAD, _EQUAL, _AT_LEAST, _ANSWER = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
# Where the number and the architecture of a call are.
_NUMBER, _ARCHITECTURE = 0, 4
# By machine: its architecture, and its numbers of add_key, request_key and keyctl.
_CALLS = {
    "x86_64": (0xC000003E, (248, 249, 250)),
    "aarch64": (0xC00000B7, (217, 218, 219)),
}
# On x86_64 the same calls have other numbers from here on.
_OTHER_NUMBERS = 0x40000000


def keyring_filter() -> bytes:
    """The filter as bubblewrap reads it; empty on a machine whose calls we do not know.

    Programs for another architecture than the machine's get no call through: theirs have other
    numbers.
    """
    if platform.machine() not in _CALLS:
        return b""
    architecture, refused = _CALLS[platform.machine()]
    # One comparison each: on a hit, over all that follow and the allowing answer to the refusing.
    tests = [(_AT_LEAST, _OTHER_NUMBERS), *((_EQUAL, number) for number in refused)]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_ANSWER, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
        *((kind, len(tests) - at, 0, number) for at, (kind, number) in enumerate(tests)),
        (_ANSWER, 0, 0, _ALLOW),
        (_ANSWER, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
