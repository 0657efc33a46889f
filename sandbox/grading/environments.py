"""Environments judged: whether two are alike, whether one is whole, and whether a model names it.

An environment is what `probes.environments.install` saw: `status`, and once it is installed
`locked`, `packages` (version by name), `requires` (by name) and `files` (SHA-256 by path).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*===?\s*([^\s;*]+)\s*(?:;.*)?")
_PROGRAMS = "bin"
_HASH = re.compile(r"--hash[= ]\S+")


def is_there(environment: Mapping[str, Any]) -> bool:
    """Whether it was installed, and from a lock."""
    return environment["status"] == 0 and bool(environment["locked"])


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both are there, with the same packages and the same files."""
    return (
        is_there(one)
        and is_there(other)
        and (one["packages"], one["files"]) == (other["packages"], other["files"])
    )


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What differs between two that were installed, in words."""
    names = sorted({*one["packages"], *other["packages"]})
    both = [
        (name, *(each["packages"].get(name, "missing") for each in (one, other))) for name in names
    ]
    versions = [f"{name} {this} and {that}" for name, this, that in both if this != that]
    if versions or one["files"] == other["files"]:
        return versions
    paths = sorted({*one["files"], *other["files"]})
    return [path for path in paths if one["files"].get(path) != other["files"].get(path)]


def held_otherwise(
    folders: Iterable[Mapping[str, Any]], environment: Mapping[str, Any], ours: Iterable[str]
) -> list[str]:
    """What an image holds otherwise than an environment that was installed, in words.

    Args:
        folders: where Python looks in the image, first ones first: `folder`, `packages`, `files`.
        environment: what was installed; programs in its `bin/` are not compared.
        ours: our packages; those that are not installed must not be in the image either.
    """
    looked = list(folders)
    wrong = []
    for top in sorted({path.partition("/")[0] for path in environment["files"]} - {_PROGRAMS}):
        wanted = _below(top, environment["files"])
        found = [there for each in looked if (there := _below(top, each["files"]))]
        if not found or found[0] != wanted:
            wrong.append(f"{'another' if found else 'no'} {top}")
    installed = {plain(name) for name in environment["packages"]}
    there = {plain(name): each["folder"] for each in looked for name in each["packages"]}
    unlisted = sorted(set(map(plain, ours)) & set(there) - installed)
    return [*wrong, *(f"{name} in {there[name]}, which is not locked" for name in unlisted)]


def _below(top: str, files: Mapping[str, str]) -> dict[str, str]:
    return {path: digest for path, digest in files.items() if path.partition("/")[0] == top}


def is_whole(environment: Mapping[str, Any], ours: Iterable[str]) -> bool:
    """Whether something of ours is installed, and all of ours that it requires."""
    known = set(ours)
    there = {plain(name) for name in environment["packages"]}
    wanted = {
        plain(found[0])
        for requirements in environment["requires"].values()
        for requirement in requirements
        if (found := _NAME.match(requirement))
    }
    return bool(there & known) and wanted & known <= there


def disagreements(
    lines: Iterable[str], environment: Mapping[str, str], host: Mapping[str, str]
) -> list[str]:
    """What a model's requirements say otherwise than what it was trained in, in words.

    Args:
        lines: of its `requirements.txt`.
        environment: versions of our packages that are installed, by name; each has to be named.
        host: versions of third-party packages of the host, by name.
    """
    there = {plain(name): version for name, version in {**host, **environment}.items()}
    wrong, named = [], set[str]()
    for line in _joined(lines):
        pinned = _PINNED.fullmatch(line)
        if pinned is None:
            wrong.append(f"{line!r} is no exact version")
            continue
        name, version = plain(pinned[1]), pinned[2]
        named.add(name)
        if _release(there.get(name, "")) != _release(version):
            wrong.append(f"{name} {version} where {there.get(name, 'none')} is installed")
    left_out = sorted({plain(name) for name in environment} - named)
    return [*wrong, *(f"{name} {there[name]} is left out" for name in left_out)]


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _joined(lines: Iterable[str]) -> list[str]:
    """The requirements: without comments, options and hashes, and those of several lines as one."""
    text = "\n".join(lines).replace("\\\n", " ")
    found = (_HASH.sub("", line.partition(" #")[0]).strip() for line in text.splitlines())
    return [line for line in found if line and not line.startswith(("#", "-"))]


def _release(version: str) -> str:
    """A version without zeros at its end: 2.1 and 2.1.0 are one."""
    return re.sub(r"(\.0)+$", "", version)
