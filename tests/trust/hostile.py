"""How a hostile program is let loose: copied into a workdir and run there as a submission."""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.runtimes.specs import CommandSpec, ServiceSpec

if TYPE_CHECKING:
    from sandbox.runtimes.base import Runtime, Service
    from sandbox.system.processes import Completed

SUBMISSIONS = Path(__file__).parent / "submissions"
PROGRAM = "run.py"


def unleash(
    runtime: Runtime, folder: Path, name: str, *arguments: object, timeout_s: float = 60
) -> Completed:
    """Run a submission's program to its end."""
    command = _command(folder, name, arguments)
    return runtime.run(CommandSpec(name, command, folder, {}, trusted=False, timeout_s=timeout_s))


def serving(
    runtime: Runtime, folder: Path, name: str, *arguments: object, ready_path: str | None = None
) -> Service:
    """Start a submission's program as a service."""
    command = _command(folder, name, arguments)
    return runtime.start(ServiceSpec(name, command, folder, {}, ready_path, 60, trusted=False))


def said(done: Completed) -> Any:
    """What a program that came to its end says that it got."""
    assert done.status == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def all_gone(lock: Path) -> bool:
    """Whether nobody holds a lock any more; those who do, do so for as long as they live."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _command(folder: Path, name: str, arguments: tuple[object, ...]) -> tuple[str, ...]:
    folder.mkdir(exist_ok=True)
    shutil.copy(SUBMISSIONS / name / PROGRAM, folder)
    return (sys.executable, "-I", "-S", PROGRAM, *map(str, arguments))
