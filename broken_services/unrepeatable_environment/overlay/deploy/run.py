"""How every host of ours starts something: install our packages, then run a module with them.

    python -I deploy/run.py service
    python -I deploy/run.py pipeline.train --data data/training.parquet
    python -I deploy/run.py --install

Third-party packages belong to the host's Python. Ours come out of `packages/`, from nowhere else,
and are installed beside them, into a clean folder below `.venv/`:

    uv pip sync --offline --no-index --find-links packages --no-build requirements.lock

`uv pip sync` installs what the file lists and nothing more, and checks each hash that the file has.
Where there is no `requirements.lock`, the newest of what `requirements.in` allows is installed.

`--install` installs and runs nothing; its last line says as JSON what is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from email.parser import HeaderParser
from pathlib import Path
from typing import NoReturn

WORKSPACE = Path(__file__).resolve().parent.parent
INDEX, LOCK, WANTED = "packages", "requirements.lock", "requirements.in"
ENVIRONMENTS = ".venv"
FROM_INDEX = ("--offline", "--no-index", "--find-links", INDEX, "--no-build")
# Nobody's settings but these, and nothing from an earlier day.
ALONE = ("--quiet", "--no-config", "--no-cache", "--python", sys.executable)
# What an installer writes down about itself.
INSTALLERS_OWN = {".lock", "INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"}


def install() -> Path:
    """Install what the workspace asks for; gives the folder. It leaves where that fails."""
    locked = (WORKSPACE / LOCK).is_file()
    folder = WORKSPACE / ENVIRONMENTS / digest(LOCK if locked else WANTED)
    if folder.is_dir():
        return folder
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    what = (
        ("sync", "--allow-empty-requirements", LOCK)
        if locked
        else ("install", "--requirements", WANTED)
    )
    command = [sys.executable, "-I", "-m", "uv", "pip", *what[:1], *FROM_INDEX, *ALONE]
    done = subprocess.run(
        [*command, "--target", str(aside), *what[1:]],
        cwd=WORKSPACE,
        check=False,
        stdout=sys.stderr,
    )
    if done.returncode != 0:
        shutil.rmtree(aside, ignore_errors=True)
        sys.exit(done.returncode)
    aside.mkdir(exist_ok=True)
    try:
        aside.rename(folder)
    except OSError:  # somebody else was faster
        shutil.rmtree(aside)
    return folder


def digest(asked: str) -> str:
    """Of all that decides what is installed."""
    known = hashlib.sha256()
    for path in (WORKSPACE / asked, *sorted((WORKSPACE / INDEX).glob("*.whl"))):
        known.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return known.hexdigest()[:16]


def listing(folder: Path) -> dict[str, object]:
    """What is installed: versions and requirements by package, and SHA-256 by file."""
    packages, requires = {}, {}
    for path in sorted(folder.glob("*.dist-info/METADATA")):
        about = HeaderParser().parsestr(path.read_text("utf-8", "replace"))
        name = str(about["Name"]).lower()
        packages[name] = str(about["Version"])
        requires[name] = [str(each) for each in about.get_all("Requires-Dist") or []]
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in INSTALLERS_OWN and path.suffix != ".pyc"
    }
    locked = (WORKSPACE / LOCK).is_file()
    return {"locked": locked, "packages": packages, "requires": requires, "files": files}


def start(module: str, *arguments: str) -> NoReturn:
    """Become the module, with our packages before the host's."""
    environment = {**os.environ, "PYTHONPATH": str(install())}
    os.chdir(WORKSPACE)
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], environment)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--install"]:
            print(json.dumps(listing(install())))
        case [module, *arguments]:
            start(module, *arguments)
        case _:
            sys.exit("expected --install, or a module and its arguments")
