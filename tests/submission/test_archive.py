"""Hostile archives, each built by hand, and what is said about them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import stat
import tarfile
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.errors import HarnessFault, UsageError
from sandbox.submission import archive as archive_module
from sandbox.submission import manifest as manifest_module
from sandbox.submission import unpack
from sandbox.submission.archive import read_archive, write_archive
from sandbox.submission.manifest import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    SCHEMA,
    Manifest,
    manifest_json,
    path_fault,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CODE = b"print('mended')\n"
Member = tuple[str | tarfile.TarInfo, bytes]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest_of(listed: dict[str, bytes], /, **changed: Any) -> bytes:
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "scenario": "skewed",
        "seed": "7",
        "harness_version": "0.1.0",
        "files": {path: sha256(content) for path, content in listed.items()},
        "removed": [],
    }
    fields |= changed
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode()


def tar_of(*members: Member, form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="utf-8") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            member.size = member.size or len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def sealed(block: bytes) -> bytes:
    """A header block with its checksum put right again."""
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Where to put an archive and where to unpack; afterwards nothing else may be there."""
    archive, destination = tmp_path / "given.tar.gz", tmp_path / "out"
    yield archive, destination
    assert {path.name for path in tmp_path.iterdir()} <= {archive.name, destination.name}


def refused(parts: tuple[Path, Path], raw: bytes, *, packed: bool = False) -> str:
    archive, destination = parts
    archive.write_bytes(raw if packed else gzip.compress(raw))
    with pytest.raises(UsageError) as caught:
        unpack(archive, destination)
    assert not destination.exists()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    assert caught.value.hint
    return message


def refused_path(parts: tuple[Path, Path], path: str) -> str:
    """Both roads a path can come by: the manifest lists it, or only a member has it."""
    listed = manifest_of({path: CODE})
    message = refused(parts, tar_of(("manifest.json", listed), ("files/x", CODE)))
    name = f"files/{path}" if not path.startswith("/") else path
    member = tar_of(("manifest.json", manifest_of({})), (name, CODE), form=tarfile.USTAR_FORMAT)
    return f"{message}\n{refused(parts, member)}"


def test_a_sound_archive_is_unpacked_as_plain_files(parts: tuple[Path, Path]) -> None:
    archive, destination = parts
    files = {"a.py": CODE, "deploy/größe.yaml": b"x: 1\n", "data/blob": bytes(range(256)) * 600}
    member = tarfile.TarInfo("files/a.py")
    member.mode = 0o6777
    rest = [(f"files/{path}", content) for path, content in files.items() if path != "a.py"]
    raw = tar_of(("manifest.json", manifest_of(files)), (member, CODE), *rest)
    archive.write_bytes(gzip.compress(raw))

    submission = unpack(archive, destination)

    assert submission.folder == destination / "files"
    assert submission.digest == submission.manifest.digest
    found = {path for path in submission.folder.rglob("*") if path.is_file()}
    assert {str(path.relative_to(submission.folder)) for path in found} == set(files)
    for path in found:
        assert stat.S_IMODE(path.lstat().st_mode) == 0o644
        assert path.read_bytes() == files[str(path.relative_to(submission.folder))]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc/cron.d/x", "absolute"),
        ("../outside", "'..'"),
        ("a/../../outside", "'..'"),
        ("C:/windows/x", "drive letter"),
        ("c:x", "drive letter"),
        ("a\\..\\b", "backslash"),
        ("a//b", "empty name"),
        ("a/./b", "empty name or a '.'"),
        ("evil\u202eyp.exe", "cannot be seen"),
        ("two\nlines", "cannot be seen"),
        ("__pycache__/features.cpython-311.pyc", "tools leave behind"),
        ("pipeline/__PyCache__/features.py", "tools leave behind"),
        ("pipeline/features.pyc", "tools leave behind"),
        (".git/hooks/post-checkout", "tools leave behind"),
        (".assessment.json", "the mark"),
        (".Assessment.JSON", "the mark"),
    ],
)
def test_a_path_that_is_not_safe_is_refused(parts: tuple[Path, Path], path: str, said: str) -> None:
    for message in refused_path(parts, path).splitlines():
        assert said in message


