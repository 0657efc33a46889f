"""Does the service answer what the pipeline answers, row by row, now and after retraining?"""

from sandbox.grading import check, guard
from sandbox.grading.parity import ROWS_EQUAL_MIN, share_equal, share_without
from sandbox.grading.statistics import percentile

COMPETENCY = "training-serving parity"
P95_MS_MAX = 300.0


def award_for_skew(evidence, credit, tier):
    parity = evidence["parity"]
    gone = share_without(parity["served"], parity["references"], tier)
    credit.award(
        gone >= ROWS_EQUAL_MIN,
        expected=f"the {tier} skew gone from at least {ROWS_EQUAL_MIN:.1%} of the rows it changes",
        seen=f"gone from {gone:.2%} of the rows in which it shows",
        where="parity.served",
    )


@check(points=12, competency=COMPETENCY)
def test_loud_skew_is_gone(evidence, credit):
    """The skew that changes predictions most is gone"""
    award_for_skew(evidence, credit, "loud")


@check(points=12, competency=COMPETENCY)
def test_middle_skew_is_gone(evidence, credit):
    """The skew of middle size is gone"""
    award_for_skew(evidence, credit, "middle")


@check(points=12, competency=COMPETENCY)
def test_faint_skew_is_gone(evidence, credit):
    """The skew that changes predictions least is gone"""
    award_for_skew(evidence, credit, "faint")


@check(points=20, competency=COMPETENCY)
def test_parity_survives_retraining(evidence, credit):
    """Parity holds after retraining on other flights"""
    evidence["retraining"]
    evidence["promotion"]
    parity = evidence["parity_after_retraining"]
    equal = share_equal(parity["served"], parity["references"])
    credit.award(
        equal >= ROWS_EQUAL_MIN,
        expected=f"at least {ROWS_EQUAL_MIN:.1%} of the rows as the pipeline predicts them",
        seen=f"{equal:.2%} of the rows equal",
        where="parity_after_retraining.served",
    )


@guard(
    of=(
        "loud_skew_is_gone",
        "middle_skew_is_gone",
        "faint_skew_is_gone",
        "parity_survives_retraining",
    ),
    competency="service levels",
)
def test_answers_in_time(evidence, credit):
    """Requests of 50 flights are answered in time"""
    requests = evidence["speed"]["requests"]
    p95 = percentile([request["latency_ms"] for request in requests], 95)
    credit.award(
        p95 <= P95_MS_MAX,
        expected=f"p95 of at most {P95_MS_MAX:g} ms",
        seen=f"p95 of {p95:.1f} ms over {len(requests)} requests",
        where="speed.requests",
    )
