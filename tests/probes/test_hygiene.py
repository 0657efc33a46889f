"""promtool's word on exported metrics, as evidence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from sandbox.errors import SubmissionFault
from sandbox.probes import hygiene
from tests.replays import http_service

if TYPE_CHECKING:
    from sandbox.plan import Stage

GOOD = "# HELP rows_total Rows\n# TYPE rows_total counter\nrows_total 3\n"
BAD = "# TYPE rowCount counter\nrowCount 3\n"


def stage_at(url: str) -> Stage:
    return cast("Stage", SimpleNamespace(stack=SimpleNamespace(model=SimpleNamespace(url=url))))


def test_well_named_metrics_have_no_findings() -> None:
    with http_service(metrics=lambda _: GOOD) as (_, url):
        assert hygiene.lint(stage_at(url)) == {"findings": []}


def test_findings_name_their_metric() -> None:
    with http_service(metrics=lambda _: BAD) as (_, url):
        findings = hygiene.lint(stage_at(url))["findings"]
    assert findings
    assert all("rowCount" in finding for finding in findings)


def test_a_service_without_metrics_is_the_submissions_fault() -> None:
    with (
        http_service(status=500) as (_, url),
        pytest.raises(SubmissionFault, match="status 500"),
    ):
        hygiene.lint(stage_at(url))