@pytest.mark.parametrize("path", ["", "a/", "x\0y", "\ud800", "n" * 101, "f" * 150 + "/x"])
def test_a_path_that_a_tar_cannot_hold_is_refused_in_the_manifest(
    parts: tuple[Path, Path], path: str
) -> None:
    message = refused(parts, tar_of(("manifest.json", manifest_of({path: CODE}))))
    assert "plain relative paths" in message
    removed = manifest_of({}, removed=[path])
    assert refused(parts, tar_of(("manifest.json", removed))) == message


def test_the_longest_paths_are_packed(tmp_path: Path) -> None:
    path = "/".join(["f" * 74, "g" * 74, "n" * 100])
    assert not path_fault(path)
    manifest = Manifest("s", "", "1", {path: sha256(CODE)})
    write_archive(tmp_path / "a.tar.gz", manifest, {path: CODE})
    assert unpack(tmp_path / "a.tar.gz", tmp_path / "out").manifest == manifest


def test_a_name_with_a_nul_in_the_header_is_refused(parts: tuple[Path, Path]) -> None:
    raw = tar_of(("files/a.py", CODE))
    block = sealed(raw[:10] + b"\0/../../b" + raw[19:512])
    assert "NUL" in refused(parts, first_member({"a.py": CODE}) + block + raw[512:])


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "named pipe"),
        (tarfile.DIRTYPE, "folder"),
        (tarfile.CONTTYPE, "type b'7'"),
        (tarfile.GNUTYPE_SPARSE, "sparse"),
    ],
)
def test_only_plain_files_are_accepted(parts: tuple[Path, Path], kind: bytes, said: str) -> None:
    member = special("files/a.py", kind, "/etc/passwd")
    manifest = manifest_of({"a.py": CODE})
    message = refused(parts, tar_of(("manifest.json", manifest), (member, b"")))
    assert said in message
    assert "files/a.py" in message


def test_a_link_is_refused_before_a_file_can_be_written_through_it(
    parts: tuple[Path, Path],
) -> None:
    link = special("files/deploy", tarfile.SYMTYPE, "../..")
    manifest = manifest_of({"deploy/out": CODE})
    raw = tar_of(("manifest.json", manifest), (link, b""), ("files/deploy/out", CODE))
    assert "symbolic link" in refused(parts, raw)


def test_a_link_for_a_manifest_is_refused(parts: tuple[Path, Path]) -> None:
    link = special("manifest.json", tarfile.SYMTYPE, "/etc/passwd")
    assert "symbolic link" in refused(parts, tar_of((link, b"")))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_extended_headers_are_refused_unread(parts: tuple[Path, Path], form: int) -> None:
    long = tar_of(("manifest.json", manifest_of({})), (f"files/{'n' * 300}", CODE), form=form)
    assert "plain files only" in refused(parts, long)


