"""`keygen`, `sign` and `verify` as they are typed: one line each, and the exit status."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.grading.scorecard import Scorecard, write_scorecard

SANDBOX = str(Path(sys.executable).parent / "sandbox")


def type_(folder: Path, *words: str, status: int, stdin: str | None = None) -> list[str]:
    done = subprocess.run(
        [SANDBOX, *words], cwd=folder, capture_output=True, text=True, input=stdin, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return (done.stdout + done.stderr).splitlines()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys `team` and `other`, and a folder of results."""
    folder = tmp_path_factory.mktemp("made")
    writer = EvidenceWriter(folder / "results/evidence")
    writer.write(Record("real", Outcome.RECORDED, {"share": 0.5}))
    digests = {"evidence": writer.freeze().digest}
    card = Scorecard("no_such", "t", "7", {}, [], digests, {}, {}, "2026-01-02T03:04:05Z")
    write_scorecard(card, folder / "results/scorecard.json")
    for name in ("team", "other"):
        type_(folder, "keygen", f"{name}.pem", status=0)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "made")


def test_sign_and_verify(folder: Path) -> None:
    (signed,) = type_(folder, "sign", "results", "--key", "team.pem", status=0)
    assert signed.endswith("results/scorecard.sig")
    *notes, verified = type_(folder, "verify", "results", "--key", "team.pub.pem", status=0)
    assert verified.startswith("Verified: scorecard.json, evidence, signed with the key ")
    assert all(line.startswith("note not compared: ") for line in notes)
    assert len(notes) == 3


def test_the_private_key_may_come_through_a_pipe(folder: Path) -> None:
    key = (folder / "team.pem").read_text()
    type_(folder, "sign", "results", "--key", "/dev/stdin", status=0, stdin=key)
    type_(folder, "verify", "results", "--key", "team.pub.pem", status=0)


def test_what_changed_is_named_and_the_status_is_one(folder: Path) -> None:
    type_(folder, "sign", "results", "--key", "team.pem", status=0)
    (folder / "results/evidence/real.json").write_text("{}")
    first, *_, last = type_(folder, "verify", "results", "--key", "team.pub.pem", status=1)
    assert first == "NOT  evidence/real.json is not what was graded"
    assert last == "Does not verify."
    first, last = type_(folder, "sign", "results", "--key", "team.pem", status=1)
    assert first == "NOT  evidence/real.json is not what was graded"
    assert last.startswith("Not signed: ")


def test_without_a_signature_nothing_verifies(folder: Path) -> None:
    first, *_ = type_(folder, "verify", "results", "--key", "team.pub.pem", status=1)
    assert first == "NOT  scorecard.sig is missing: nobody vouches for these results"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keygen", "team.pem"), "expected no file at team.pem"),
        (("keygen", "no/folder/team.pem"), "expected to write a key"),
        (("sign", "results", "--key", "nowhere.pem"), "expected a private key at nowhere.pem"),
        (("sign", "results", "--key", "team.pub.pem"), "saw a public key"),
        (("sign", "results", "--key", "results/scorecard.json"), "saw something else"),
        (("sign", "nowhere", "--key", "team.pem"), "expected a scorecard in nowhere"),
        (("verify", "results", "--key", "nowhere.pem"), "expected a public key at nowhere.pem"),
        (("verify", "results", "--key", "team.pem"), "saw a private key"),
        (("verify", "nowhere", "--key", "team.pub.pem"), "expected results with scorecard.json"),
        (
            ("verify", "results", "--key", "team.pub.pem", "--submission", "nowhere"),
            "nothing at nowhere",
        ),
    ],
)
def test_wrong_usage_is_two_and_one_line(folder: Path, words: tuple[str, ...], said: str) -> None:
    (line,) = type_(folder, *words, status=2)
    assert said in line
