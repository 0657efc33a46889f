"""The image that submissions run in, made on the spot where it is not there.

    mlops-sandbox-base:<recipe>    Python 3.11 and LightGBM's library; see `bases.py`
    mlops-sandbox:<content>        that, and the packages of the lock, installed without a network

A tag is the digest of all that goes in, so an image that is there under its tag is never stale, and
a change of the lock or of a file here makes another one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import paths
from sandbox.errors import HarnessFault
from sandbox.runtimes.docker import bases, contexts, daemon, wheels
from sandbox.runtimes.docker.daemon import asking, fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from docker import APIClient

    from sandbox.runtimes.docker.bases import Base

REPOSITORY = "mlops-sandbox"
BASE_LABEL, BASE_DIGEST_LABEL = "mlops-sandbox.base", "mlops-sandbox.base-digest"
SOURCES = Path(__file__).parent / "image"
PYTHON = "/opt/python/bin/python"
BIN = "/opt/python/bin"
INIT = (PYTHON, "-I", "-S", "/opt/sandbox/init.py")
_INGREDIENTS = ("Dockerfile", "install.py", "init.py")
_LOCK = paths.CACHE / "image.lock"
_BUILT_WITHIN_S = 600.0


@dataclass(frozen=True)
class Image:
    """An image of ours.

    Args:
        name: its name and tag.
        digest: what the daemon knows it by.
        base: what its base was made from.
        base_digest: of what the base was made from.
    """

    name: str
    digest: str
    base: str
    base_digest: str


def find(api: APIClient) -> Image | None:
    """The image, if it has been made.

    Raises:
        HarnessFault: the daemon does not answer, or there is no lock.
    """
    base = bases.find(api)
    return _inspected(api, _name(base)) if base else None


def ensure(api: APIClient) -> Image:
    """The image; made first where it is not there, which takes a minute or two.

    Raises:
        HarnessFault: it cannot be made.
    """
    if found := find(api):
        return found
    with alone():
        # Somebody else may have made it while we waited.
        if found := find(api):
            return found
        base = bases.ensure(api)
        name = _name(base)
        labels = {BASE_LABEL: base.origin, BASE_DIGEST_LABEL: base.digest}
        with _context(wheels.folder()) as context:
            build(api, name, context, {"BASE": base.name}, labels)
        if found := _inspected(api, name):
            return found
    raise HarnessFault(expected=f"the image {name} once it is made", seen="none")


def build(
    api: APIClient,
    name: str,
    context: IO[bytes],
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
) -> None:
    """Build an image of ours.

    Args:
        api: the daemon.
        name: its name and tag.
        context: what it is built from, as a tar file.
        arguments: of its Dockerfile.
        labels: what it is labelled with besides.

    Raises:
        HarnessFault: it cannot be built.
    """
    said: list[str] = []
    expected = f"the image {name} to be built"
    with asking(expected):
        for event in api.build(
            fileobj=context,
            custom_context=True,
            tag=name,
            buildargs=dict(arguments),
            labels=dict(labels),
            network_mode="none",
            rm=True,
            forcerm=True,
            decode=True,
            timeout=_BUILT_WITHIN_S,
        ):
            said += event.get("stream", "").split("\n")
            if error := event.get("error"):
                last = " / ".join([line.strip() for line in said if line.strip()][-3:])
                raise fault(expected, RuntimeError(f"{error}, after: {last}"))


def _inspected(api: APIClient, name: str) -> Image | None:
    if (said := daemon.image(api, name)) is None:
        return None
    labels = said["Config"]["Labels"]
    return Image(name, said["Id"], labels[BASE_LABEL], labels[BASE_DIGEST_LABEL])


def _name(base: Base) -> str:
    """Named after all that goes in."""
    files = ((SOURCES / name).read_text("utf-8") for name in _INGREDIENTS)
    return named(REPOSITORY, base.digest, wheels.requirements(), *files)


def named(repository: str, *parts: str) -> str:
    """A name whose tag is a digest of all that goes in."""
    return f"{repository}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}"


@contextlib.contextmanager
def _context(packages: Path) -> Iterator[IO[bytes]]:
    """What the daemon builds from, as a tar file."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in _INGREDIENTS:
                contexts.add(tar, name, (SOURCES / name).read_bytes())
            contexts.add(tar, "build/requirements.txt", wheels.requirements().encode())
            for wheel in sorted(packages.iterdir()):
                tar.add(wheel, f"build/wheels/{wheel.name}")
        file.seek(0)
        yield file


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else of this checkout makes the image meanwhile."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
