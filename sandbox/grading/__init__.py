"""Grading: checks on frozen evidence become verdicts, verdicts become a scorecard.

A grader file needs two names, and importing them costs nothing (pytest is not imported here):

    from sandbox.grading import check, guard
"""

from sandbox.grading.checks import check, guard

__all__ = ["check", "guard"]
