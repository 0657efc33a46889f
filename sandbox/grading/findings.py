"""Findings judged: the check of a diagnosis that every scenario has, public and hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.diagnosis import f1, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.grading.checks import Credit


def judge(said: Mapping[str, Any], credit: Credit) -> None:
    """Award the share of the points that the findings have earned by F1.

    Args:
        said: a diagnosis as read, and beside it the `truth`.
        credit: the check's.
    """
    findings, truth = said["findings"], said["truth"]
    credit.award(
        share(findings, truth),
        expected=f"{len(truth)} findings, F1 above 0.5, at most {len(truth) + 1} given",
        seen=said["problem"] or f"{len(findings)} findings, F1 {f1(findings, truth):.2f}",
        where="diagnosis.findings",
    )


def require_some(said: Mapping[str, Any], credit: Credit) -> None:
    """Award if the diagnosis could be read and finds anything; what, only graders know."""
    findings = said["findings"]
    credit.award(
        bool(findings),
        expected="a finding for each fault, in the words of the ticket",
        seen=said["problem"] or f"{len(findings)} findings",
        where="diagnosis",
    )
