"""The Prometheus of a live session: what it says in words, and what it follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

from sandbox.errors import UsageError
from sandbox.live.monitor import Monitor, metrics_of, said
from sandbox.live.session import Alert, Monitoring
from sandbox.runtimes import open_runtime
from sandbox.system import tools
from sandbox.system.waiting import wait_for
from sandbox.traffic.client import Exchange
from sandbox.traffic.gateway import Gateway

EARLY, LATE = "2026-01-01T10:00:00.12Z", "2026-01-01T10:00:00.3Z"
URL = "http://127.0.0.1:9090"


def alerting(name: str, *alerts: tuple[str, str, str], health: str = "ok") -> dict[str, Any]:
    """A rule as `/api/v1/rules` has it; alerts as state, severity, since."""
    made = [
        {"state": state, "labels": {"alertname": name, "severity": severity}, "activeAt": since}
        for state, severity, since in alerts
    ]
    return {"name": name, "type": "alerting", "health": health, "alerts": made}


def target(job: str, health: str = "up", error: str = "") -> dict[str, Any]:
    return {"labels": {"job": job}, "health": health, "lastError": error}


def say(rules: list[dict[str, Any]], targets: list[dict[str, Any]]) -> Monitoring:
    return said(URL, "", {"groups": [{"rules": rules}]}, {"activeTargets": targets})


def test_alerts_are_told_by_name_and_state_firing_ones_first() -> None:
    rules = [
        {"name": "a:b", "type": "recording", "health": "ok"},
        alerting("Waiting", ("pending", "ticket", EARLY)),
        alerting("Quiet"),
        alerting("Calling", ("firing", "page", LATE), ("firing", "page", EARLY)),
        alerting("Both", ("firing", "page", LATE), ("pending", "page", LATE)),
    ]
    assert say(rules, [target("model")]) == Monitoring(
        url=URL,
        rules=5,
        alerts=(
            Alert("Calling", "page", firing=True, since=EARLY, series=2),
            Alert("Both", "page", firing=True, since=LATE, series=1),
            Alert("Waiting", "ticket", firing=False, since=EARLY, series=1),
            Alert("Both", "page", firing=False, since=LATE, series=1),
        ),
    )


def test_what_cannot_be_scraped_or_evaluated_is_told_in_a_line_each() -> None:
    broken = alerting("Wrong", health="err") | {"lastError": "many-to-many\nmatching"}
    fresh = alerting("Fresh", health="unknown")
    targets = [target("model", "down", "status 500"), target("gateway", "unknown")]
    assert say([broken, fresh], targets).troubles == (
        "model cannot be scraped: status 500",
        "Wrong cannot be evaluated: many-to-many matching",
    )
    many = [alerting("W", health="err") | {"lastError": "x" * 1_000} for _ in range(100)]
    assert sum(len(line) for line in say(many, []).troubles) <= 1_500


def test_without_prometheus_a_session_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> Path:
        raise UsageError(expected=f"the program {name}", seen="none", hint=tools.REMEDY)

    monkeypatch.setattr(tools, "find", find)
    with open_runtime("process") as runtime:
        monitor = Monitor(runtime, tmp_path / "own", tmp_path / "alerts.yaml", "127.0.0.1:1")
        monitor.launch("http://127.0.0.1:1")
        assert monitor.attend("http://127.0.0.1:1") == Monitoring(
            problem=f"not installed: {tools.REMEDY}"
        )


def test_the_metrics_of_a_gateway_are_served() -> None:
    gateway = Gateway(1)
    gateway.forward(lambda: Exchange(1, 200, [0.5], "1", 1.0, ""), 1)
    with metrics_of(gateway) as address:
        answer = urllib3.request("GET", f"http://{address}/metrics")
        assert answer.data == gateway.metrics().body
        assert b"traefik_service_requests_total{" in answer.data
        assert urllib3.request("GET", f"http://{address}/").status == 404
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", f"http://{address}/metrics", retries=False)


RULES = """
groups:
- name: any
  rules:
  - alert: Moved
    expr: traefik_service_requests_total{job="flight-delay"} == %d
    labels: {severity: ticket}
"""


@pytest.mark.slow
def test_rules_and_a_service_that_moves_are_followed(tmp_path: Path) -> None:
    rules = tmp_path / "alerts.yaml"
    # Two services, told apart by how much they were asked.
    first, second = Gateway(1), Gateway(1)
    for gateway, requests in ((first, 1), (second, 2)):
        for _ in range(requests):
            gateway.forward(lambda: Exchange(1, 200, [0.5], "1", 1.0, ""), 1)
    with (
        open_runtime("process") as runtime,
        metrics_of(first) as one,
        metrics_of(second) as other,
    ):
        monitor = Monitor(runtime, tmp_path / "own", rules, one)

        def until(address: str, holds: Callable[[Monitoring], bool]) -> Monitoring:
            def seen() -> Monitoring | None:
                found = monitor.attend(f"http://{address}")
                return found if holds(found) else None

            return wait_for(seen, what="what is said to change", within_s=30, poll_s=0.2)

        monitor.launch(f"http://{one}")
        assert "cannot be read" in monitor.attend(f"http://{one}").refused
        rules.write_text(RULES % 1)
        found = until(one, lambda seen: bool(seen.alerts))
        assert (found.refused, found.troubles, found.rules) == ("", (), 1)
        (alert,) = found.alerts
        assert (alert.name, alert.severity, alert.firing) == ("Moved", "ticket", True)

        until(other, lambda seen: not seen.alerts)
        rules.write_text(RULES.replace("==", "=") % 2)
        assert "parse error" in until(other, lambda seen: bool(seen.refused)).refused
        rules.write_text(RULES % 2)
        assert until(other, lambda seen: bool(seen.alerts)).refused == ""
