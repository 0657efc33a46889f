"""Whatever changes in signed results is found, and named; what only moved on is told apart."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import paths, submission
from sandbox.errors import UsageError
from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.grading.scorecard import Scorecard, write_scorecard
from sandbox.integrity import signing, verification
from tests.results import NAME, hand_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.integrity.verification import Verification

SIGNED = ["junit.xml", "scorecard.json", "summary.md"]
DOCUMENTS = ["evidence/case.json", "evidence/index.json", "evidence/real.json"]
EVERY_FILE = ["scorecard.sig", *SIGNED, *DOCUMENTS]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys `team` and `other`, a submission, and results of it that `team` signed."""
    folder = hand_in(tmp_path_factory.mktemp("made"))
    key = signing.read_private(folder / "team.pem")
    assert verification.sign(folder / "results", key) == []
    return folder


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """A copy of the results, to be changed."""
    return shutil.copytree(made / "results", tmp_path / "results")


@pytest.fixture
def verify(made: Path, results: Path) -> Callable[..., Verification]:
    def run(key: str = "team", archive: Path | None = made / "work.tar.gz") -> Verification:
        return verification.verify(results, signing.read_public(made / f"{key}.pub.pem"), archive)

    return run


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(found: Verification) -> list[str]:
    return [change.name for change in found.changes]


def test_what_was_left_alone_verifies(verify: Callable[..., Verification], made: Path) -> None:
    found = verify()
    assert found.changes == ()
    assert found.notes == ()
    assert found.held == (*SIGNED, "evidence", str(made / "work.tar.gz"))


def test_the_workspace_itself_is_the_submission(verify, made: Path) -> None:
    assert verify(archive=made / "workspace").changes == ()
    assert verify(archive=None).notes == ("not compared: the submission, which was not given",)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_changed_file_is_named(verify, results: Path, name: str) -> None:
    content = (results / name).read_bytes()
    (results / name).write_bytes(content.replace(b"7", b"8").replace(b"5", b"6"))
    # Where an index changed, its documents may no longer be those that it lists.
    assert names(verify())[0] == name


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_removed_file_is_named(verify, results: Path, name: str) -> None:
    (results / name).unlink()
    found = verify()
    assert names(found) == [name]
    assert "is missing" in found.changes[0].how


@pytest.mark.parametrize("name", [*SIGNED, *DOCUMENTS])
def test_a_link_to_the_same_content_is_no_plain_file(verify, results: Path, name: str) -> None:
    (results / name).rename(results / "elsewhere")
    (results / name).symlink_to(results / "elsewhere")
    assert [str(change) for change in verify().changes] == [f"{name} is no plain file"]


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("evidence/new.json", "evidence/new.json"),
        ("evidence/notes.txt", "evidence/notes.txt"),
        ("evidence/.hidden", "evidence/.hidden"),
        ("evidence/folder/new.json", "evidence/folder"),
        ("evidence/\u202egnp.exe", r"evidence/'\u202egnp.exe'"),
        ("report.html", "report.html"),
    ],
)
def test_an_added_file_is_named(verify, results: Path, name: str, named: str) -> None:
    (results / name).parent.mkdir(exist_ok=True)
    (results / name).write_text("{}")
    found = verify()
    assert names(found) == [named]
    assert "was added after" in found.changes[0].how


def test_all_evidence_removed(verify, results: Path) -> None:
    shutil.rmtree(results / "evidence")
    assert [str(change) for change in verify().changes] == ["evidence is missing"]


