"""Who tests the test: does the candidate's parity test tell right services from wrong ones?"""

from sandbox.grading import check

PASSED, FAILED = 0, 1
# All skews at once, in what is served and in the server's code.
HANDED_OUT = "as handed out"


@check(points=15, competency="testing")
def test_parity_test_catches_returning_skews(evidence, credit):
    """The candidate's parity test passes on a faithful service and fails on each skew alone"""
    runs = evidence["parity_test"]["runs"]
    faithful = [run for run in runs if run["should"] == "pass"]
    handed_out = [run for run in runs if run["service"] == HANDED_OUT]
    skewed = [run for run in runs if run["should"] == "fail" and run not in handed_out]
    passed = all(run["status"] == PASSED for run in faithful)
    sees_the_fault = all(run["status"] == FAILED for run in handed_out)
    # Exit status 1 is "tests failed"; anything else (no tests, usage, a crash) caught nothing.
    missed = [run["service"] for run in skewed if run["status"] != FAILED]
    caught = len(skewed) - len(missed)
    seen = f"passes on the faithful service: {'yes' if passed else 'no'}; "
    seen += f"fails on the service as handed out: {'yes' if sees_the_fault else 'no'}; "
    seen += f"catches {caught} of {len(skewed)} skews"
    credit.award(
        caught / len(skewed) if passed and sees_the_fault else 0,
        expected="passes on a faithful service and fails on a service with any one skew",
        seen=seen + (f", not: {', '.join(missed)}" if missed else ""),
        where="parity_test.runs",
    )