def test_a_member_that_is_there_twice_is_refused(parts: tuple[Path, Path]) -> None:
    manifest = manifest_of({"a.py": CODE})
    twice = tar_of(("manifest.json", manifest), ("files/a.py", CODE), ("files/a.py", CODE))
    assert "twice" in refused(parts, twice)
    second = tar_of(("manifest.json", manifest), ("manifest.json", manifest))
    assert "second" in refused(parts, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Makefile", "makefile"),
        ("deploy/A.yaml", "Deploy/a.yaml"),
        ("é", "e\u0301"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_paths_that_are_one_file_on_some_disks_are_refused(
    parts: tuple[Path, Path], one: str, other: str
) -> None:
    manifest = manifest_of({one: CODE, other: CODE})
    raw = tar_of(("manifest.json", manifest), (f"files/{one}", CODE), (f"files/{other}", CODE))
    assert "more than case" in refused(parts, raw)


@pytest.mark.parametrize("inner", ["a/b", "A/b", "a/b/c"])
def test_a_path_that_is_both_file_and_folder_is_refused(
    parts: tuple[Path, Path], inner: str
) -> None:
    manifest = manifest_of({"a": CODE, inner: CODE})
    raw = tar_of(("manifest.json", manifest), ("files/a", CODE), (f"files/{inner}", CODE))
    assert "either a file or a folder" in refused(parts, raw)


def test_names_elsewhere_are_refused(parts: tuple[Path, Path]) -> None:
    for name in ("other.txt", "manifest.json.bak", "files", "filesystem/x", "files2/x"):
        raw = tar_of(("manifest.json", manifest_of({})), (name, CODE))
        assert repr(name) in refused(parts, raw)
    listed = tar_of(("manifest.json", manifest_of({"a.py": CODE})), ("a.py", CODE))
    assert "under files/ only" in refused(parts, listed)


def test_the_manifest_comes_first(parts: tuple[Path, Path]) -> None:
    assert "'files/a.py'" in refused(parts, tar_of(("files/a.py", CODE)))
    assert "empty tar" in refused(parts, tar_of())
    raw = tar_of(("files/a.py", CODE), ("manifest.json", manifest_of({"a.py": CODE})))
    assert "as the first file" in refused(parts, raw)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"", "as JSON"),
        (b"{", "as JSON"),
        (b"\xff\xfe", "as JSON"),
        (b"[" * 100_000, "as JSON"),
        (b'{"files": ' + b"1" * 5_000 + b"}", "as JSON"),
        (b'{"schema": "a", "schema": "b"}', "twice"),
        (b"[]", "as an object"),
        (b"null", "as an object"),
        (manifest_of({}, extra="x"), "'extra' unknown"),
        (manifest_of({}, seed=None), "'seed' missing"),
        (manifest_of({}, schema="mlops-sandbox/submission/99"), "submission/99"),
        (manifest_of({}, schema=["x"]), "saw list"),
        (manifest_of({}, files=["a"]), "other types"),
        (manifest_of({}, files={"a": 1}), "other types"),
        (manifest_of({}, removed={"a": "b"}), "other types"),
        (manifest_of({}, removed=[1]), "other types"),
        (manifest_of({}, seed=7), "other types"),
        (manifest_of({}, scenario="../../etc"), "name of a scenario"),
        (manifest_of({}, scenario=""), "name of a scenario"),
        (manifest_of({}, scenario="a\n"), "name of a scenario"),
        (manifest_of({}, seed="x" * 1_000_000), "plain seed"),
        (manifest_of({}, seed="\x1b[2J"), "plain seed"),
        (manifest_of({}, harness_version="<b>"), "plain version"),
        (manifest_of({}, files={"a": "0" * 63}), "SHA-256"),
        (manifest_of({}, files={"a": "A" * 64}), "SHA-256"),
        (manifest_of({}, removed=["a", "a"]), "once"),
        (manifest_of({"a": CODE}, removed=["a"]), "once"),
        (manifest_of({}, removed=[f"f{n}" for n in range(MAX_FILES + 1)]), "removed files"),
    ],
    ids=range(28),
)
def test_a_broken_manifest_is_refused(parts: tuple[Path, Path], manifest: bytes, said: str) -> None:
    assert said in refused(parts, tar_of(("manifest.json", manifest)))


def test_a_huge_manifest_is_refused_unread(parts: tuple[Path, Path]) -> None:
    raw = tar_of(("manifest.json", b" " * (MAX_MANIFEST_BYTES + 1)))
    assert "manifest.json of at most" in refused(parts, raw)


def test_files_are_those_of_the_manifest(parts: tuple[Path, Path]) -> None:
    manifest = ("manifest.json", manifest_of({"a.py": CODE}))
    other = tar_of(manifest, ("files/a.py", CODE.replace(b"n", b"m")))
    assert "digests" in refused(parts, other)
    unlisted = tar_of(manifest, ("files/a.py", CODE), ("files/b.py", CODE))
    assert "'files/b.py'" in refused(parts, unlisted)
    missing = tar_of(manifest)
    assert "'files/a.py', 1 missing" in refused(parts, missing)


def test_too_many_members_are_refused(
    parts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"f{number}": b"" for number in range(MAX_FILES + 1)}
    members = [(f"files/{path}", content) for path, content in files.items()]
    assert "2,001" in refused(parts, tar_of(("manifest.json", manifest_of(files)), *members))

    monkeypatch.setattr(manifest_module, "MAX_FILES", 3)
    three = {f"f{number}": b"" for number in range(3)}
    raw = tar_of(("manifest.json", manifest_of(three)), *members)
    assert "'files/f3'" in refused(parts, raw)


