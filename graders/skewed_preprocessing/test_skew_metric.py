"""Would the exported metric have shown it?"""

from sandbox.grading import check

# A score that moves is at least this much above twice its largest in a clean window. That much
# is several times what sampling 1,000 rows does to any of the usual statistics.
RISE_FACTOR, RISE_MIN = 2.0, 0.05
# Another feature's score may wander as far as sampling moves it, on whatever scale it has.
QUIET_FACTOR, QUIET_SLACK = 2.0, 0.1
# Scores of an unbounded or unscaled statistic wander further than that; then what counts is that
# nothing else rises by as much as a third of what the wrong feature rises by.
RESTLESS_SHARE = 1 / 3


@check(points=10, competency="monitoring")
def test_skew_metric_moves(evidence, credit):
    """The exported skew score rises for the feature that went wrong, and only there"""
    windows = evidence["skew_metric"]["windows"]
    clean = [window["scores"] for window in windows if window["faulty_feature"] is None]
    faulty = [window for window in windows if window["faulty_feature"] is not None]
    steady = {
        feature: max(scores[feature] for scores in clean)
        for feature in set.intersection(*(set(scores) for scores in clean))
    }
    remarks = [judge(window, steady) for window in faulty]
    shown = remarks.count("")
    credit.award(
        shown / len(faulty),
        expected="feature_skew_score doubles for the wrong feature and stays for the others",
        seen="; ".join(remark for remark in remarks if remark) or "rises where it should",
        where="skew_metric.windows",
    )


def judge(window, steady):
    """What is wrong with the scores of one faulty window; empty where nothing is."""
    feature, scores = window["faulty_feature"], window["scores"]
    if feature not in scores or feature not in steady:
        return f"{window['name']}: no score for {feature}"
    if scores[feature] < RISE_FACTOR * steady[feature] + RISE_MIN:
        return (
            f"{window['name']}: {feature} goes from {steady[feature]:.3g} to {scores[feature]:.3g}"
        )
    risen = rise(scores[feature], steady[feature])
    restless = sorted(
        other
        for other, score in scores.items()
        if other != feature
        and score > QUIET_FACTOR * steady.get(other, 0.0) + QUIET_SLACK
        and rise(score, steady.get(other, 0.0)) > RESTLESS_SHARE * risen
    )
    return f"{window['name']}: {', '.join(restless)} rise as well" if restless else ""


def rise(score, usual):
    """How many times its usual value a score is."""
    return score / max(usual, 1e-9)
