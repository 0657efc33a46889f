"""Did the candidate find what broke?"""

from sandbox.grading import check, findings


@check(points=10, competency="diagnosis")
def test_diagnosis_names_the_faults(evidence, credit):
    """The diagnosis names the faults and little else"""
    findings.judge(evidence["diagnosis"], credit)
