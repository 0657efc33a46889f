"""The monitoring of a live session: a real Prometheus beside the service, on the wall clock.

It scrapes the service and the gateway, and has the candidate's rules, which are loaded again when
their file changes. What it says is for `sandbox status`. Nothing here ends a session: without
Prometheus, the service and its traffic are worth running all the same.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

import urllib3

from sandbox.episode import GATEWAY_TARGET, TARGET
from sandbox.errors import HarnessFault, SandboxError, UsageError
from sandbox.live.session import Alert, Monitoring
from sandbox.telemetry.live_server import accept_rules, configure, live_spec, reload
from sandbox.telemetry.scraping import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sandbox.runtimes.base import Runtime, Service
    from sandbox.telemetry.scraping import Target
    from sandbox.traffic.client import Answer

PORT = 9090
SCRAPE_INTERVAL_S = 2.0
TROUBLES_MAX = 5
_ANSWERED_WITHIN_S = 5.0
_CHARACTERS_MAX = 300


class Monitor:
    """The Prometheus of a session, and what it scrapes and evaluates.

    Args:
        runtime: where it runs, and with which it ends.
        folder: of its own; its samples are gone with it.
        rules: the candidate's rule file; None where there is none to be loaded.
        gateway: host and port at which the gateway's metrics are.
    """

    def __init__(self, runtime: Runtime, folder: Path, rules: Path | None, gateway: str) -> None:
        self._runtime = runtime
        self._folder = folder
        self._rules = rules
        self._gateway = gateway
        self._server: Service | None = None
        self._ready = False
        self._problem = ""
        self._service_url = ""
        self._stamp: tuple[int, ...] = ()
        self._refused = ""

    def launch(self, service_url: str) -> None:
        """Start Prometheus without waiting for it; `attend` says what came of it."""
        self._folder.mkdir(exist_ok=True)
        self._problem, self._service_url = "", service_url
        try:
            spec = live_spec(self._folder, PORT, SCRAPE_INTERVAL_S, self._addresses())
            self._accept()
            self._server = self._runtime.launch(spec)
        except UsageError as error:
            self._problem = f"not installed: {error.hint}"
        except HarnessFault as error:
            self._problem = _one_line(error)

    def attend(self, service_url: str) -> Monitoring:
        """Follow the rule file and the service's address, and say how things are."""
        if self._server is None:
            # Somebody may have installed it by now.
            self.launch(service_url)
        if self._server is None:
            return Monitoring(problem=self._problem)
        try:
            if not self._ready:
                self._server.wait_ready()
                self._ready = True
            self._follow(self._server.url, service_url)
            rules, targets = (_ask(self._server.url, what) for what in ("rules", "targets"))
        except SandboxError as error:
            return Monitoring(url=self._server.url, problem=_one_line(error))
        return said(self._server.url, self._refused, rules, targets)

    def _follow(self, url: str, service_url: str) -> None:
        moved = service_url != self._service_url
        if moved:
            self._service_url = service_url
            configure(self._folder, SCRAPE_INTERVAL_S, self._addresses())
        # In this order: what is refused changes nothing that could be loaded.
        changed = self._rules and _stamp(self._rules) != self._stamp and self._accept()
        if moved or changed:
            reload(url)

    def _accept(self) -> bool:
        """Take the rule file over if promtool would have it; whether it did."""
        if self._rules is None:
            return False
        # Before it is read: what is saved meanwhile is read again.
        self._stamp = _stamp(self._rules)
        self._refused = accept_rules(self._folder, self._rules)
        return not self._refused

    def _addresses(self) -> list[tuple[Target, str]]:
        service = self._service_url.removeprefix("http://")
        return [(TARGET, service), (GATEWAY_TARGET, self._gateway)]


class Measured(Protocol):
    """What has metrics of its own: an episode's gateway, or a real router."""

    def metrics(self) -> Answer:
        """What a scrape of it gets."""


@contextmanager
def metrics_of(gateway: Measured) -> Iterator[str]:
    """Serve a gateway's metrics on loopback for the length of the block; gives host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer with the metrics, and nowhere else."""
            if self.path != PATH:
                self.send_error(404)
                return
            body = gateway.metrics().body
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def said(
    url: str, refused: str, rules: Mapping[str, Any], targets: Mapping[str, Any]
) -> Monitoring:
    """What Prometheus answers, as one value.

    Args:
        url: where it answers.
        refused: why the rule file is not loaded; empty where it is.
        rules: the data of its `/api/v1/rules`.
        targets: the data of its `/api/v1/targets`.
    """
    loaded = [rule for group in rules["groups"] for rule in group["rules"]]
    # A target that was not scraped yet is "unknown", and a rule not evaluated yet as well.
    troubles = [
        f"{target['labels']['job']} cannot be scraped: {target['lastError']}"
        for target in targets["activeTargets"]
        if target["health"] == "down"
    ] + [
        f"{rule['name']} cannot be evaluated: {rule.get('lastError', '')}"
        for rule in loaded
        if rule["health"] == "err"
    ]
    return Monitoring(
        url=url,
        rules=len(loaded),
        refused=refused,
        troubles=tuple(
            " ".join(text.split())[:_CHARACTERS_MAX] for text in troubles[:TROUBLES_MAX]
        ),
        alerts=_alerts(loaded),
    )


def _alerts(loaded: list[dict[str, Any]]) -> tuple[Alert, ...]:
    """One entry for all series of a rule that are in the same state."""
    since: dict[tuple[bool, str, str], list[str]] = defaultdict(list)
    for rule in loaded:
        for alert in rule.get("alerts", ()):
            key = (alert["state"] == "firing", rule["name"], alert["labels"].get("severity", ""))
            since[key].append(alert["activeAt"])
    found = [
        Alert(name, severity, firing, min(times, key=datetime.fromisoformat), len(times))
        for (firing, name, severity), times in since.items()
    ]
    return tuple(sorted(found, key=lambda alert: (not alert.firing, alert.since, alert.name)))


def _ask(url: str, what: str) -> Any:
    try:
        answer = urllib3.request(
            "GET", f"{url}/api/v1/{what}", timeout=_ANSWERED_WITHIN_S, retries=False
        )
        return answer.json()["data"]
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
        raise HarnessFault(
            expected="Prometheus to answer", seen=f"{type(error).__name__}: {error}"
        ) from error


def _stamp(file: Path) -> tuple[int, ...]:
    """Differs when a file was saved; empty where there is none."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _one_line(error: SandboxError) -> str:
    return str(error).partition("\n")[0]
