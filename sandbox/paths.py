"""Where things are: what the project ships, and what runs leave behind."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHECKOUT = Path(__file__).resolve().parent.parent
# A kit's commands are typed in the kit's folder. There the package comes from a wheel, and this
# folder has what a candidate may have of the rest, at the same places (`kit/making.py`).
HARNESS = "harness"
ROOT = _CHECKOUT if (_CHECKOUT / "broken_services").is_dir() else Path.cwd() / HARNESS
SERVICES = ROOT / "broken_services"
GRADERS = ROOT / "graders"
HEALTHY = SERVICES / "flight_delay"

# Everything that can be made again lives in one folder; removing it loses nothing but time.
STATE = Path(os.environ.get("SANDBOX_STATE", Path.cwd() / ".sandbox")).resolve()
CACHE = STATE / "cache"
RUNS = STATE / "runs"
WORK = Path.cwd() / "work"
RESULTS = Path.cwd() / "results"
SUBMISSIONS = Path.cwd() / "submissions"
KITS = Path.cwd() / "kits"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for one run, gone with the block. Its name tells whose it is, for `abandoned`."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=RUNS, prefix=run_prefix(), ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def run_prefix() -> str:
    """What the names of this process' temporary folders start with."""
    return f"mlops-sandbox-{os.getpid()}-"


def abandoned() -> list[Path]:
    """Temporary folders of runs whose process is gone."""
    places = (RUNS, Path(tempfile.gettempdir()))
    return [
        path
        for place in places
        for path in place.glob("mlops-sandbox-*")
        if is_abandoned(path.name)
    ]


def is_abandoned(name: str) -> bool:
    """Whether something named with a `run_prefix` belongs to a process that is gone."""
    return not _alive(name.split("-")[2])


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
