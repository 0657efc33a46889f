"""What a kit must not tell: every line that stands in healthy, oracle or grader code only."""

from __future__ import annotations

import io
import re
import zipfile
from functools import cache
from typing import TYPE_CHECKING

from sandbox import compose, paths, scenario
from sandbox.kit.wheel import TEAMS_OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Shorter ones are brackets and `else:`.
CHARACTERS_MIN = 6
TEXT = (".css", ".ini", ".j2", ".lark", ".md", ".py", ".txt", ".yaml", ".yml", ".toml", ".lock")


def contents(kit: Path) -> dict[str, bytes]:
    """Every file of a kit by its path, and the files in its wheel by theirs."""
    found = {str(p.relative_to(kit)): p.read_bytes() for p in kit.rglob("*") if p.is_file()}
    for name in [name for name in found if name.endswith(".whl")]:
        with zipfile.ZipFile(io.BytesIO(found.pop(name))) as wheel:
            found |= {f"{name}/{inside}": wheel.read(inside) for inside in wheel.namelist()}
    return found


def leaked(told: Mapping[str, bytes], name: str, workspace: Path) -> dict[str, list[str]]:
    """The lines of a kit that are for the hiring team only, by file.

    Args:
        told: what `contents` gives.
        name: the kit's scenario.
        workspace: the workspace of the kit's variant, composed apart from the kit.
    """
    # All of it, wheels and files without an ending too.
    handed_out = {line for content in contents(workspace).values() for line in _split(content)}
    secret = _secret(name) - _public(name) - handed_out
    found = {path: sorted(set(_split(content)) & secret) for path, content in told.items()}
    return {path: lines for path, lines in found.items() if lines}


def secret_files(name: str) -> dict[str, list[Path]]:
    """What must not be in a kit of that scenario, by sort; not each file holds a secret."""
    folder, graders = scenario.load(name).folder, paths.GRADERS / name
    sorts = {
        "healthy": _files(paths.HEALTHY),
        # Other files of an overlay are what the candidate gets.
        "templates": sorted(folder.rglob("*.j2")),
        "data": [path for path in [folder / compose.OWN_DATA] if path.exists()],
        "oracle": _files(graders / "attempts" / "oracle"),
        "plan": [graders / "plan.py"],
        "checks": sorted(graders.glob("test_*.py")),
        "truth": [graders / "truth.yaml"],
        "interview": [graders / "interview.yaml"],
        "variant": [folder / scenario.FILE],
        "releases": [paths.ROOT / "sandbox" / "releases" / "crashing.py"],
    }
    return {sort: files for sort, files in sorts.items() if files}


@cache
def _secret(name: str) -> set[str]:
    """Lines of what the hiring team alone has; some stand elsewhere, too."""
    folders = [paths.HEALTHY, paths.GRADERS, paths.ROOT / "sandbox" / "releases"]
    folders += [scenario.load(each).folder / "overlay" for each in scenario.names()]
    own = [scenario.load(each).folder / compose.OWN_DATA for each in scenario.names()]
    settings = [scenario.load(each).folder / scenario.FILE for each in scenario.names()]
    return _lines([*(f for folder in folders for f in _files(folder)), *own, *settings])


@cache
def _public(name: str) -> set[str]:
    """Lines that a candidate may have, whatever the variant."""
    setting = scenario.load(name)
    checks = _files(setting.folder / "checks")
    docs = [setting.folder / compose.TICKET, setting.folder / "live.py"]
    docs += [paths.ROOT / "docs/candidate.md", paths.ROOT / "requirements.lock"]
    # A registry holds the code of the releases that are in it.
    registered = setting.releases.registered if setting.releases else ()
    docs += [paths.ROOT / "sandbox" / "releases" / f"{kind}.py" for kind in registered]
    own = tuple(part.replace(".", "/") for part in TEAMS_OWN)
    harness = [
        path
        for path in _files(paths.ROOT / "sandbox")
        if not str(path.relative_to(paths.ROOT)).startswith(own)
    ]
    told = _lines([*checks, *docs, *harness])
    # What of it the kit's own says: everything but the variant, and without comments.
    return told | {
        line
        for line in _split((setting.folder / scenario.FILE).read_bytes().partition(b"\nvariant")[0])
        if not line.startswith("#")
    }


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in TEXT]


def _lines(files: Iterable[Path]) -> set[str]:
    return {line for path in files if path.is_file() for line in _split(path.read_bytes())}


def _split(content: bytes) -> list[str]:
    # Whatever ends a text in a file that is none.
    texts = re.split(rb"[\x00-\x08\x0a-\x1f\x7f-\xff]+", content)
    lines = (text.strip().decode("ascii") for text in texts)
    return [line for line in lines if len(line) >= CHARACTERS_MIN]
