"""What a submission says about itself, and which names and paths are safe to use."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.errors import UsageError
from sandbox.untrusted import is_list_of_text, is_map_of_text, is_unseen, json_object, shortened
from sandbox.variant import SEED
from sandbox.workspace import folded, is_ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "mlops-sandbox/submission/1"
MANIFEST = "manifest.json"

MAX_FILES = 2_000
MAX_FILE_BYTES = 16 * 2**20
MAX_TOTAL_BYTES = 64 * 2**20
MAX_MANIFEST_BYTES = 2 * 2**20
# What a plain tar header holds, less `files/`; longer ones would need extended headers.
MAX_FOLDER_BYTES = 149
MAX_NAME_BYTES = 100

REPACK = "pack the workspace again with `make submit`"

_SCENARIO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SEED = re.compile(f"({SEED.pattern})?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What a submission says about itself. All of it is a claim, except the files' digests.

    Args:
        scenario: the scenario it answers.
        seed: the seed its workspace was made with; may be empty.
        harness_version: the version that packed it.
        files: SHA-256 of each added or modified file, by relative posix path.
        removed: paths that the workspace once had, sorted.
    """

    scenario: str
    seed: str
    harness_version: str
    files: Mapping[str, str]
    removed: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the work itself: the same for the same changes, whoever packed them."""
        fields = _fields(self)
        del fields["harness_version"]
        return hashlib.sha256(_json(fields)).hexdigest()


def check_manifest(manifest: Manifest, *, hint: str = REPACK) -> None:
    """Refuse a manifest whose names or paths are not safe to use on any system.

    Raises:
        UsageError: a name or a digest is malformed, a path cannot be in a submission, two paths are
            the same file on some disk, one is both a file and a folder, or there are too many.
    """
    for what, pattern, text in (
        ("a plain name of a scenario", _SCENARIO, manifest.scenario),
        ("a plain seed, or none,", _SEED, manifest.seed),
        ("a plain version of the harness", _VERSION, manifest.harness_version),
        *(("a SHA-256 of each file", _SHA256, digest) for digest in manifest.files.values()),
    ):
        if not pattern.fullmatch(text):
            raise UsageError(expected=f"{what} in {MANIFEST}", seen=shortened(text), hint=hint)
    for what, count in (("files", len(manifest.files)), ("removed files", len(manifest.removed))):
        if count > MAX_FILES:
            raise UsageError(
                expected=f"at most {MAX_FILES:,} {what} in a submission",
                seen=f"{count:,}",
                hint="leave out what is generated",
            )
    for path in (*manifest.files, *manifest.removed):
        if fault := path_fault(path):
            raise bad_path(path, fault, hint)
    _check_collisions(manifest, hint)


def path_fault(path: str) -> str:
    """Why a path cannot be in a submission, or an empty text if it can."""
    try:
        folder, _, name = path.encode("utf-8").rpartition(b"/")
    except UnicodeEncodeError:
        return "is not UTF-8"
    names = path.split("/")
    faults = {
        "is empty": not path,
        "is absolute": path.startswith("/"),
        "has a backslash": "\\" in path,
        "begins with a drive letter": re.match(r"[A-Za-z]:", path) is not None,
        "has a '..'": ".." in names,
        "has an empty name or a '.'": "" in names or "." in names,
        "has a character that cannot be seen": any(is_unseen(character) for character in path),
        f"has a folder of more than {MAX_FOLDER_BYTES} bytes": len(folder) > MAX_FOLDER_BYTES,
        f"has a name of more than {MAX_NAME_BYTES} bytes": len(name) > MAX_NAME_BYTES,
        "is what tools leave behind, or the mark": is_ignored(path),
    }
    return next((fault for fault, true in faults.items() if true), "")


def manifest_json(manifest: Manifest) -> bytes:
    """The manifest as it is stored."""
    return _json({"schema": SCHEMA, **_fields(manifest)})


def manifest_from_json(raw: bytes) -> Manifest:
    """Read a stored manifest.

    Raises:
        UsageError: it is broken, of another schema, has other keys, or see `check_manifest`.
    """
    fields = json_object(
        raw,
        ("schema", "scenario", "seed", "harness_version", "files", "removed"),
        what=MANIFEST,
        hint=REPACK,
    )
    schema, files, removed = (fields.pop(key) for key in ("schema", "files", "removed"))
    if schema != SCHEMA:
        seen = shortened(schema) if isinstance(schema, str) else type(schema).__name__
        raise UsageError(expected=f"{MANIFEST} of schema {SCHEMA!r}", seen=seen, hint=REPACK)
    if not (is_map_of_text(fields) and is_map_of_text(files) and is_list_of_text(removed)):
        raise UsageError(
            expected=f"{MANIFEST} with texts, a map of digests and a list of paths",
            seen="values of other types",
            hint=REPACK,
        )
    manifest = Manifest(**fields, files=files, removed=tuple(removed))
    check_manifest(manifest)
    return manifest


def bad_path(path: str, fault: str, hint: str = REPACK) -> UsageError:
    """The error for a path with a fault."""
    return UsageError(
        expected="plain relative paths in a submission",
        seen=f"{shortened(path)}, which {fault}",
        hint=hint,
    )


def _check_collisions(manifest: Manifest, hint: str) -> None:
    # On a disk that ignores case the later of two such files would silently replace the other, so
    # what is graded would hang on where it is graded.
    files: dict[str, str] = {}
    for path in manifest.files:
        other = files.setdefault(folded(path), path)
        if other != path:
            raise UsageError(
                expected="paths that differ by more than case",
                seen=f"{shortened(other)} and {shortened(path)}",
                hint=hint,
            )
    for path in manifest.files:
        names = folded(path).split("/")
        for depth in range(1, len(names)):
            if other := files.get("/".join(names[:depth]), ""):
                raise UsageError(
                    expected="each path to be either a file or a folder",
                    seen=f"{shortened(other)}, which {shortened(path)} needs as a folder",
                    hint=hint,
                )
    listed = [*manifest.files, *manifest.removed]
    if len(set(listed)) != len(listed):
        twice = next(path for path in manifest.removed if listed.count(path) > 1)
        raise UsageError(expected="each path once in a manifest", seen=shortened(twice), hint=hint)


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {**vars(manifest), "files": dict(manifest.files)}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
