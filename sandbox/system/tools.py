"""The programs that no Python package brings: Prometheus and its promtool.

    python -m sandbox.system.tools    puts what is missing beside the interpreter

`make setup` calls it. They are wanted by the scenarios with telemetry alone, so a machine where
they cannot be installed is told in one line what to do and goes on: everything else works there.
Only the standard library is imported, so that they can be fetched while the packages are still
being installed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import UsageError
from sandbox.system import processes

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("prometheus", "promtool")
# `keep_firing_for` came with 2.42; an older promtool refuses rules that are right.
OLDEST = (2, 42)
REMEDY = (
    "install Prometheus 2.42 or newer (apt-get install prometheus, brew install prometheus, "
    "or a release's binaries on PATH)"
)
_VERSION_WITHIN_S = 20.0
_DOWNLOAD_WITHIN_S = 120.0
_BREW_WITHIN_S = 600.0


def find(name: str) -> Path:
    """Where a program is: beside the interpreter, else on PATH.

    Raises:
        UsageError: it is not there, or too old.
    """
    path = _path(name)
    if path is None:
        raise UsageError(expected=f"the program {name}", seen="none", hint=REMEDY)
    said = _version(path)
    if _numbers(said) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise UsageError(expected=f"{name} {wanted} or newer", seen=said or "none", hint=REMEDY)
    return path


def version(name: str) -> str:
    """The version of a program, such as "2.42.0+ds". Raises as `find` does."""
    return _version(find(name))


def install() -> str:
    """Put what is missing beside the interpreter; what was done or is to be done, in one line.

    Nothing is said where everything is there. The system is left as it is: no daemon starts and
    nothing is installed outside the environment, except through Homebrew.
    """
    try:
        for name in NAMES:
            find(name)
    except UsageError as error:
        missing = error
    else:
        return ""
    trouble = _from_debian() if shutil.which("apt-get") else _from_homebrew()
    try:
        said = {version(name) for name in NAMES}
    except UsageError:
        why = f" ({trouble})" if trouble else ""
        return f"Scenarios with telemetry will not run: {missing}{why}"
    return f"Installed {' and '.join(NAMES)} {', '.join(sorted(said))}."


def _path(name: str) -> Path | None:
    beside = Path(sys.prefix) / "bin" / name
    if os.access(beside, os.X_OK) and beside.is_file():
        return beside
    found = shutil.which(name)
    return Path(found) if found else None


@cache
def _version(path: Path) -> str:
    done = processes.run([str(path), "--version"], timeout_s=_VERSION_WITHIN_S)
    # 2.x answers on the error stream, 3.x on the other one.
    match = re.search(r"version (\d+\.\S+)", done.stdout + done.stderr)
    return match[1] if match else ""


def _numbers(said: str) -> tuple[int, ...]:
    """The first two numbers of a version; none for one that cannot be read, which counts as old."""
    match = re.match(r"(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else ()


def _from_debian() -> str:
    """Unpack the binaries of the distribution's package; what went wrong in a few words."""
    if sys.prefix == sys.base_prefix:
        return "nothing is installed outside a virtual environment"
    with tempfile.TemporaryDirectory(prefix="sandbox-tools-") as folder:
        here = Path(folder)
        trouble = _download(here)
        if trouble:
            return trouble
        for package in here.glob("*.deb"):
            trouble = _run(["dpkg-deb", "-x", str(package), str(here / "unpacked")], here)
            if trouble:
                return trouble
        programs = [here / "unpacked" / "usr" / "bin" / name for name in NAMES]
        for program in programs:
            # An old one beside the interpreter would hide a newer one on PATH for good.
            if _numbers(said := _version(program)) < OLDEST:
                return f"the distribution has {program.name} {said or 'none that runs'}"
        for program in programs:
            target = Path(sys.prefix) / "bin" / program.name
            # Renamed into its place: a half-written program must never be found.
            part = target.with_name(f".{target.name}.{os.getpid()}")
            shutil.copy(program, part)
            part.replace(target)
    _version.cache_clear()
    return ""


def _download(folder: Path) -> str:
    command = ["apt-get", "download", "prometheus"]
    trouble = _run(command, folder)
    if trouble and (root := _as_root()) is not None:
        # The package lists are missing, or older than what the server has.
        trouble = _run([*root, "apt-get", "update"], folder) or _run(command, folder)
    return trouble


def _as_root() -> Sequence[str] | None:
    """What to put before a command that only root may run, or None where nobody can."""
    if os.geteuid() == 0:
        return ()
    return ("sudo", "-n") if shutil.which("sudo") else None


def _from_homebrew() -> str:
    if not shutil.which("brew"):
        return ""
    trouble = _run(["brew", "install", "prometheus"], Path.cwd(), _BREW_WITHIN_S)
    _version.cache_clear()
    return trouble


def _run(command: Sequence[str], folder: Path, timeout_s: float = _DOWNLOAD_WITHIN_S) -> str:
    """Run a command; why it failed, or an empty string."""
    done = processes.run(command, timeout_s=timeout_s, workdir=folder)
    if done.status == 0:
        return ""
    if done.timed_out:
        return f"{' '.join(command[:2])} took more than {timeout_s:g} s"
    last = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"status {done.status}"]
    return f"{' '.join(command[:2])}: {last[0]}"


if __name__ == "__main__":
    if said := install():
        print(said)
