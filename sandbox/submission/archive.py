"""The archive a submission travels in: a manifest and the files it lists, in one .tar.gz.

    manifest.json       first; what is in the archive, with a SHA-256 for each file
    files/<path>        a file of the workspace, in the order of their paths

Writing is deterministic. Reading takes the archive for hostile: it accepts exactly what writing
makes and nothing else of what tar can say. tarfile only decodes single headers here; its own loop
would follow extended headers of any size, sparse files and links before anybody could refuse them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import zlib
from typing import TYPE_CHECKING, BinaryIO

from sandbox.errors import HarnessFault, UsageError
from sandbox.submission.manifest import (
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_TOTAL_BYTES,
    REPACK,
    Manifest,
    bad_path,
    check_manifest,
    manifest_from_json,
    manifest_json,
    path_fault,
)
from sandbox.untrusted import shortened
from sandbox.workspace import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILES = "files/"
SUFFIX = ".tar.gz"

# Content that does not compress grows a little; headers and the manifest come on top.
MAX_ARCHIVE_BYTES = MAX_TOTAL_BYTES + MAX_MANIFEST_BYTES + 2 * 2**20

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 64 * 2**10
# Zeros after the last member; writers fill up to a record, 10 KiB unless told otherwise.
_MAX_PADDING = 64 * 2**10
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.DIRTYPE: "a folder",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
# The name and the prefix in a header's block.
_TEXT_FIELDS = (slice(0, 100), slice(345, 500))


def write_archive(archive: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
    """Write an archive; the same content gives the same bytes.

    Args:
        archive: the file to write; it must not exist.
        manifest: what the archive holds.
        contents: each of the manifest's files.

    Raises:
        UsageError: the manifest is not safe, see `check_manifest`, or the file cannot be written.
    """
    check_manifest(manifest, hint="rename or remove it in the workspace")
    members = {MANIFEST: manifest_json(manifest)}
    members |= {FILES + path: contents[path] for path in sorted(manifest.files)}
    try:
        # "x": an archive that is there was handed in, and stays what it was.
        with (
            archive.open("xb") as file,
            gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed,
            tarfile.open(
                fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT, encoding="utf-8"
            ) as tar,
        ):
            for name, content in members.items():
                # TarInfo's own defaults are mode 0644, owner 0 without a name, and time 0.
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    except FileExistsError as error:
        raise UsageError(
            expected=f"a new file at {archive}",
            seen="one that is there already",
            hint="give another name",
        ) from error
    except (OSError, ValueError) as error:
        archive.unlink(missing_ok=True)
        raise UsageError(
            expected=f"to write {archive}",
            seen=str(error),
            hint="check the disk, and that paths in the workspace are short",
        ) from error


def read_archive(archive: Path, destination: Path) -> Manifest:
    """Unpack a hostile archive into an empty folder, in bounded memory, up to the first fault.

    Files land in `destination/files`, as plain files with mode 0644. What was written before a
    fault stays there: the caller removes the folder.

    Raises:
        UsageError: the archive is not exactly what `write_archive` makes.
        HarnessFault: the destination cannot be written.
    """
    with _opened(archive) as compressed:
        tar = _Inflated(compressed)
        manifest = _read_manifest(tar)
        _write(destination / MANIFEST, iter([manifest_json(manifest)]))
        seen: set[str] = set()
        total = 0
        while member := _next_member(tar):
            path = _listed_path(member, manifest, seen)
            seen.add(path)
            total += member.size
            if member.size > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
                raise _refusal(
                    f"at most {MAX_FILE_BYTES:,} bytes a file and {MAX_TOTAL_BYTES:,} in all",
                    f"{shortened(member.name)} with {member.size:,}, {total:,} in all",
                )
            digest = _write(destination / FILES / path, _content(tar, member))
            if digest != manifest.files[path]:
                raise _refusal(
                    f"files with the digests that {MANIFEST} lists",
                    f"another one of {shortened(member.name)}",
                )
        if missing := sorted(set(manifest.files) - seen):
            raise _refusal(
                f"every file that {MANIFEST} lists",
                f"none at {shortened(FILES + missing[0])}, {len(missing)} missing in all",
            )
        tar.finish()
    return manifest


class _Inflated:
    """What is inside a gzip, a bounded piece at a time; one gzip member and nothing after it."""

    def __init__(self, compressed: BinaryIO) -> None:
        self._compressed = compressed
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def read(self, size: int) -> bytes:
        """As many bytes as asked for, fewer only at the end."""
        pieces: list[bytes] = []
        try:
            while size > 0 and not self._inflate.eof:
                compressed = self._inflate.unconsumed_tail or self._compressed.read(_CHUNK)
                if not compressed:
                    raise _refusal("a whole archive", "one that breaks off")
                pieces.append(self._inflate.decompress(compressed, size))
                size -= len(pieces[-1])
        except (zlib.error, OSError) as error:
            raise _refusal("a .tar.gz that can be read", str(error)) from error
        return b"".join(pieces)

    def finish(self) -> None:
        """Refuse anything but zeros up to the end, and anything after it."""
        rest = self.read(_MAX_PADDING + 1)
        if (
            len(rest) > _MAX_PADDING
            or rest.strip(b"\0")
            or self._inflate.unused_data
            or self._compressed.read(1)
        ):
            raise _refusal("nothing after the last file in the archive", "more data")


def _opened(archive: Path) -> BinaryIO:
    try:
        status = archive.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(
                expected=f"an archive or a workspace at {archive}", seen=kind_of(status)
            )
        if status.st_size > MAX_ARCHIVE_BYTES:
            raise _refusal(
                f"an archive of at most {MAX_ARCHIVE_BYTES:,} bytes", f"{status.st_size:,}"
            )
        if status.st_size == 0:
            raise _refusal("an archive", "an empty file")
        return archive.open("rb")
    except OSError as error:
        raise UsageError(
            expected=f"an archive at {archive}",
            seen=error.strerror or type(error).__name__,
            hint="check the path",
        ) from error


def _next_member(tar: _Inflated) -> tarfile.TarInfo | None:
    """The next header, or nothing at the end of the tar. Only plain files pass."""
    block = tar.read(_BLOCK)
    if len(block) < _BLOCK:
        raise _refusal("a whole tar", "one that breaks off, or none at all")
    if not any(block):
        return None
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise _refusal("a tar with sound headers", str(error)) from error
    for field in _TEXT_FIELDS:
        if block[field].partition(b"\0")[2].strip(b"\0"):
            raise bad_path(member.name, "has a NUL")
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        kind = _KINDS.get(member.type, f"a member of type {member.type!r}")
        raise _refusal("plain files only", f"{shortened(member.name)}, {kind}")
    if member.size < 0:
        raise _refusal("a tar with sound headers", f"{shortened(member.name)} of negative size")
    return member


def _content(tar: _Inflated, member: tarfile.TarInfo) -> Iterator[bytes]:
    """A member's bytes in pieces; leaves the tar at the next header."""
    left = member.size
    while left:
        piece = tar.read(min(left, _CHUNK))
        if not piece:
            raise _refusal(f"{member.size:,} bytes of {shortened(member.name)}", "the end")
        left -= len(piece)
        yield piece
    tar.read(-member.size % _BLOCK)


