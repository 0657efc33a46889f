"""Do bad releases end early and by themselves, and do good ones reach everybody?"""

from sandbox.grading import check, guard

BAD = ("erring_release", "slow_release", "release_without_scores", "shifted_release")
# The ticket's bands: the largest exposure, and the share of the points.
BANDS = ((0.05, 1.0), (0.10, 0.75), (0.20, 0.5), (0.33, 0.25))
JUDGED = (
    "erring_releases_are_aborted",
    "slow_releases_are_aborted",
    "releases_without_scores_are_aborted",
    "shifted_releases_are_aborted",
    "releases_that_nobody_sees_are_aborted",
)


def banded(exposure):
    """The share of the points that an exposure earns."""
    return next((share for most, share in BANDS if exposure <= most), 0.0)


def ended(release):
    """How a release ended, in words."""
    if release["problem"]:
        return "the manifest was refused: " + release["problem"].partition("\n")[0]
    asked, exposed = release["asked"], release["exposed"]
    reached = f"{exposed:,} of {asked:,} requests ({exposed / asked:.1%})"
    if release["outcome"] == "promoted":
        return f"promoted after {release['ended_s']:.0f} s"
    if release["outcome"] == "aborted":
        return f"aborted after {release['ended_s']:.0f} s; it got {reached}"
    if release["cut"]:
        return f"going on when it had got {reached}"
    rollout = release["rollout"]
    return f"neither aborted nor promoted: {rollout['phase']} at step {rollout['step'] + 1}"


def judge(evidence, credit, name):
    """Award by how many requests a bad release got, if it was aborted."""
    release = evidence[name]
    aborted = not release["problem"] and release["outcome"] == "aborted"
    credit.award(
        banded(release["exposed"] / release["asked"]) if aborted else 0.0,
        expected="aborted by itself, with at most 5 % of the requests for full points",
        seen=ended(release),
        where=name,
    )


@check(points=15, competency="canary analysis")
def test_erring_releases_are_aborted(evidence, credit):
    """A release that fails requests is aborted and reaches few"""
    judge(evidence, credit, "erring_release")


@check(points=15, competency="canary analysis")
def test_slow_releases_are_aborted(evidence, credit):
    """A release that is slow now and then is aborted and reaches few"""
    judge(evidence, credit, "slow_release")


@check(points=20, competency="canary analysis")
def test_releases_without_scores_are_aborted(evidence, credit):
    """A release that gives no numbers is aborted and reaches few"""
    judge(evidence, credit, "release_without_scores")


@check(points=20, competency="canary analysis")
def test_shifted_releases_are_aborted(evidence, credit):
    """A release whose scores are shifted is aborted and reaches few"""
    judge(evidence, credit, "shifted_release")


@check(points=20, competency="safe delivery")
def test_releases_that_nobody_sees_are_aborted(evidence, credit):
    """A release that monitoring says nothing about is aborted"""
    release = evidence["unseen_release"]
    credit.award(
        float(not release["problem"] and release["outcome"] == "aborted"),
        expected="aborted by itself within fifteen minutes, never promoted",
        seen=ended(release),
        where="unseen_release",
    )


@guard(of=JUDGED, competency="safe delivery")
def test_good_releases_reach_everybody(evidence, credit):
    """A good release is promoted by itself within fifteen minutes"""
    release = evidence["good_release"]
    credit.award(
        float(not release["problem"] and release["outcome"] == "promoted"),
        expected="promoted within fifteen minutes",
        seen=ended(release),
        where="good_release",
    )
