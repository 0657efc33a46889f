"""The harness as a wheel: the modules that a candidate's commands import, and no others."""

from __future__ import annotations

import ast
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from sandbox import paths
from sandbox.errors import HarnessFault
from sandbox.system import processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = Path(__file__).resolve().parent.parent
# What a kit's Makefile and the live session start.
STARTED = ("sandbox.cli", "sandbox.live.supervisor", "sandbox.system.tools")
# Imported by a name that is only known when it runs, so all of it comes along.
NAMED = "runtimes"
# What only the hiring team's commands use. The command imports it where it needs it.
TEAMS_OWN = (
    "sandbox.attempts",
    "sandbox.kit",
    "sandbox.prove",
    "sandbox.releases",
    "sandbox.report.data",
    "sandbox.report.html",
)
BUILT_WITHIN_S = 120.0
# The oldest that a zip archive can say: the same sources give the same bytes.
EPOCH = 315_532_800
ABOUT = "The harness of a kit: what a candidate's commands need.\n"


def build(scripts: Iterable[Path], scratch: Path) -> Path:
    """Build the wheel with the project's own build backend; nothing is downloaded.

    Args:
        scripts: what besides the commands runs in a kit: public checks, a feed of its own.
        scratch: a folder for sources and the wheel.

    Raises:
        HarnessFault: it cannot be built.
    """
    source, built = scratch / "source", scratch / "built"
    modules = needed(scripts)
    for path in (*modules, *_data({path.parent for path in modules})):
        copied = source / path.relative_to(PACKAGE.parent)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    shutil.copyfile(paths.ROOT / "pyproject.toml", source / "pyproject.toml")
    # The project's own is for the hiring team; what it is called is in pyproject.toml.
    (source / "README.md").write_text(ABOUT, "utf-8")
    for path in source.rglob("*"):
        # A wheel remembers modes, and they would be those of whoever builds it.
        path.chmod(0o755 if path.is_dir() else 0o644)
    options = ("--wheel", "--offline", "--no-build-isolation", "--quiet")
    done = processes.run(
        [find_uv_bin(), "build", *options, "--python", sys.executable, "--out-dir", str(built)],
        timeout_s=BUILT_WITHIN_S,
        workdir=source,
        environment={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
    )
    wheels = sorted(built.glob("*.whl"))
    if done.status != 0 or len(wheels) != 1:
        raise HarnessFault(
            expected="the harness to be built as one wheel",
            seen=f"exit status {done.status}: {done.stderr[-500:].strip()}",
            hint="make setup",
        )
    return wheels[0]


def needed(scripts: Iterable[Path]) -> list[Path]:
    """The files of all modules of the package that run in a kit, sorted."""
    named = (PACKAGE / NAMED).rglob("*.py")
    starts = [*map(_file, STARTED), *named, *scripts]
    waiting, found = [path for path in starts if path is not None], set[Path]()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        imported = filter(None, map(_file, _imports(path)))
        waiting += [file for each in imported for file in (each, *_packages(each))]
    return sorted(path for path in found if path.is_relative_to(PACKAGE))


def _data(packages: set[Path]) -> Iterator[Path]:
    """The files of packages that are no modules, also in folders that are no packages."""
    for path in sorted(PACKAGE.rglob("*")):
        home = next(folder for folder in path.parents if (folder / "__init__.py").exists())
        ours = path.suffix != ".py" and "__pycache__" not in path.parts
        if ours and home in packages and path.is_file():
            yield path


def _imports(path: Path) -> Iterator[str]:
    """What a file imports when it runs, and where: names that may be modules."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(name: str) -> Path | None:
    """The file of a module of ours that belongs into a kit."""
    if any(name == own or name.startswith(f"{own}.") for own in TEAMS_OWN):
        return None
    place = PACKAGE.parent.joinpath(*name.split("."))
    if not place.is_relative_to(PACKAGE):
        return None
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in files if path.is_file()), None)


def _packages(path: Path) -> Iterator[Path]:
    """The packages that a file lies in, which are imported before it."""
    for folder in path.parents:
        if folder.is_relative_to(PACKAGE):
            yield folder / "__init__.py"