def _read_manifest(tar: _Inflated) -> Manifest:
    first = _next_member(tar)
    if first is None or first.name != MANIFEST:
        seen = "an empty tar" if first is None else shortened(first.name)
        raise _refusal(f"{MANIFEST} as the first file in the archive", seen)
    if first.size > MAX_MANIFEST_BYTES:
        raise _refusal(f"{MANIFEST} of at most {MAX_MANIFEST_BYTES:,} bytes", f"{first.size:,}")
    return manifest_from_json(b"".join(_content(tar, first)))


def _listed_path(member: tarfile.TarInfo, manifest: Manifest, seen: set[str]) -> str:
    """Where in the workspace a member belongs."""
    if fault := path_fault(member.name.removeprefix(FILES)):
        raise bad_path(member.name, fault)
    if member.name == MANIFEST:
        raise _refusal(f"one {MANIFEST}", "a second one")
    if not member.name.startswith(FILES):
        raise _refusal(f"{MANIFEST} and files under {FILES} only", shortened(member.name))
    path = member.name.removeprefix(FILES)
    if path in seen:
        raise _refusal("each file once", f"{shortened(member.name)} twice")
    if path not in manifest.files:
        raise _refusal(f"only files that {MANIFEST} lists", shortened(member.name))
    return path


def _write(path: Path, pieces: Iterator[bytes]) -> str:
    """Write a new plain file and return its SHA-256."""
    digest = hashlib.sha256()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
        path.chmod(0o644)
    except OSError as error:
        raise HarnessFault(
            expected="to write what is unpacked", seen=str(error), hint="check the disk"
        ) from error
    return digest.hexdigest()


def _refusal(expected: str, seen: str) -> UsageError:
    return UsageError(expected=expected, seen=seen, hint=REPACK)
