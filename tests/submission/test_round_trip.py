"""From a workspace to an archive and back over a fresh one."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import stat
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import HarnessFault, UsageError
from sandbox.submission import Changes, Submission, apply, changes, load, pack, packing, unpack
from sandbox.submission.manifest import MAX_FILE_BYTES, MAX_FILES, Manifest
from sandbox.workspace import MARK, WorkspaceMark, file_digests, read_mark, write_mark

SCENARIO = {
    "pipeline/features.py": b"truth = 1\n",
    "pipeline/train.py": b"train = 1\n",
    "service/app.py": b"broken = 1\n",
    "service/extra/old.py": b"old = 1\n",
    "run.sh": b"#!/bin/sh\n",
}
PROTECTED = ("pipeline/features.py", "checks/**")


def lay(folder: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def make(folder: Path, files: dict[str, bytes] = SCENARIO, *, seed: str = "7") -> Path:
    folder.mkdir()
    lay(folder, files)
    if "run.sh" in files:
        (folder / "run.sh").chmod(0o755)
    write_mark(folder, WorkspaceMark("skewed", seed, PROTECTED, file_digests(folder)))
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in file_digests(folder)}


def submission_of(
    folder: Path, files: dict[str, bytes], removed: tuple[str, ...] = ()
) -> Submission:
    """A submission as somebody could have made it by hand."""
    folder.mkdir()
    lay(folder, files)
    manifest = Manifest("skewed", "7", "0.1.0", file_digests(folder), removed)
    return Submission(manifest, folder, manifest.digest)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "workspace")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return make(tmp_path / "fresh")


def test_changes_are_told_apart(workspace: Path) -> None:
    assert changes(workspace) == Changes((), (), (), ())
    lay(workspace, {"new.py": b"n", "service/app.py": b"mended", "pipeline/features.py": b"bent"})
    lay(workspace, {"checks/mine.py": b"x", "__pycache__/a.pyc": b"y", "run.sh": b"#!/bin/sh\n"})
    (workspace / "service/extra/old.py").unlink()
    found = changes(workspace)
    assert found.added == ("new.py",)
    assert found.modified == ("service/app.py",)
    assert found.removed == ("service/extra/old.py",)
    assert found.protected_touched == ("checks/mine.py", "pipeline/features.py")
    assert found.submitted == ("new.py", "service/app.py")


def test_only_changes_travel(workspace: Path, tmp_path: Path) -> None:
    lay(workspace, {"new.py": b"n", "service/app.py": b"mended", "pipeline/features.py": b"bent"})
    (workspace / "service/extra/old.py").unlink()
    archive = pack(workspace, tmp_path / "submissions")
    assert archive == tmp_path / "submissions" / "skewed-7-1.tar.gz"
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["manifest.json", "files/new.py", "files/service/app.py"]
        manifest = json.load(tar.extractfile("manifest.json") or pytest.fail("no manifest"))
    assert manifest["removed"] == ["service/extra/old.py"]
    assert (manifest["scenario"], manifest["seed"]) == ("skewed", "7")
    assert list((tmp_path / "submissions").iterdir()) == [archive]


def test_the_same_content_gives_the_same_bytes(workspace: Path, tmp_path: Path) -> None:
    again = make(tmp_path / "again")
    for folder, files in ((workspace, ["b.py", "a.py"]), (again, ["a.py", "b.py"])):
        lay(folder, {path: path.encode() for path in files})
    (workspace / "a.py").chmod(0o777)
    os.utime(workspace / "b.py", (1, 1))
    one = pack(workspace, tmp_path / "s")
    other = pack(again, tmp_path / "s")
    assert (one.name, other.name) == ("skewed-7-1.tar.gz", "skewed-7-2.tar.gz")
    assert one.read_bytes() == other.read_bytes()


def test_an_unchanged_workspace_is_a_submission(workspace: Path, tmp_path: Path) -> None:
    submission = load(workspace, tmp_path / "out")
    assert submission.manifest.files == {}
    assert list(submission.folder.iterdir()) == []
    assert apply(submission, workspace) == []
    assert content_of(workspace) == SCENARIO


def test_names(tmp_path: Path) -> None:
    workspace = make(tmp_path / "w", seed="")
    digest = load(workspace, tmp_path / "out").digest
    assert pack(workspace, tmp_path / "s").name == f"skewed-{digest[:12]}-1.tar.gz"
    assert pack(workspace, tmp_path / "s", name="ada").name == "ada.tar.gz"
    with pytest.raises(UsageError, match="there already"):
        pack(workspace, tmp_path / "s", name="ada")
    for name in ("../ada", "", "a/b", ".hidden", "a\n"):
        with pytest.raises(UsageError, match="plain name"):
            pack(workspace, tmp_path / "s", name=name)


def test_a_folder_without_mark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for refuse in (changes, lambda path: load(path, tmp_path / "out")):
        with pytest.raises(UsageError, match=r"a workspace with \.assessment\.json"):
            refuse(tmp_path / "plain")
    assert not (tmp_path / "out").exists()


def test_a_mark_cannot_name_files_elsewhere(workspace: Path, tmp_path: Path) -> None:
    mark = read_mark(workspace)
    write_mark(workspace, replace(mark, scenario="../../x"))
    with pytest.raises(UsageError, match="plain name of a scenario"):
        pack(workspace, tmp_path / "s")
    write_mark(workspace, replace(mark, digests={**mark.digests, "../../etc/passwd": "0" * 64}))
    with pytest.raises(UsageError, match=r"'\.\.'"):
        pack(workspace, tmp_path / "s")


def test_submissions_are_not_packed_into_submissions(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(workspace)
    for folder in (workspace, workspace / "submissions", tmp_path / "link" / "s"):
        with pytest.raises(UsageError, match="outside the workspace"):
            pack(workspace, folder)
    assert changes(workspace).submitted == ()


def test_links_pipes_and_sockets_are_refused_by_name(workspace: Path, tmp_path: Path) -> None:
    place = workspace / "service" / "odd"

    def refused(said: str) -> None:
        with pytest.raises(UsageError, match=f"'service/odd', {said}"):
            pack(workspace, tmp_path / "s")
        place.unlink()

    place.symlink_to("/etc/passwd")
    refused("a symbolic link")
    place.symlink_to("extra", target_is_directory=True)
    refused("a symbolic link")
    os.mkfifo(place)
    refused("a named pipe")
    with socket.socket(socket.AF_UNIX) as listening, tempfile.TemporaryDirectory() as short:
        listening.bind(f"{short}/s")
        shutil.move(f"{short}/s", place)
        refused("a socket")


def test_links_of_tools_are_not_in_the_way(workspace: Path, tmp_path: Path) -> None:
    (workspace / ".venv" / "bin").mkdir(parents=True)
    (workspace / ".venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    (workspace / "mlruns").symlink_to(tmp_path)
    assert load(workspace, tmp_path / "out").manifest.files == {}


def test_paths_that_cannot_travel_are_refused_when_packed(workspace: Path, tmp_path: Path) -> None:
    for path in ("a\\b", "two\nlines", "n" * 101):
        lay(workspace, {path: b""})
        with pytest.raises(UsageError, match="rename or remove it"):
            pack(workspace, tmp_path / "s")
        (workspace / path).unlink()
    name = os.fsencode(workspace) + b"/\xff"
    Path(os.fsdecode(name)).touch()
    with pytest.raises(UsageError, match="not UTF-8"):
        pack(workspace, tmp_path / "s")


def test_limits_name_the_largest(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "big.bin").touch()
    os.truncate(workspace / "big.bin", 2**40)
    # Were it read at all, this would not end.
    with pytest.raises(UsageError, match=r"16,777,216 bytes .*'big\.bin' with 1,099,511,627,776"):
        pack(workspace, tmp_path / "s")
    (workspace / "big.bin").unlink()

    os.truncate(workspace / "service/app.py", MAX_FILE_BYTES + 1)
    with pytest.raises(UsageError, match=r"'service/app\.py' with 16,777,217"):
        pack(workspace, tmp_path / "s")
    lay(workspace, {"service/app.py": b"x"})

    lay(workspace, {f"many/{number}": b"" for number in range(MAX_FILES + 1)})
    with pytest.raises(UsageError, match="at most 2,000 changed files; saw 2,001"):
        pack(workspace, tmp_path / "s")
    shutil.rmtree(workspace / "many")

    monkeypatch.setattr(packing, "MAX_TOTAL_BYTES", 10)
    lay(workspace, {"a": b"x" * 6, "b": b"x" * 7})
    with pytest.raises(UsageError, match="all changed files; saw 13; the largest is 'b' with 7"):
        pack(workspace, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_the_largest_submission_there_may_be_goes_through(workspace: Path, tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(MAX_FILE_BYTES)
    lay(workspace, {f"{number}.bin": noise[number:] + bytes(number) for number in range(4)})
    archive = pack(workspace, tmp_path / "s")
    assert len(unpack(archive, tmp_path / "out").manifest.files) == 4


def test_large_protected_files_do_not_count(workspace: Path, tmp_path: Path) -> None:
    lay(workspace, {"checks/big": bytes(MAX_FILE_BYTES + 1)})
    assert load(workspace, tmp_path / "out").manifest.files == {}


def test_a_submission_replaces_adds_and_removes(
    workspace: Path, fresh: Path, tmp_path: Path
) -> None:
    lay(
        workspace, {"new/deep/er.py": b"n", "service/app.py": b"mended", "run.sh": b"#!/bin/bash\n"}
    )
    shutil.rmtree(workspace / "service/extra")
    # A folder becomes a file, and a file a folder.
    lay(workspace, {"service/extra": b"a file now"})
    (workspace / "pipeline/train.py").unlink()
    lay(workspace, {"pipeline/train.py/inner": b"x"})

    assert apply(load(workspace, tmp_path / "out"), fresh) == []
    assert content_of(fresh) == content_of(workspace)
    assert changes(fresh) == changes(workspace)
    assert stat.S_IMODE((fresh / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((fresh / "service/app.py").stat().st_mode) & 0o111 == 0


def test_protected_files_are_the_scenarios(fresh: Path, tmp_path: Path) -> None:
    bent = {
        "pipeline/features.py": b"bent",
        "Checks/mine.py": b"on macOS this is checks/mine.py",
        "checks/deep/er.py": b"bent",
        "service/app.py": b"mended",
    }
    submission = submission_of(tmp_path / "s", bent, ("checks/test_public.py",))
    lay(fresh, {"checks/test_public.py": b"public"})
    before = (fresh / MARK).read_bytes()
    ignored = apply(submission, fresh)
    assert ignored == [
        "Checks/mine.py",
        "checks/deep/er.py",
        "checks/test_public.py",
        "pipeline/features.py",
    ]
    assert content_of(fresh) == SCENARIO | {
        "checks/test_public.py": b"public",
        "service/app.py": b"mended",
    }
    assert (fresh / MARK).read_bytes() == before


def test_a_mark_that_was_edited_protects_nothing_less(
    workspace: Path, fresh: Path, tmp_path: Path
) -> None:
    write_mark(workspace, replace(read_mark(workspace), protected=(), digests={}))
    lay(workspace, {"pipeline/features.py": b"bent"})
    submission = load(workspace, tmp_path / "out")
    assert "pipeline/features.py" in submission.manifest.files
    assert apply(submission, fresh) == ["pipeline/features.py"]
    assert content_of(fresh) == SCENARIO


@pytest.mark.parametrize("path", ["pipeline", "pipeline/features.py/inner"])
def test_what_is_protected_cannot_be_pushed_aside(fresh: Path, tmp_path: Path, path: str) -> None:
    submission = submission_of(tmp_path / "s", {path: b"x"}, ("pipeline/train.py",))
    assert apply(submission, fresh) == [path]
    assert content_of(fresh)["pipeline/features.py"] == b"truth = 1\n"


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest("skewed", "7", "1", {"../outside": "0" * 64}),
        Manifest("skewed", "7", "1", {}, ("../victim",)),
        Manifest("skewed", "7", "1", {}, (".assessment.json",)),
        Manifest("skewed", "7", "1", {"__pycache__/x": "0" * 64}),
    ],
)
def test_a_submission_that_never_was_an_archive_is_checked_as_well(
    fresh: Path, tmp_path: Path, manifest: Manifest
) -> None:
    lay(tmp_path, {"victim": b"v"})
    with pytest.raises(UsageError, match="plain relative paths"):
        apply(Submission(manifest, tmp_path / "s", manifest.digest), fresh)
    assert (tmp_path / "victim").exists()


def test_another_scenario_or_seed_is_refused(workspace: Path, tmp_path: Path) -> None:
    submission = load(workspace, tmp_path / "out")
    with pytest.raises(UsageError, match="seed '8'"):
        apply(submission, make(tmp_path / "other", seed="8"))
    other = replace(submission, manifest=replace(submission.manifest, scenario="drift"))
    with pytest.raises(UsageError, match="scenario 'skewed'"):
        apply(other, make(tmp_path / "fresh"))


def test_nothing_is_written_or_removed_through_a_link(fresh: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    lay(outside, {"app.py": b"mine", "target": b"mine"})
    shutil.rmtree(fresh / "service")
    (fresh / "service").symlink_to(outside)
    for number, (files, removed) in enumerate(
        [({"service/app.py": b"x"}, ()), ({}, ("service/app.py",))]
    ):
        submission = submission_of(tmp_path / f"s{number}", files, removed)
        with pytest.raises(HarnessFault, match="without links"):
            apply(submission, fresh)
    (fresh / "run.sh").unlink()
    (fresh / "run.sh").symlink_to(outside / "target")
    (fresh / "hard").hardlink_to(outside / "target")
    apply(submission_of(tmp_path / "s9", {"run.sh": b"x", "hard": b"x"}), fresh)
    assert content_of(outside) == {"app.py": b"mine", "target": b"mine"}
    assert (fresh / "run.sh").read_bytes() == b"x"
    assert not (fresh / "run.sh").is_symlink()


def test_a_submission_that_changed_after_it_was_unpacked_is_our_fault(
    workspace: Path, fresh: Path, tmp_path: Path
) -> None:
    lay(workspace, {"new.py": b"n"})
    submission = load(workspace, tmp_path / "out")
    lay(submission.folder, {"new.py": b"m"})
    with pytest.raises(HarnessFault, match=r"another 'new\.py'"):
        apply(submission, fresh)


def test_a_folder_and_its_archive_are_one_submission(workspace: Path, tmp_path: Path) -> None:
    lay(workspace, {"new.py": b"n"})
    one = load(workspace, tmp_path / "one")
    other = load(pack(workspace, tmp_path / "s"), tmp_path / "other")
    assert one.digest == other.digest
    assert one.manifest == other.manifest
    assert (one.folder / "new.py").read_bytes() == b"n"


names = st.text("abcßé. -", min_size=1, max_size=4).filter(lambda name: name.strip("."))
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join), st.binary(max_size=40), max_size=6
).filter(lambda tree: not any(other.startswith(path + "/") for path in tree for other in tree))


@settings(max_examples=60, deadline=None)
@given(before=trees, after=trees, kept=st.booleans())
def test_any_tree_arrives_as_it_left(
    before: dict[str, bytes], after: dict[str, bytes], *, kept: bool
) -> None:
    if kept:
        after = before | {path: after.get(path, b"changed") for path in list(before)[:2]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh = make(folder / "fresh", before)
        workspace = make(folder / "workspace", before)
        for path in content_of(workspace):
            (workspace / path).unlink()
        for inside in sorted(workspace.rglob("*"), reverse=True):
            if inside.is_dir():
                inside.rmdir()
        lay(workspace, after)
        archive = pack(workspace, folder / "s")
        ignored = apply(unpack(archive, folder / "out"), fresh)
        assert ignored == []
        assert content_of(fresh) == after
        assert changes(fresh) == changes(workspace)
        again = pack(fresh, folder / "s")
        assert again.read_bytes() == archive.read_bytes()
        assert {path.name for path in folder.iterdir()} == {"fresh", "workspace", "s", "out"}
