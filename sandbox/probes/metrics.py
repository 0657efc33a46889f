"""Probe: read `/metrics` once, as Prometheus would."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from sandbox.errors import SubmissionFault

if TYPE_CHECKING:
    from sandbox.traffic import Client

REDIRECTS = (301, 302, 307, 308)
SAMPLES_MAX = 20_000
LABEL_CHARACTERS_MAX = 100


def by_label(client: Client, metric: str, label: str) -> dict[str, float]:
    """One metric's finite samples by the value of one label; empty where it is not exported.

    Raises:
        SubmissionFault: `/metrics` does not answer, or not in Prometheus' text format.
    """
    # Prometheus follows redirects, and an application mounted at /metrics answers at /metrics/.
    answer = client.ask("GET", "/metrics")
    if answer.status in REDIRECTS:
        answer = client.ask("GET", "/metrics/")
    if answer.status != 200:  # noqa: PLR2004 - HTTP's own name for it
        raise SubmissionFault(
            expected="/metrics to answer 200", seen=answer.problem or f"status {answer.status}"
        )
    values: dict[str, float] = {}
    try:
        families = text_string_to_metric_families(answer.body.decode("utf-8"))
        samples = (sample for family in families for sample in family.samples)
        for number, sample in enumerate(samples):
            if number >= SAMPLES_MAX:
                raise SubmissionFault(
                    expected=f"at most {SAMPLES_MAX} samples on /metrics", seen="more"
                )
            if sample.name == metric and label in sample.labels and math.isfinite(sample.value):
                values[sample.labels[label][:LABEL_CHARACTERS_MAX]] = float(sample.value)
    except (ValueError, KeyError, IndexError) as error:
        raise SubmissionFault(
            expected="Prometheus' text format on /metrics", seen=f"{type(error).__name__}: {error}"
        ) from error
    return values
