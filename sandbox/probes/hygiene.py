"""Probe: what promtool has to say about the names and help texts of the exported metrics."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sandbox.errors import SubmissionFault
from sandbox.telemetry import promtool
from sandbox.telemetry.scraping import fetch
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from sandbox.plan import Stage

FINDINGS_KEPT = 20


def lint(stage: Stage) -> dict[str, Any]:
    """Let `promtool check metrics` read the page of the running service.

    Returns:
        `findings`, one line each; the first few.

    Raises:
        SubmissionFault: there is no page.
    """
    answer = fetch(Client(stage.stack.model.url))
    if answer.status != HTTPStatus.OK:
        raise SubmissionFault(
            expected="/metrics to answer 200", seen=answer.problem or f"status {answer.status}"
        )
    return {
        "findings": promtool.check_metrics(answer.body.decode(errors="replace"))[:FINDINGS_KEPT]
    }
