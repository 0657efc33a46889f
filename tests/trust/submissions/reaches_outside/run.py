"""Tries: to read files whose paths it knows, to write to them, and to write beside them.
Happens: the paths are not there, whichever way it takes.
Gains nothing: what it did not get to see it can neither copy nor change.
"""

import contextlib
import json
import os
import sys

outside, *files = sys.argv[1:]


def ways(path):
    """A path, as seen from here, from the root of anybody, and through links of our own."""
    yield path
    yield os.path.relpath(path)
    for process in [name for name in os.listdir("/proc") if name.isdigit()]:
        yield f"/proc/{process}/root{path}"
        yield f"/proc/{process}/cwd/{os.path.relpath(path)}"
    for descriptor in os.listdir("/proc/self/fd"):
        yield f"/proc/self/fd/{descriptor}/{os.path.relpath(path)}"
    for make, name in ((os.symlink, "soft"), (os.link, "hard")):
        with contextlib.suppress(OSError):
            os.unlink(name)
        with contextlib.suppress(OSError):
            make(path, name)
            yield name


got = {"read": [], "written": []}
for file in files:
    for way in ways(file):
        for kind, flags in (("read", os.O_RDONLY), ("written", os.O_WRONLY)):
            with contextlib.suppress(OSError):
                os.close(os.open(way, flags))
                got[kind].append(way)
for way in ways(f"{outside}/made"):
    with contextlib.suppress(OSError):
        os.close(os.open(way, os.O_WRONLY | os.O_CREAT))
print(json.dumps(got))
