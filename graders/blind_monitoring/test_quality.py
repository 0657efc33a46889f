"""Does the service say how good the model is?"""

from sandbox.grading import check, guard
from sandbox.grading.alarms import band
from sandbox.grading.statistics import percentile
from sandbox.probes.quality import WINDOW

# Weeks in which labels were joined with what was served.
WEEKS = ("summer", "real", "biased", "unranked")
BIAS, AUC = "prediction_bias_ratio", "prediction_auc_ratio"
# Rounding, and a window that is a tick's labels off, are within this at 99 of 100 instants. Of what
# is wrong: labels counted twice are within it at 30 to 43, a window of seven days at 60, everything
# since the start at 16 to 24, a constant at 8 to 18 (tests/scenarios/test_blind_monitoring.py).
TOLERANCE = 0.01
RIGHT_FULL, RIGHT_NOTHING = 0.95, 0.5
# The ticket's objective is the gateway's. Of the service itself, the usual answer has to keep it;
# its slowest ones are those of the machine that everything is replayed on.
MEDIAN_MS_MAX = 300
ROWS_RIGHT_MIN = 0.995
QUALITY = (
    "bias_is_exported",
    "auc_is_exported",
    "real_collapse_is_paged",
    "biased_collapse_is_paged",
    "lost_ranking_is_paged",
)


@check(points=10, competency="model quality")
def test_bias_is_exported(evidence, credit):
    """The bias over the last 5,000 labels is exported and right"""
    compare(evidence, credit, BIAS, "bias")


@check(points=10, competency="model quality")
def test_auc_is_exported(evidence, credit):
    """The AUC over the last 5,000 labels is exported and right"""
    compare(evidence, credit, AUC, "auc")


@guard(of=QUALITY, competency="model quality")
def test_answers_are_the_models(evidence, credit):
    """What is answered is still what the champion predicts"""
    right = min(evidence[name]["right"] for name in WEEKS)
    credit.award(
        right >= ROWS_RIGHT_MIN,
        expected=f"at least {ROWS_RIGHT_MIN:.1%} of predictions equal to the champion's",
        seen=f"{right:.1%}",
        where="real.right",
    )


@guard(of=QUALITY, competency="service levels")
def test_answers_in_time(evidence, credit):
    """Requests are answered in time"""
    median = percentile(evidence["real"]["answers"]["latency_ms"], 50)
    credit.award(
        median <= MEDIAN_MS_MAX,
        expected=f"at most {MEDIAN_MS_MAX} ms for the usual request",
        seen=f"{median:.1f} ms",
        where="real.answers.latency_ms",
    )


def compare(evidence, credit, metric, ours):
    """Award by the share of instants at which the gauge is what the labels say."""
    right = total = absent = 0
    problem = ""
    for name in WEEKS:
        quality = evidence[name]["quality"]
        problem = problem or quality["problem"]
        for wanted, said in zip(quality[ours], quality["exported"][metric], strict=True):
            if wanted is not None:
                total += 1
                absent += said is None
                right += said is not None and abs(said - wanted) <= TOLERANCE
    assert total, f"fewer than {WINDOW:,} labelled flights were answered in every episode"
    share = right / total
    seen = f"right at {share:.0%} of {total} instants"
    credit.award(
        band(share, full=RIGHT_FULL, nothing=RIGHT_NOTHING),
        expected=f"{metric} within {TOLERANCE:g} of our figure at {RIGHT_FULL:.0%} of instants",
        seen=seen
        + (f", not there at {absent}" if absent else "")
        + (f"; {problem}" * bool(problem)),
        where="real.quality.exported",
    )
