"""Public checks: what somebody who writes a manifest wants to see."""

from sandbox.grading import check, findings
from sandbox.report.rollouts import cause

FEW = 0.05


def ended(release):
    """How a release ended, in words."""
    if release["problem"]:
        return release["problem"].replace("\n", "; ")
    reached = f"{release['exposed'] / release['asked']:.1%} of the requests"
    after = f"after {release['ended_s']:.0f} s" if release["outcome"] else ""
    if release["outcome"] == "promoted":
        return f"promoted {after}, to everybody; before, it got {reached}"
    if release["outcome"]:
        return f"{release['outcome']} {after} by {cause(release['rollout'])}; it got {reached}"
    if release["cut"]:
        return f"going on when it had got {reached}"
    return f"neither aborted nor promoted after fifteen minutes; it got {reached}"


@check(points=1, competency="safe delivery")
def test_manifest_is_read(evidence, credit):
    """The manifest is one that Argo Rollouts would take, and the sandbox runs"""
    problem = evidence["good_release"]["problem"]
    credit.award(
        float(not problem),
        expected="no problem",
        seen=problem.replace("\n", "; ") or "none",
        where="good_release.problem",
    )


@check(points=1, competency="safe delivery")
def test_good_releases_reach_everybody(evidence, credit):
    """v2, which is good, is promoted by itself within fifteen minutes"""
    release = evidence["good_release"]
    credit.award(
        float(not release["problem"] and release["outcome"] == "promoted"),
        expected="promoted",
        seen=ended(release),
        where="good_release",
    )


@check(points=1, competency="canary analysis")
def test_erring_releases_are_aborted(evidence, credit):
    """v3, which fails a third of its requests, is aborted and reaches few"""
    release = evidence["erring_release"]
    aborted = not release["problem"] and release["outcome"] == "aborted"
    credit.award(
        float(aborted and release["exposed"] / release["asked"] <= FEW),
        expected="aborted, with at most 5 % of the requests of fifteen minutes",
        seen=ended(release),
        where="erring_release",
    )


@check(points=1, competency="diagnosis")
def test_diagnosis_can_be_read(evidence, credit):
    """diagnosis.yaml can be read and names something"""
    findings.require_some(evidence["diagnosis"], credit)
