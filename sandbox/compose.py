"""Compose a workspace: the healthy service, what the scenario breaks in it, data, ticket and mark.

A composed workspace is finished. Nothing in it refers to the healthy service or to an overlay.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import flights, overlay, paths
from sandbox.errors import UsageError
from sandbox.system.modules import module_from
from sandbox.workspace import WorkspaceMark, file_digests, write_mark

if TYPE_CHECKING:
    from sandbox.scenario import Scenario
    from sandbox.variant import Variant

TICKET = "TICKET.md"
DATA = "data"
# What a kit has instead of all that a workspace is made from.
WORKSPACE = "workspace"
# A scenario's own data: a function `write(folder, variant)`.
OWN_DATA = "data.py"
_LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.pyc")


def compose(scenario: Scenario, variant: Variant, destination: Path) -> Path:
    """Make a new workspace.

    Args:
        scenario: which take-home.
        variant: what the seed chose in it.
        destination: a folder that is not there yet, or is empty.

    Returns:
        The destination.

    Raises:
        UsageError: something is there already; nothing of it is touched.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(
            expected=f"no files at {destination} before a workspace is made there",
            seen="some",
            hint="choose another WORKSPACE=, or move that one away",
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    # Whoever is interrupted has no workspace, rather than half of one.
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".") as aside:
        made = _composed(scenario, variant, Path(aside) / destination.name)
        return made.rename(destination)


def _composed(scenario: Scenario, variant: Variant, destination: Path) -> Path:
    if scenario.handed_out is not None:
        # In a kit, and with its mark.
        return shutil.copytree(scenario.handed_out / WORKSPACE, destination)
    compose_healthy(destination)
    for path in scenario.removes:
        (destination / path).unlink()
    context = dict(variant.parameters)
    overlay.lay(scenario.folder / "overlay", destination, context, scenario.folder)
    shutil.copyfile(scenario.folder / TICKET, destination / TICKET)
    own = scenario.folder / OWN_DATA
    if own.exists():
        made = module_from(own.read_text("utf-8"), f"data_of_{scenario.name}", str(own))
        made.write(destination / DATA, variant)
    mark = WorkspaceMark(
        scenario=scenario.name,
        seed=variant.marked,
        protected=scenario.protected,
        digests=file_digests(destination),
    )
    write_mark(destination, mark)
    return destination


def compose_healthy(destination: Path) -> Path:
    """Copy the healthy service with its data: what every scenario starts from."""
    shutil.copytree(paths.HEALTHY, destination, dirs_exist_ok=True, ignore=_LEFT_BEHIND)
    for name, path in data_files().items():
        target = destination / DATA / name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    return destination


def data_files() -> dict[str, Path]:
    """A workspace's data files by name: made once, then kept beside the flights they come from."""
    folder = flights.cache_file().with_suffix("")
    files = {name: folder / name for name in ("training.parquet", "holdout.parquet")}
    if not all(path.exists() for path in files.values()):
        everything = flights.load()
        flights.write_parquet(flights.training(everything), files["training.parquet"])
        flights.write_parquet(flights.holdout(everything), files["holdout.parquet"])
    return files