def test_evidence_that_was_indexed_anew_is_not_what_was_graded(verify, results: Path) -> None:
    folder = results / "evidence"
    shutil.rmtree(folder)
    writer = EvidenceWriter(folder)
    writer.write(Record("real", Outcome.RECORDED, {"share": 1.0}))
    writer.freeze()
    assert names(verify()) == ["evidence/index.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"../case.json": "x"}', '{"case.json": 7}'])
def test_an_index_that_is_none(verify, results: Path, content: str) -> None:
    (results / "evidence/index.json").write_text(content)
    assert names(verify()) == ["evidence/index.json"]


def test_several_changes_are_all_named(verify, results: Path, made: Path) -> None:
    (results / "junit.xml").write_text("<testsuites/>")
    (results / "evidence/real.json").unlink()
    (results / "evidence/new.json").write_text("{}")
    other = made / "workspace/other.tar.gz"
    other.write_bytes(b"")
    found = verify(archive=other)
    other.unlink()
    assert names(found) == ["junit.xml", "evidence/real.json", "evidence/new.json", str(other)]


# -- keys and signatures


def test_another_key(verify) -> None:
    (change,) = verify(key="other").changes
    assert change.name == "scorecard.sig"
    assert "was made with the key" in change.how


def test_signed_again_with_another_key(verify, results: Path, made: Path) -> None:
    better = (results / "scorecard.json").read_text().replace("Scores are nonsense", "Fine")
    (results / "scorecard.json").write_text(better)
    assert verification.sign(results, signing.read_private(made / "other.pem")) == []
    assert verify(key="other").changes == ()
    assert names(verify()) == ["scorecard.sig"]


def test_another_key_under_the_name_of_ours(verify, results: Path, made: Path) -> None:
    verification.sign(results, signing.read_private(made / "other.pem"))
    body = json.loads((results / "scorecard.sig").read_text())
    body["key"] = signing.fingerprint(signing.read_public(made / "team.pub.pem"))
    (results / "scorecard.sig").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")
    (change,) = verify().changes
    assert str(change).startswith("scorecard.sig does not fit")


def test_digests_changed_along_with_the_scorecard(verify, results: Path) -> None:
    card = results / "scorecard.json"
    card.write_text(card.read_text().replace("Scores are nonsense", "Fine"))
    body = json.loads((results / "scorecard.sig").read_text())
    body["files"]["scorecard.json"] = sha256(card)
    (results / "scorecard.sig").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")
    assert names(verify()) == ["scorecard.sig"]


@pytest.mark.parametrize("length", [0, 1, 100, -2])
def test_a_truncated_signature(verify, results: Path, length: int) -> None:
    path = results / "scorecard.sig"
    path.write_bytes(path.read_bytes()[:length])
    (change,) = verify().changes
    assert str(change).startswith("scorecard.sig is damaged: expected ")


def test_a_signature_of_something_else(verify, results: Path, made: Path) -> None:
    key = signing.read_private(made / "team.pem")
    digest = sha256(results / "junit.xml")
    signature = signing.sign({"junit.xml": digest}, key)
    (results / "scorecard.sig").write_text(signing.signature_json(signature))
    found = [str(change) for change in verify().changes]
    assert "scorecard.sig does not cover scorecard.json" in found


def test_a_signed_scorecard_that_makes_no_sense(verify, results: Path, made: Path) -> None:
    (results / "scorecard.json").write_text("{}")
    digests = {name: sha256(results / name) for name in SIGNED}
    signature = signing.sign(digests, signing.read_private(made / "team.pem"))
    (results / "scorecard.sig").write_text(signing.signature_json(signature))
    (change,) = verify().changes
    assert str(change).startswith("scorecard.json makes no sense")


def test_nothing_to_verify_is_wrong_usage(verify, results: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing at"):
        verify(archive=tmp_path / "none.tar.gz")
    shutil.rmtree(results)
    with pytest.raises(UsageError, match=r"results with scorecard\.json and scorecard\.sig"):
        verify()


# -- the submission


def test_another_submission(verify, made: Path, tmp_path: Path) -> None:
    workspace = shutil.copytree(made / "workspace", tmp_path / "workspace")
    (workspace / "service/preprocessing.py").write_text("mine, too\n")
    other = submission.pack(workspace, tmp_path, name="other")
    assert [str(c) for c in verify(archive=other).changes] == [
        f"{other} is not the submission that was graded"
    ]


def test_the_submission_is_not_compared_with_what_nobody_vouches_for(verify, results) -> None:
    (results / "scorecard.sig").unlink()
    found = verify()
    assert names(found) == ["scorecard.sig"]
    (note,) = found.notes
    assert note == "not compared: the submission, since nobody vouches for the scorecard"


# -- graders and scenario


def test_other_graders_are_a_note(
    verify, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(paths.GRADERS / NAME, tmp_path / "graders" / NAME)
    (tmp_path / "graders" / NAME / "test_new.py").write_text("")
    monkeypatch.setattr(paths, "GRADERS", tmp_path / "graders")
    monkeypatch.setattr(paths, "SERVICES", tmp_path / "nowhere")
    found = verify()
    assert found.changes == ()
    moved, absent = found.notes
    assert moved.startswith("graded with another state of the graders than is here")
    assert absent == f"not compared: no scenario of {NAME} here"


# -- signing


def test_evidence_that_changed_is_not_signed(results: Path, made: Path) -> None:
    signature = (results / "scorecard.sig").read_bytes()
    (results / "evidence/real.json").write_text("{}")
    key = signing.read_private(made / "team.pem")
    (change,) = verification.sign(results, key)
    assert change.name == "evidence/real.json"
    assert (results / "scorecard.sig").read_bytes() == signature


def test_no_scorecard_is_not_signed(results: Path, made: Path) -> None:
    (results / "scorecard.json").unlink()
    with pytest.raises(UsageError, match="expected a scorecard"):
        verification.sign(results, signing.read_private(made / "team.pem"))


def test_a_signature_is_never_written_through_a_link(
    results: Path, made: Path, tmp_path: Path
) -> None:
    (tmp_path / "dear").write_text("dear")
    (results / "scorecard.sig").unlink()
    (results / "scorecard.sig").symlink_to(tmp_path / "dear")
    verification.sign(results, signing.read_private(made / "team.pem"))
    assert (tmp_path / "dear").read_text() == "dear"


# -- any byte of any file


@pytest.mark.parametrize("name", EVERY_FILE)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_byte_of_any_file(made: Path, results: Path, name: str, data: st.DataObject) -> None:
    content = bytearray((made / "results" / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (results / name).write_bytes(content)
    key = signing.read_public(made / "team.pub.pem")
    assert names(verification.verify(results, key))[0] == name


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_byte_of_the_submission(made: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Every flip is found, but one that leaves the work as it is: the time in a gzip header."""
    content = bytearray((made / "work.tar.gz").read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / "flipped.tar.gz").write_bytes(content)
    key = signing.read_public(made / "team.pub.pem")
    found = verification.verify(made / "results", key, tmp_path / "flipped.tar.gz")
    try:
        same = gzip.decompress(content) == gzip.decompress((made / "work.tar.gz").read_bytes())
    except (OSError, EOFError, ValueError, zlib.error):
        same = False
    if not same:
        assert names(found) == [str(tmp_path / "flipped.tar.gz")]


def test_a_card_without_digests_does_not_verify(results: Path, made: Path) -> None:
    card = Scorecard(NAME, "t", "7", {}, [], {}, {}, {}, "2026-01-02T03:04:05Z")
    write_scorecard(card, results / "scorecard.json")
    (change,) = verification.sign(results, signing.read_private(made / "team.pem"))
    assert change.name == "evidence/index.json"
