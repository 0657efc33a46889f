from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import HarnessFault, SubmissionFault, UsageError
from sandbox.evidence import INDEX, Evidence, EvidenceWriter, Outcome, Record, StepFault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


@pytest.fixture
def frozen(folder: Path) -> Evidence:
    writer = EvidenceWriter(folder)
    writer.write(Record("parity", Outcome.RECORDED, {"share": 0.5}, duration_s=1.5))
    writer.write(Record("broken", Outcome.SUBMISSION_FAULT, reason="exit 1", detail="trace"))
    writer.write(Record("ours", Outcome.HARNESS_FAULT, reason="disk full"))
    return writer.freeze()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates too: they come out of hostile output.
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(st.text(), JSON, max_size=4), reason=st.text())
def test_what_was_written_is_read(tmp_path_factory, data, reason):
    writer = EvidenceWriter(tmp_path_factory.mktemp("evidence"))
    record = Record("step", Outcome.RECORDED, data, reason=reason, duration_s=0.25)
    writer.write(record)
    evidence = writer.freeze()
    assert evidence.record("step") == record
    assert evidence["step"] == data


class TestWriting:
    def test_a_folder_with_files(self, folder):
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        with pytest.raises(UsageError, match="empty folder"):
            EvidenceWriter(folder)

    def test_a_second_record_of_a_step(self, folder):
        writer = EvidenceWriter(folder)
        writer.write(Record("parity", Outcome.RECORDED, {"share": 1}))
        with pytest.raises(HarnessFault, match="a second one"):
            writer.write(Record("parity", Outcome.RECORDED, {"share": 0}))
        assert writer.freeze()["parity"] == {"share": 1}

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1}, object(), b"bytes"])
    def test_what_is_not_plain_json(self, folder, value):
        writer = EvidenceWriter(folder)
        with pytest.raises(HarnessFault, match="plain JSON"):
            writer.write(Record("parity", Outcome.RECORDED, {"deep": [{"value": value}]}))
        assert writer.freeze().steps == []

    @pytest.mark.parametrize("step", ["index", "../outside", "a/b", "/absolute"])
    def test_a_name_that_is_no_file_of_its_own(self, folder, step):
        with pytest.raises(HarnessFault, match="step's name"):
            EvidenceWriter(folder).write(Record(step, Outcome.RECORDED))

    def test_after_freezing(self, folder):
        writer = EvidenceWriter(folder)
        writer.freeze()
        with pytest.raises(HarnessFault, match="frozen"):
            writer.write(Record("late", Outcome.RECORDED))
        assert not (folder / "late.json").exists()


class TestReading:
    def test_its_steps(self, frozen):
        assert frozen.steps == ["broken", "ours", "parity"]
        assert "parity" in frozen
        assert "nowhere" not in frozen

    def test_data(self, frozen):
        assert frozen["parity"] == {"share": 0.5}

    def test_each_reading_is_fresh(self, frozen):
        frozen["parity"]["share"] = 1.0
        assert frozen["parity"] == {"share": 0.5}

    def test_a_fault_of_the_submission(self, frozen):
        with pytest.raises(StepFault) as caught:
            frozen["broken"]
        assert isinstance(caught.value, SubmissionFault)
        assert (caught.value.seen, caught.value.where) == ("exit 1", "broken")

    def test_a_fault_of_ours(self, frozen):
        with pytest.raises(HarnessFault, match="disk full"):
            frozen["ours"]

    def test_a_step_never_recorded(self, frozen):
        with pytest.raises(HarnessFault, match="'nowhere'"):
            frozen["nowhere"]

    def test_a_fault_as_a_record(self, frozen):
        record = frozen.record("broken")
        assert record.outcome is Outcome.SUBMISSION_FAULT
        assert (record.reason, record.detail, record.data) == ("exit 1", "trace", {})

    def test_on_another_machine(self, frozen):
        again = Evidence(frozen.folder)
        assert again["parity"] == frozen["parity"]
        assert again.digest == frozen.digest


class TestTampering:
    def test_a_changed_document(self, frozen):
        path = frozen.folder / "parity.json"
        path.write_text(path.read_text().replace("0.5", "1.0"))
        with pytest.raises(HarnessFault, match="another digest"):
            frozen["parity"]

    def test_a_removed_document(self, frozen):
        (frozen.folder / "parity.json").unlink()
        with pytest.raises(HarnessFault, match="'parity'"):
            frozen["parity"]

    def test_an_added_document(self, frozen):
        (frozen.folder / "extra.json").write_text((frozen.folder / "parity.json").read_text())
        again = Evidence(frozen.folder)
        assert "extra" not in again.steps
        with pytest.raises(HarnessFault, match="'extra'"):
            again["extra"]

    def test_a_changed_index_is_another_digest(self, frozen):
        before = frozen.digest
        index = json.loads((frozen.folder / INDEX).read_text())
        (frozen.folder / INDEX).write_text(json.dumps(index | {"parity.json": "0" * 64}))
        again = Evidence(frozen.folder)
        assert again.digest != before
        with pytest.raises(HarnessFault, match="another digest"):
            again["parity"]

    @pytest.mark.parametrize("text", [None, "", "{"])
    def test_no_index(self, frozen, text):
        (frozen.folder / INDEX).unlink()
        if text is not None:
            (frozen.folder / INDEX).write_text(text)
        with pytest.raises(UsageError, match=r"index\.json"):
            Evidence(frozen.folder)


def test_the_digest_covers_every_document(tmp_path):
    digests = set()
    for number, share in enumerate((0.5, 0.5, 0.75)):
        writer = EvidenceWriter(tmp_path / str(number))
        writer.write(Record("parity", Outcome.RECORDED, {"share": share}))
        digests.add(writer.freeze().digest)
    assert len(digests) == 2
