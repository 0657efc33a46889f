"""Did the candidate find what broke?"""

from sandbox.diagnosis import f1, share
from sandbox.grading import check


@check(points=6, competency="diagnosis")
def test_diagnosis_names_the_faults(evidence, credit):
    """The diagnosis names the faults and little else"""
    said = evidence["diagnosis"]
    findings, truth = said["findings"], said["truth"]
    score = f1(findings, truth)
    credit.award(
        share(findings, truth),
        expected=f"{len(truth)} findings, F1 above 0.5, at most {len(truth) + 1} given",
        seen=said["problem"] or f"{len(findings)} findings, F1 {score:.2f}",
        where="diagnosis.findings",
    )
