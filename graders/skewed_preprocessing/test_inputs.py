"""Are bad requests refused and ordinary ones answered?"""

import re

from sandbox.grading import check
from sandbox.grading.parity import explained

COMPETENCY = "input contract"
WORD = re.compile(r"[a-zA-Z]{2}")
REFUSALS = (400, 413, 415, 422)


def answered(case):
    return case["served"] is not None and explained(case["served"], case["references"]).all()


@check(points=8, competency=COMPETENCY)
def test_malformed_input_is_refused(evidence, credit):
    """Malformed requests get a 4xx with a reason"""
    inputs = evidence["inputs"]
    wrong = [
        f"{case['case']}: {case['status'] or case['problem']}"
        for case in inputs["malformed"]
        if case["status"] not in REFUSALS or not WORD.search(case["reason"])
    ]
    # Refusing is only worth something where the same flights, unspoilt, are answered.
    control = inputs["control"]
    if control["problem"]:
        wrong.insert(0, f"the same flights, unspoilt: {control['problem']}")
    credit.award(
        not wrong,
        expected=f"{len(inputs['malformed'])} malformed requests refused with one of {REFUSALS}",
        seen="; ".join(wrong) or "all refused",
        where="inputs.malformed",
    )


@check(points=5, competency=COMPETENCY)
def test_ordinary_input_is_answered(evidence, credit):
    """Null weather, unknown categories and every form of the protocol are answered"""
    cases = evidence["inputs"]["ordinary"]
    wrong = [
        f"{case['case']}: {case['problem'] or 'not what the model predicts'}"
        for case in cases
        if not answered(case)
    ]
    credit.award(
        not wrong,
        expected=f"{len(cases)} ordinary requests answered with the model's predictions",
        seen="; ".join(wrong) or "all answered",
        where="inputs.ordinary",
    )
