"""The whole take-home with a kit, from the candidate's folder to the hiring team's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import attempts, identity, models, paths, submission
from sandbox.workspace import read_mark
from tests.kit.handing import CANDIDATE, KEY, SECRET, chosen, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NAME = "skewed_preprocessing"
SANDBOX = str(Path(sys.prefix) / "bin" / "sandbox")
# One skew of three is left: what is graded hangs on which they are.
ATTEMPT, POINTS = "two_skews", "24 / 100"


def typed(command: Sequence[str], folder: Path, *, status: int, secret: bytes | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("SANDBOX_STATE", "MAKEFLAGS")}
    if secret is not None:
        environment[identity.VARIABLE] = secret.decode()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def apart() -> Iterator[Path]:
    """An empty place outside of /tmp, of which a submission's processes have one of their own."""
    with paths.run_folder() as folder:
        yield folder


def lend_packages(kit: Path) -> None:
    """Put this environment's packages into the kit's, so that nothing has to be downloaded."""
    here, there = Path(sys.prefix), kit / ".venv"
    shutil.copytree(here / "bin", there / "bin", symlinks=True)
    shutil.copytree(here / "lib", there / "lib", symlinks=True, copy_function=_linked)
    # It would be the harness from here.
    (there / "bin" / "sandbox").unlink()


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)


def repair(workspace: Path, scratch: Path) -> None:
    """Do what the attempt does."""
    attempt = next(each for each in attempts.load_all(NAME) if each.name == ATTEMPT)
    mended = attempts.make(attempt, chosen(NAME), scratch)
    for path in submission.changes(mended).submitted:
        shutil.copyfile(mended / path, workspace / path)


def graded(archive: Path, folder: Path, *words: str, status: int, secret: bytes | None) -> str:
    command = [SANDBOX, "grade", str(archive), *words]
    return typed(command, folder, status=status, secret=secret)


@pytest.mark.slow
def test_from_the_kit_to_the_grade(archive_of: Callable[[str], Path], apart: Path) -> None:
    kit = unpacked(archive_of(NAME), apart / "candidate")
    lend_packages(kit)
    make = ["make", f"PYTHON={sys.executable}"]
    typed([*make, "setup"], kit, status=0)
    where = [str(kit / ".venv/bin/python"), "-c", "import sandbox; print(sandbox.__file__)"]
    assert typed(where, apart, status=0).startswith(str(kit / ".venv"))

    started = typed([*make, "start"], kit, status=0)
    try:
        assert "What we need" in started  # the ticket
        assert "State      running" in started
        assert "expected every row within" in typed([*make, "check"], kit, status=2)
        repair(kit / "work" / NAME, apart / "mended")
        assert "changed  service/preprocessing.py" in typed([*make, "submit"], kit, status=0)
        assert "Take-home  skewed_preprocessing" in typed([*make, "status"], kit, status=0)
    finally:
        stopped = typed([*make, "stop"], kit, status=0)
    assert "Stopped." in stopped
    refused = typed([str(kit / ".venv/bin/sandbox"), "grade"], kit, status=2)
    assert "grading needs the hiring team's repository" in refused
    (archive,) = (kit / "submissions").glob("*.tar.gz")

    team = apart / "team"
    (team / ".sandbox").mkdir(parents=True)
    (team / ".sandbox/cache").symlink_to(models.releases().parent)
    said = graded(archive, team, "--candidate", CANDIDATE, status=0, secret=SECRET)
    assert POINTS in said
    results = [path for path in (team / "results").rglob("*") if path.is_file()]
    assert results
    for hidden in (SECRET, KEY.seed(NAME, CANDIDATE).encode()):
        assert hidden.decode() not in said
        assert [path for path in results if hidden in path.read_bytes()] == []


@pytest.fixture(scope="module")
def untouched(kit_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission from the kit in which nothing was changed."""
    return submission.pack(kit_of(NAME) / "work" / NAME, tmp_path_factory.mktemp("submissions"))


@pytest.mark.parametrize(
    ("words", "secret", "said"),
    [
        ((), None, "expected the hiring team's secret"),
        ((), b"another secret, which is long enough", "made with this secret; saw kit+alice+"),
        ((), b"too short", "at least 32 bytes in SANDBOX_SECRET; saw 9"),
        (
            ("--candidate", "bob"),
            SECRET,
            "expected a submission of candidate bob; saw one of alice",
        ),
        (("--seed", "1"), SECRET, "expected a submission with seed 1; saw seed kit+alice+"),
        (("--secret-file", "nowhere"), SECRET, "secret in nowhere; saw No such file"),
    ],
)
def test_what_does_not_fit_the_kit_is_wrong_usage_and_one_line(
    untouched: Path, tmp_path: Path, words: tuple[str, ...], secret: bytes | None, said: str
) -> None:
    output = graded(untouched, tmp_path, *words, status=2, secret=secret)
    (line,) = [line for line in output.splitlines() if line.startswith("sandbox: ")]
    assert said in line
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())


def test_a_kit_needs_a_secret(tmp_path: Path) -> None:
    command = [SANDBOX, "kit", NAME, "--candidate", CANDIDATE]
    assert "expected the hiring team's secret" in typed(command, tmp_path, status=2)
    assert not (tmp_path / "kits").exists()


def test_the_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    (tmp_path / ".sandbox").mkdir()
    (tmp_path / ".sandbox/cache").symlink_to(models.releases().parent)
    command = [SANDBOX, "kit", NAME, "--candidate", CANDIDATE, "--secret-file", "secret"]
    assert f"Written: kits/{NAME}-{CANDIDATE}.tar.gz" in typed(command, tmp_path, status=0)
    (made,) = (tmp_path / "kits").iterdir()
    folder = unpacked(made, tmp_path / "candidate")
    assert read_mark(folder / "work" / NAME).seed == KEY.label(NAME, CANDIDATE)
