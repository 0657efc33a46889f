"""A harness that is killed leaves nothing behind. Only processes of this machine can be watched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.runtimes import bubblewrap
from sandbox.system.waiting import wait_for

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

HARNESS = """
import json, sys
from pathlib import Path
from sandbox.runtimes import bubblewrap, open_runtime
from sandbox.runtimes.specs import ServiceSpec

if not json.loads(sys.argv[2]):
    bubblewrap.available = lambda: "left out by the test"
with open_runtime("process") as runtime:
    for trusted in (False, True):
        runtime.start(ServiceSpec(
            name="service",
            command=(sys.executable, "-I", "-S", "service.py", "{port}", sys.argv[2]),
            workdir=Path(sys.argv[1]),
            environment={},
            ready_path=None,
            ready_within_s=20,
            trusted=trusted,
        ))
    print("started", flush=True)
    sys.stdin.read()
"""
SERVICE = """
import os, socket, sys, time
if sys.argv[2] == "true" and os.fork() == 0:
    os.setsid()
    time.sleep(600)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()
"""


def descendants(root: int) -> set[tuple[int, str]]:
    """Process ids below one, each with its start time, which tells it from a later namesake."""
    parents: dict[int, tuple[int, str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if fields[0] != "Z":
                parents[int(folder.name)] = (int(fields[1]), fields[19])
    found: set[int] = {root}
    while more := {pid for pid, (parent, _) in parents.items() if parent in found} - found:
        found |= more
    return {(pid, parents[pid][1]) for pid in found - {root}}


def everything() -> set[tuple[int, str]]:
    return descendants(0)


@pytest.mark.parametrize("with_bubblewrap", [True, False])
def test_a_killed_harness_leaves_nothing(tmp_path: Path, with_bubblewrap: bool):
    if with_bubblewrap and bubblewrap.available():
        pytest.skip(bubblewrap.available())
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "home").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(tmp_path), json.dumps(with_bubblewrap)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "home")},
    ) as harness:
        try:
            assert harness.stdout
            assert harness.stdout.readline() == b"started\n"
            left = descendants(harness.pid)
            # With bubblewrap, for each of two: monitor, first process, service, its daemon.
            assert len(left) == (8 if with_bubblewrap else 2)
        finally:
            harness.send_signal(signal.SIGKILL)
    wait_for(
        lambda: True if not left & everything() else None,
        what=f"processes {sorted(left)} to be gone with the harness",
        within_s=5,
    )
