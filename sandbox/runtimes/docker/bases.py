"""The base of the image: Python 3.11, from wherever it can be had.

    python:3.11-slim        where a container registry answers; used by the digest it names
    Debian's own packages   where none does: a root file system that mmdebstrap makes on the spot

A base stays until `sandbox clean --cache` removes it, so that every grade of a season runs on the
same. What it was made from is told in the evidence.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import DockerException

from sandbox.errors import HarnessFault
from sandbox.runtimes.docker import daemon
from sandbox.runtimes.docker.daemon import asking
from sandbox.system import processes

if TYPE_CHECKING:
    from docker import APIClient

REPOSITORY = "mlops-sandbox-base"
PYTHON = "python:3.11-slim"
# Where Debian's packages come from, if not from Debian itself.
MIRROR = "SANDBOX_DEBIAN_MIRROR"
_SUITE = "bookworm"  # whose Python is 3.11
# Nothing of it is configured and no maintainer's script runs: it only has to hold the files.
_PACKAGES = (
    "base-files,base-passwd,bash,coreutils,dash,findutils,grep,libc-bin,libstdc++6,login,passwd,"
    "python3,sed"
)
_ORIGIN_LABEL = "mlops-sandbox.origin"
_ANSWERS_WITHIN_S = 5.0
MADE_WITHIN_S = 600.0


@dataclass(frozen=True)
class Base:
    """A base that is there.

    Args:
        name: what the daemon knows it by.
        origin: what it was made from.
        digest: of that, where a registry gave one; of the image otherwise.
    """

    name: str
    origin: str
    digest: str


def find(api: APIClient) -> Base | None:
    """The base, if there is one already.

    Raises:
        HarnessFault: the daemon does not answer.
    """
    name = f"{REPOSITORY}:{_recipe()}"
    if (said := daemon.image(api, name)) is None:
        return None
    if origin := (said["Config"].get("Labels") or {}).get(_ORIGIN_LABEL):
        return Base(name, origin, said["Id"])
    digests = [entry.partition("@")[2] for entry in said.get("RepoDigests") or []]
    return Base(name, PYTHON, digests[0] if digests else said["Id"])


def ensure(api: APIClient) -> Base:
    """The base; had from a registry, or made, where it is not there.

    Raises:
        HarnessFault: there is no way to have it.
    """
    if found := find(api):
        return found
    trouble = _pull(api)
    if trouble and (other := _make(api)):
        raise HarnessFault(
            expected=f"Python 3.11 for the image, as {PYTHON} or from Debian's packages",
            seen=f"{trouble}; {other}",
            hint="apt-get install mmdebstrap, let Docker reach a registry, or use "
            "--runtime process",
        )
    if found := find(api):
        return found
    raise HarnessFault(expected=f"the image {REPOSITORY} once it is there", seen="none")


def _pull(api: APIClient) -> str:
    """Get Python's own image; why that is not possible, or an empty string."""
    try:
        # A registry that does not answer at once is taken for none.
        with daemon.connected(_ANSWERS_WITHIN_S) as hurried:
            digest = hurried.inspect_distribution(PYTHON)["Descriptor"]["digest"]
        name = f"{PYTHON.partition(':')[0]}@{digest}"
        for event in api.pull(name, stream=True, decode=True):
            if error := event.get("error"):
                return f"no {PYTHON}: {_line(error)}"
        api.tag(name, REPOSITORY, _recipe())
    except (DockerException, OSError, KeyError) as error:
        return f"no {PYTHON}: {_line(str(getattr(error, 'explanation', None) or error))}"
    return ""


def _make(api: APIClient) -> str:
    """Make a root file system of Debian's packages; why that is not possible, or nothing."""
    program = shutil.which("mmdebstrap")
    if program is None:
        return "no mmdebstrap"
    with tempfile.TemporaryDirectory(prefix="mlops-sandbox-base-") as folder:
        tar = Path(folder) / "root.tar"
        command = [program, "--quiet", "--variant=extract", f"--include={_PACKAGES}"]
        mirror = os.environ.get(MIRROR)
        done = processes.run(
            [*command, "--format=tar", _SUITE, str(tar), *([mirror] if mirror else [])],
            timeout_s=MADE_WITHIN_S,
        )
        if done.status != 0:
            return f"mmdebstrap failed: {_line((done.stderr or done.stdout)[-300:])}"
        with asking("the Docker daemon to take Debian's files in"):
            api.import_image_from_file(
                str(tar),
                repository=REPOSITORY,
                tag=_recipe(),
                changes=[f'LABEL {_ORIGIN_LABEL}="Debian {_SUITE}, by mmdebstrap"'],
            )
    return ""


def _recipe() -> str:
    """Names the way a base is made, so that another way gives another base."""
    return hashlib.sha256(f"{PYTHON} {_SUITE} {_PACKAGES}".encode()).hexdigest()[:16]


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
