"""Tries: to fill /tmp and /dev/shm, and to make a file too large for the disk.
Happens: no room is left in its own /tmp and /dev/shm, and no file grows beyond its limit.
Gains nothing: none of it is a disk of the machine's, and it is gone with the submission.
"""

import errno
import json
import os


def filled(path):
    """How much went into a file, and why no more did."""
    with open(path, "wb", buffering=0) as file:
        written = 0
        try:
            while written < 2**30:
                written += file.write(bytes(2**20))
        except OSError as error:
            return [written, errno.errorcode[error.errno]]
    return [written, None]


def stretched(size):
    """Why a file cannot be so long; it has holes and takes no room."""
    try:
        with open("huge", "wb") as file:
            os.truncate(file.fileno(), size)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


print(
    json.dumps(
        {
            "/tmp": filled("/tmp/full"),
            "/dev/shm": filled("/dev/shm/full"),
            "allowed": stretched(2**30),
            "huge": stretched(2**30 + 1),
        }
    )
)
