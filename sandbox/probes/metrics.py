"""Probe: read `/metrics` once, as Prometheus would."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sandbox.errors import SubmissionFault
from sandbox.telemetry import scraping
from sandbox.telemetry.exposition import Exposition
from sandbox.telemetry.series import NAME

if TYPE_CHECKING:
    from sandbox.traffic.client import Client

LABEL_CHARACTERS_MAX = 100


def by_label(client: Client, metric: str, label: str) -> dict[str, float]:
    """One metric's finite samples by the value of one label; empty where it is not exported.

    Raises:
        SubmissionFault: `/metrics` does not answer, or not in Prometheus' text format.
    """
    samples, problem = scraping.read(scraping.fetch(client), Exposition())
    if problem:
        raise SubmissionFault(expected="/metrics to answer as Prometheus reads it", seen=problem)
    values: dict[str, float] = {}
    for labels, value in samples.items():
        named = dict(labels)
        if named[NAME] == metric and label in named and math.isfinite(value):
            values[named[label][:LABEL_CHARACTERS_MAX]] = value
    return values