def test_bytes_are_counted_over_all_members(
    parts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_TOTAL_BYTES", 100)
    files = dict.fromkeys("abc", b"x" * 40)
    members = [(f"files/{path}", content) for path, content in files.items()]
    message = refused(parts, tar_of(("manifest.json", manifest_of(files)), *members))
    assert "'files/c'" in message
    assert "120 in all" in message


def test_a_file_that_is_too_large_is_refused_unread(parts: tuple[Path, Path]) -> None:
    raw = first_member({"a": CODE}) + header("files/a", MAX_FILE_BYTES + 1)
    assert "'files/a' with 16,777,217" in refused(parts, raw)


def bomb(head: bytes, mebibytes: int) -> bytes:
    """A header and then zeros that are packed a thousandfold."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as packed:
        packed.write(head)
        for _ in range(mebibytes):
            packed.write(bytes(2**20))
    return buffer.getvalue()


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def first_member(files: dict[str, bytes]) -> bytes:
    content = manifest_of(files)
    return header("manifest.json", len(content)) + content + bytes(-len(content) % 512)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="nothing but zeros"),
        pytest.param(header("manifest.json", 2**32), id="manifest"),
        pytest.param(header("manifest.json", MAX_MANIFEST_BYTES), id="manifest of zeros"),
        pytest.param(first_member({"a": CODE}) + header("files/a", 2**40), id="file"),
        pytest.param(first_member({"a": CODE}) + header("files/a", MAX_FILE_BYTES), id="largest"),
        pytest.param(first_member({}), id="after the end"),
        pytest.param(header("x", 2**33, tarfile.XHDTYPE), id="pax header"),
        pytest.param(header("x", 2**33, tarfile.XGLTYPE), id="global pax header"),
        pytest.param(header("x", 2**33, tarfile.GNUTYPE_LONGNAME), id="long name"),
    ],
)
def test_a_bomb_stops_early_in_bounded_memory(parts: tuple[Path, Path], head: bytes) -> None:
    packed = bomb(head, 80)
    assert len(packed) < 2**20
    tracemalloc.start()
    try:
        refused(parts, packed, packed=True)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_a_huge_archive_is_refused_unread(parts: tuple[Path, Path]) -> None:
    archive, destination = parts
    archive.touch()
    os.truncate(archive, 2**40)
    with pytest.raises(UsageError, match="an archive of at most"):
        unpack(archive, destination)
    assert not destination.exists()


@pytest.mark.parametrize("size", [-1, -512, -(2**60)])
@pytest.mark.parametrize("name", ["manifest.json", "files/a"])
def test_a_negative_size_is_refused(parts: tuple[Path, Path], name: str, size: int) -> None:
    head = b"" if name == "manifest.json" else first_member({"a": CODE})
    assert "negative" in refused(parts, head + header(name, size) + bytes(1024))


def test_a_broken_off_archive_is_refused_wherever_it_breaks(parts: tuple[Path, Path]) -> None:
    files = {"a.py": CODE, "b.bin": random.Random(1).randbytes(3_000)}
    members = [(f"files/{path}", content) for path, content in files.items()]
    whole = tar_of(("manifest.json", manifest_of(files)), *members)
    packed = gzip.compress(whole)
    for end in [*range(1, 40), *range(40, len(packed), 97), len(packed) - 1]:
        refused(parts, packed[:end], packed=True)
    content_end = len(whole.rstrip(b"\0"))
    for end in range(0, content_end, 211):
        refused(parts, whole[:end])


def test_a_corrupt_archive_is_refused_wherever_it_is_corrupt(parts: tuple[Path, Path]) -> None:
    packed = bytearray(gzip.compress(tar_of(("manifest.json", manifest_of({})))))
    # Bytes 3 to 9 of a gzip are flags, a time and a system. Only the flags change what is read.
    for place in [0, 1, 2, *range(10, len(packed))]:
        broken = packed.copy()
        broken[place] ^= 0x55
        refused(parts, bytes(broken), packed=True)


def test_what_is_no_archive_is_refused(parts: tuple[Path, Path]) -> None:
    assert "empty file" in refused(parts, b"", packed=True)
    refused(parts, b"just text\n", packed=True)
    refused(parts, tar_of(("manifest.json", manifest_of({}))), packed=True)
    refused(parts, b"just text, packed\n" * 100)
    refused(parts, b"")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("manifest.json", manifest_of({}))
    refused(parts, buffer.getvalue(), packed=True)


def test_anything_after_the_end_is_refused(parts: tuple[Path, Path]) -> None:
    raw = tar_of(("manifest.json", manifest_of({})))
    assert "more data" in refused(parts, raw + tar_of(("files/late", CODE)))
    assert "more data" in refused(parts, gzip.compress(raw) + gzip.compress(raw), packed=True)
    assert "more data" in refused(parts, gzip.compress(raw) + b"tail", packed=True)
    assert "more data" in refused(parts, raw + bytes(2**20))


def test_what_comes_after_the_last_piece_that_was_read_is_refused(
    parts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(tar_of(("manifest.json", manifest_of({}))))
    monkeypatch.setattr(archive_module, "_CHUNK", len(packed))
    assert "more data" in refused(parts, packed + b"tail", packed=True)


def test_undecodable_names_are_refused(parts: tuple[Path, Path]) -> None:
    raw = header("files/a", 0)
    block = sealed(b"files/\xff" + raw[7:])
    refused(parts, first_member({"a": b""}) + block + bytes(1024))


def test_a_missing_archive_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        unpack(tmp_path / "none.tar.gz", tmp_path / "out")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="an archive or a workspace"):
            unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def sound(archive: Path) -> Path:
    archive.write_bytes(gzip.compress(tar_of(("manifest.json", manifest_of({})))))
    return archive


def a_file(path: Path) -> None:
    path.write_text("mine")


def a_full_folder(path: Path) -> None:
    path.mkdir()
    (path / "mine").write_text("mine")


def a_link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("taken", [a_file, a_full_folder, a_link])
def test_a_destination_that_is_taken_is_left_alone(
    tmp_path: Path, taken: Callable[[Path], None]
) -> None:
    archive, destination = sound(tmp_path / "a.tar.gz"), tmp_path / "out"
    taken(destination)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="new folder"):
        unpack(archive, destination)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_destination_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    submission = unpack(sound(tmp_path / "a.tar.gz"), tmp_path / "out")
    assert list(submission.folder.iterdir()) == []


def test_a_full_disk_is_our_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    archive = sound(tmp_path / "a.tar.gz")
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("pathlib.Path.chmod", full)
    with pytest.raises(HarnessFault, match="No space left"):
        read_archive(archive, tmp_path / "out")


def test_an_archive_is_never_written_over(tmp_path: Path) -> None:
    archive = sound(tmp_path / "a.tar.gz")
    before = archive.read_bytes()
    with pytest.raises(UsageError, match="there already"):
        write_archive(archive, Manifest("s", "", "1", {}), {})
    assert archive.read_bytes() == before


def test_nothing_of_the_packer_is_in_the_archive(tmp_path: Path) -> None:
    manifest = Manifest("s", "", "1", {"a.py": sha256(CODE)}, ("b.py",))
    archive = tmp_path / "a.tar.gz"
    write_archive(archive, manifest, {"a.py": CODE})
    raw = archive.read_bytes()
    assert raw[3:8] == bytes(5)
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["manifest.json", "files/a.py"]
    for member in members:
        assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
        assert (member.uname, member.gname, member.mode) == ("", "", 0o644)
    assert json.loads(manifest_json(manifest))["removed"] == ["b.py"]


def test_the_digest_is_of_the_work_not_of_who_packed_it() -> None:
    one = Manifest("s", "1", "1.0", {"a": "0" * 64, "b": "1" * 64}, ())
    same = Manifest("s", "1", "2.0", {"b": "1" * 64, "a": "0" * 64}, ())
    assert one.digest == same.digest
    others = [
        Manifest("t", "1", "1.0", one.files, ()),
        Manifest("s", "2", "1.0", one.files, ()),
        Manifest("s", "1", "1.0", {"a": "0" * 64}, ()),
        Manifest("s", "1", "1.0", one.files, ("c",)),
    ]
    assert len({manifest.digest for manifest in (one, *others)}) == 5
