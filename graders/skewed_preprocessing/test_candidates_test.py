"""Who tests the test: does the candidate's parity test tell right services from wrong ones?"""

from sandbox.grading import check
from sandbox.probes.testing import FAILED, PASSED, WITHIN_S

# All skews at once, in what is served and in the server's code.
HANDED_OUT = "as handed out"


@check(points=15, competency="testing")
def test_parity_test_catches_returning_skews(evidence, credit):
    """The candidate's parity test passes on a right service and fails on wrong ones"""
    runs = {run["service"]: run for run in evidence["parity_test"]["runs"]}
    passed = all(run["status"] == PASSED for run in runs.values() if run["should"] == "pass")
    wrong = [name for name, run in runs.items() if run["should"] == "fail"]
    # Exit status 1 is "tests failed"; anything else (no tests, usage, a crash) caught nothing.
    caught = [name for name in wrong if runs[name]["status"] == FAILED]
    # A test that reads the server's code sees a fault only where the code has it; one that takes
    # that code for the truth, only where it has not. A parity test sees both.
    sees_both = HANDED_OUT in caught and len(caught) > 1
    missed = [name for name in wrong if name not in caught]
    seen = f"passes on the faithful service: {'yes' if passed else 'no'}; "
    seen += f"catches {len(caught)} of {len(wrong)} wrong ones"
    slow = [name for name, run in runs.items() if run["timed_out"]]
    credit.award(
        len(caught) / len(wrong) if passed and sees_both else 0,
        expected="passes where the service is right; fails on it as it was handed out, and "
        "on one with a single skew",
        seen=seen
        + (f", not: {', '.join(missed)}" if missed else "")
        + (f"; no end within {WITHIN_S:g} s on: {', '.join(slow)}" if slow else ""),
        where="parity_test.runs",
    )
