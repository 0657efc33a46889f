"""Probe: build the image that a submission describes, see what it holds, and have it answer.

What it may be built on is a name that somebody publishes, with tags that move and tags that stay.
All of them are the same host here: a build after the tags have moved differs by nothing but that a
tag moves, so a Dockerfile that names none which moves is built alike for ever.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sandbox import dockerfile, registry
from sandbox.errors import SubmissionFault
from sandbox.probes.environments import INSTALLERS_OWN
from sandbox.runtimes.specs import ImageSpec
from sandbox.traffic.client import Client, predictions_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sandbox.plan import Stage
    from sandbox.runtimes.base import Builder, Image

DOCKERFILE = "deploy/Dockerfile"
ALIVE = "/ping"
# Below the working directory, for what the service keeps of versions that it has served.
VOLUMES = (".releases",)
BUILT_WITHIN_S, STARTED_WITHIN_S = 120.0, 60.0
_FOLDER_BYTES = 64 * 2**20
_FOLDERS_MAX = 20
_SAID = 600
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_INSTALLED = re.compile(rf"(.+)/{_METADATA.pattern}")
# A program of an environment as a command names it, alone or in a shell's line: `venv/bin/python`.
_PROGRAM = re.compile(r"([\w./-]*\bbin)/[\w.-]+")
_TAGGED = re.compile(r"([a-z0-9./_-]+?)(?::([\w][\w.-]{0,127}))?", re.ASCII)


@dataclass(frozen=True)
class Published:
    """What an image may be built on.

    Args:
        name: without a tag.
        stays: matches the tags that never move; every other one does. None where nobody asks.
    """

    name: str
    stays: re.Pattern[str] | None = None

    def tag(self, reference: str) -> str | None:
        """The tag of one of ours, empty where none is given; None for an image of others."""
        found = _TAGGED.fullmatch(reference)
        return (found[2] or "") if found and found[1] == self.name else None

    def moves(self, reference: str) -> bool:
        """Whether one of ours is another one next week."""
        tag = self.tag(reference) or ""
        return self.stays is not None and not self.stays.fullmatch(tag)


def read(stage: Stage, published: Published) -> dict[str, Any]:
    """What the image would be built on (`names`), or why it cannot be (`problem`)."""
    try:
        resolved = _resolved(stage, published, published.name)
    except SubmissionFault as fault:
        return {"problem": str(fault)[:_SAID], "names": []}
    return {"problem": "", "names": list(resolved.names)}


def look(
    stage: Stage,
    builder: Builder,
    published: Published,
    *,
    tops: Collection[str],
    records: Sequence[dict[str, object]],
) -> dict[str, Any]:
    """Build the image, look into it, and start it twice: alone, and beside a registry.

    Args:
        stage: the stage.
        builder: builds it.
        published: what it may be built on.
        tops: names of files and folders that packages have where they are installed.
        records: flights that it is asked about, as they are sent.

    Returns:
        `problem` (why there is no image), `names` and `moving` (what it is built on), `folders`
        (where Python looks for packages, first ones first, each with `packages` and `files`),
        `alone` (`problem`, `users`), and `beside` a registry (`problem`, `served`).
    """
    seen: dict[str, Any] = {"problem": "", "names": [], "moving": [], "folders": []}
    none = "there is no image"
    seen["alone"] = {"problem": none, "users": []}
    seen["beside"] = {"problem": none, "served": None}
    base = builder.base()
    try:
        resolved = _resolved(stage, published, base)
        seen["names"] = list(resolved.names)
        seen["moving"] = [name for name in resolved.names if published.moves(name)]
        spec = ImageSpec(DOCKERFILE, stage.submitted, resolved.text, BUILT_WITHIN_S)
        with builder.built(spec) as image:
            seen["folders"] = [_holding(image, folder, tops) for folder in _search_path(image)]
            seen["alone"] = _alone(image)
            seen["beside"] = _beside_registry(stage, image, records)
    except SubmissionFault as fault:
        seen["problem"] = str(fault)[:_SAID]
    return seen


def _resolved(stage: Stage, published: Published, base: str) -> dockerfile.Resolved:
    path = stage.submitted / DOCKERFILE
    if not path.is_file() or path.is_symlink():
        raise SubmissionFault(expected=f"a file {DOCKERFILE}", seen="none")
    with path.open("rb") as file:
        content = file.read(dockerfile.MAX_BYTES + 1)
    return dockerfile.resolve(content, lambda name: None if published.tag(name) is None else base)


def _search_path(image: Image) -> list[str]:
    """Where Python looks for packages, by what the image says of itself; first ones first.

    Those are the working directory, `PYTHONPATH`, and beside each folder of programs the one that
    the Python in there installs into: those that the command names, then those of `PATH`. Last come
    folders below the working directory that packages were installed into: a script may look there.
    """
    given = image.environment
    folders = [image.workdir, *given.get("PYTHONPATH", "").split(":")]
    named = [programs for word in image.command for programs in _PROGRAM.findall(word)]
    for programs in (*named, *given.get("PATH", "").split(":")):
        if PurePosixPath(programs).name == "bin":
            library = f"{programs.removesuffix('bin')}lib/python3.11"
            folders += [f"{library}/site-packages", f"{library}/dist-packages"]
    plain = [str(PurePosixPath("/", image.workdir, folder)) for folder in folders if folder]
    below = image.files(image.workdir, _FOLDER_BYTES) if image.workdir != "/" else {}
    installed = {found[1] for path in sorted(below) if (found := _INSTALLED.fullmatch(path))}
    plain += [f"{image.workdir}/{folder}" for folder in sorted(installed)]
    return [folder for folder in dict.fromkeys(plain) if folder != "/"][:_FOLDERS_MAX]


def _holding(image: Image, folder: str, tops: Collection[str]) -> dict[str, Any]:
    """What a folder holds of packages: versions by name, and SHA-256 by path of files in `tops`."""
    found = image.files(folder, _FOLDER_BYTES)
    return {
        "folder": folder,
        "packages": dict(_packages(found)),
        "files": {
            path: hashlib.sha256(content).hexdigest()
            for path, content in sorted(found.items())
            if path.partition("/")[0] in tops
            and not path.endswith(".pyc")
            and PurePosixPath(path).name not in INSTALLERS_OWN
        },
    }


def _packages(found: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for path, content in sorted(found.items()):
        if _METADATA.fullmatch(path):
            about = BytesHeaderParser().parsebytes(content)
            yield str(about["Name"]).lower(), str(about["Version"])


def _alone(image: Image) -> dict[str, Any]:
    """Whether it answers with nobody else there, and who its programs run as."""
    try:
        with image.start({}, ALIVE, STARTED_WITHIN_S) as service:
            return {"problem": "", "users": sorted(service.users())}
    except SubmissionFault as fault:
        return {"problem": str(fault)[:_SAID], "users": []}


def _beside_registry(
    stage: Stage, image: Image, records: Sequence[dict[str, object]]
) -> dict[str, Any]:
    """What it answers once it has a registry; None where it does not get ready."""
    asks = registry.client_environment(stage.stack.registry.url)
    ready_path = stage.scenario.service.ready_path
    try:
        with image.start(asks, ready_path, STARTED_WITHIN_S, VOLUMES) as service:
            served = predictions_of(Client(service.url).score_all(records))
            return {"problem": "", "served": served}
    except SubmissionFault as fault:
        return {"problem": str(fault)[:_SAID], "served": None}
