"""Public checks: what is wrong, as far as anybody could see it from outside."""

import numpy as np

from sandbox.grading import check, findings
from sandbox.grading.parity import TOLERANCE, rows_equal
from sandbox.probes.testing import WITHIN_S


@check(points=1, competency="training-serving parity")
def test_service_answers_what_the_pipeline_answers(evidence, credit):
    """The service answers what the pipeline answers"""
    parity = evidence["parity"]
    served, expected = parity["served"], parity["expected"]
    equal = rows_equal(served, expected)
    answered = np.array([value is not None for value in served])
    apart = np.abs(np.array([v or 0 for v in served]) - np.array(expected))[answered]
    seen = f"{(~equal).sum()} of {len(equal)} rows differ"
    if apart.size:
        seen += f", by {apart.mean():.3f} on average and {apart.max():.3f} at most"
    if parity["problems"]:
        seen += f"; {parity['problems'][0]}"
    credit.award(
        bool(equal.all()),
        expected=f"every row within {TOLERANCE:g} of the champion on pipeline.features.build",
        seen=seen,
        where="parity",
    )


@check(points=1, competency="input contract")
def test_malformed_input_is_refused(evidence, credit):
    """Malformed requests get a 4xx with a reason"""
    wrong = [
        f"{case['case']}: {case['status'] or case['problem']}"
        for case in evidence["inputs"]["malformed"]
        if case["status"] not in (400, 413, 415, 422)
    ]
    credit.award(
        not wrong,
        expected="400, 413, 415 or 422",
        seen="; ".join(wrong) or "all refused",
        where="inputs",
    )


@check(points=1, competency="input contract")
def test_ordinary_input_is_answered(evidence, credit):
    """Null weather, unknown categories and every form of the protocol are answered"""
    wrong = [
        f"{case['case']}: {case['problem']}"
        for case in evidence["inputs"]["ordinary"]
        if case["served"] is None
    ]
    credit.award(
        not wrong,
        expected="a probability a row",
        seen="; ".join(wrong) or "all answered",
        where="inputs",
    )


@check(points=1, competency="testing")
def test_parity_test_tells_right_from_wrong(evidence, credit):
    """tests/test_parity.py passes on a right service and fails on a wrong one"""
    runs = {run["should"]: run for run in evidence["parity_test"]["runs"]}
    right, wrong = runs["pass"]["status"] == 0, runs["fail"]["status"] == 1
    seen = f"{'passes' if right else 'does not pass'} where predictions are right, "
    seen += f"{'fails' if wrong else 'does not fail'} where one feature is off"
    if slow := [name for name, run in runs.items() if run["timed_out"]]:
        seen += f"; no end within {WITHIN_S:g} s where it should {' and '.join(slow)}"
    elif not right:
        seen += f"; last line: {(runs['pass']['tail'].strip().splitlines() or ['nothing'])[-1]}"
    credit.award(
        right and wrong,
        expected="passes on a right service and fails on a wrong one",
        seen=seen,
        where="parity_test",
    )


@check(points=1, competency="monitoring")
def test_skew_metric_is_exported(evidence, credit):
    """feature_skew_score is exported for every feature"""
    metric = evidence["skew_metric"]
    missing = sorted(set(metric["features"]) - set(metric["scores"]))
    credit.award(
        not missing,
        expected=f"{len(metric['features'])} features after 1,500 rows",
        seen=f"none for {', '.join(missing)}" if missing else "all of them",
        where="skew_metric",
    )


@check(points=1, competency="diagnosis")
def test_diagnosis_can_be_read(evidence, credit):
    """diagnosis.yaml can be read and names something"""
    findings.require_some(evidence["diagnosis"], credit)
