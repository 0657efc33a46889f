"""Public checks: what the control room would notice, as far as one rollback shows it."""

from sandbox.grading import check, findings
from sandbox.grading.records import missing
from sandbox.grading.sequences import in_words, noticed, part


@check(points=1, competency="rollback")
def test_command_ends_well(evidence, credit):
    """pipeline.rollback --to 1 --why TEXT exits with 0, and version 1 answers then"""
    rollback = evidence["rollback"]
    back = rollback["back"]
    status = "no end" if back["status"] is None else f"exit status {back['status']}"
    later = part(rollback["runs"], back["last"], rollback["forward_at"])
    seen = f"{status}, then {in_words(later)}"
    if back["status"] != 0 and back["tail"]:
        seen += f"; last line: {back['tail'].splitlines()[-1]}"
    credit.award(
        back["status"] == 0 and not noticed(later, ["1"]),
        expected="exit status 0, then every answer by version 1",
        seen=seen,
        where="rollback.back",
    )


@check(points=1, competency="resilience")
def test_nobody_notices(evidence, credit):
    """No request fails while versions change, and they change once"""
    rollback = evidence["rollback"]
    runs = part(rollback["runs"], 0, rollback["forward_at"])
    credit.award(
        not noticed(runs, ["2", "1"]),
        expected="every answer by version 2, then by version 1",
        seen=in_words(runs),
        where="rollback.runs",
    )


@check(points=1, competency="traceability")
def test_rollback_is_recorded(evidence, credit):
    """Who, when and why is in the registry"""
    rollback = evidence["rollback"]
    wrong = missing(rollback["record"], rollback["back"], previous="2")
    credit.award(
        not wrong,
        expected="champion 1, with champion.by, .at, .why and .previous of the command",
        seen=wrong or "all of it",
        where="rollback.record",
    )


@check(points=1, competency="resilience")
def test_next_release_gets_in(evidence, credit):
    """When the alias is moved to version 2 afterwards, that answers"""
    rollback = evidence["rollback"]
    runs = part(rollback["runs"], rollback["forward_at"])
    credit.award(
        not noticed(runs, ["1", "2"]),
        expected="every answer by version 1, then by version 2",
        seen=in_words(runs),
        where="rollback.runs",
    )


@check(points=1, competency="diagnosis")
def test_diagnosis_can_be_read(evidence, credit):
    """diagnosis.yaml can be read and names something"""
    findings.require_some(evidence["diagnosis"], credit)
