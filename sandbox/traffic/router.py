"""The router of a delivery: a real Traefik that splits requests between tracks by weight.

    with router.running(runtime, folder) as entrance:
        entrance.route({STABLE: Share(url, 95), CANARY: Share(other_url, 5)})

Customers ask `entrance.url`. Weights come from a file that Traefik watches; they count as set once
Traefik's own API shows them. API and metrics are reached by the same port and a secret header: so
nobody but the harness asks them, and what is asked there is no track's traffic.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
import yaml

from sandbox.errors import HarnessFault
from sandbox.runtimes.specs import ServiceSpec
from sandbox.system.waiting import wait_for
from sandbox.traffic.client import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.runtimes.base import Runtime

# The service that customers reach, and its parts, the tracks.
ENTRANCE, STABLE, CANARY = "flight-delay", "flight-delay-stable", "flight-delay-canary"
# Traefik's default for the histogram of request durations, in seconds, and the ticket's objective.
BUCKETS_S = (0.1, 0.3, 1.2, 5.0)
READY_WITHIN_S = 20.0
CHANGED_WITHIN_S = 10.0
# Traefik waits two seconds between two changes unless told otherwise.
THROTTLE_MS = 10
_SECRET_HEADER = "X-Router-Key"  # noqa: S105 - its name, not its value
_ASKED_WITHIN_S = 5.0
# Scoring is a POST; what else is asked for is not counted.
_REQUESTS = re.compile(
    r'^traefik_service_requests_total\{code="(?P<status>\d+)",method="POST",[^}]*'
    r'service="(?P<track>[^"@]+)@file"\} (?P<n>\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Share:
    """What part of the requests goes where.

    Args:
        url: where the track's replica answers.
        weight: percent of the requests, 0 to 100.
    """

    url: str
    weight: int


class Router:
    """A running Traefik.

    Args:
        url: where customers ask.
        file: the file it watches.
        key: what makes it answer about itself.
    """

    def __init__(self, url: str, file: Path, key: str) -> None:
        self.url = url
        self._file = file
        self._key = key
        self._routed: dict[str, Share] = {}
        self._pool = urllib3.PoolManager(retries=False, headers={_SECRET_HEADER: key})

    def route(self, shares: Mapping[str, Share]) -> None:
        """Send requests to tracks by these weights, and wait until Traefik does so.

        Args:
            shares: by the track's name, which is also what Traefik's metrics call it
                (`flight-delay-canary@file`). A track that is missing is forgotten.

        Raises:
            HarnessFault: Traefik does not follow.
        """
        if shares == self._routed:
            return
        wanted = {name: share.weight for name, share in shares.items()}
        _write(self._file, _dynamic(shares, self._key))
        wait_for(
            lambda: True if self._weights() == wanted and self._serves(shares) else None,
            what=f"Traefik to route {wanted}",
            within_s=CHANGED_WITHIN_S,
            poll_s=0.005,
        )
        self._routed = dict(shares)

    def metrics(self) -> Answer:
        """What a scrape of Traefik gets."""
        answer = self._pool.request("GET", f"{self.url}/metrics", timeout=_ASKED_WITHIN_S)
        return Answer(answer.status, answer.data, "", 0.0)

    @staticmethod
    def answered(metrics: Answer) -> dict[tuple[str, int], int]:
        """How many requests each track has answered so far, by track and HTTP status.

        Args:
            metrics: what `metrics` gave.
        """
        found = _REQUESTS.finditer(metrics.body.decode())
        return {(match["track"], int(match["status"])): int(float(match["n"])) for match in found}

    def ready(self) -> bool:
        """Whether it answers about itself."""
        return self._api("/api/version") is not None

    def _weights(self) -> dict[str, int] | None:
        """The weights in force, by track; None where it has none yet."""
        said = self._api(f"/api/http/services/{ENTRANCE}@file")
        if said is None or said.get("status") != "enabled":
            return None
        parts = said.get("weighted", {}).get("services", [])
        # Go leaves a zero out.
        return {part["name"].removesuffix("@file"): part.get("weight", 0) for part in parts}

    def _serves(self, shares: Mapping[str, Share]) -> bool:
        """Whether each track's address is known; one may move with its weight as it was."""
        for name, share in shares.items():
            said = self._api(f"/api/http/services/{name}@file")
            servers = (said or {}).get("loadBalancer", {}).get("servers", [])
            if [server["url"] for server in servers] != [share.url]:
                return False
        return True

    def _api(self, path: str) -> dict[str, Any] | None:
        answer = self._pool.request("GET", self.url + path, timeout=_ASKED_WITHIN_S)
        if answer.status != HTTPStatus.OK:
            return None
        content: dict[str, Any] = json.loads(answer.data)
        return content


@contextmanager
def running(runtime: Runtime, folder: Path, port: int | None = None) -> Iterator[Router]:
    """A router for the length of the block; until `route` is called it answers 404.

    Args:
        runtime: where to start it.
        folder: an empty folder of its own.
        port: where it should answer if that port is free.

    Raises:
        HarnessFault: it does not get ready.
    """
    key = secrets.token_urlsafe(24)
    file = folder / "routes.yml"
    _write(file, _dynamic({}, key))
    with runtime.start(_spec(folder, file, port)) as service:
        router = Router(service.url, file, key)
        wait_for(
            lambda: router.ready() or None,
            what="Traefik to let us in",
            within_s=READY_WITHIN_S,
            stop_when=lambda: None if service.alive() else f"its end: {service.logs()}",
        )
        yield router


def _spec(folder: Path, file: Path, port: int | None) -> ServiceSpec:
    program = Path(sys.executable).with_name("traefik")
    if not program.exists():
        raise HarnessFault(
            expected=f"Traefik at {program}", seen="none", hint="`make setup` installs it"
        )
    return ServiceSpec(
        name="router",
        command=(
            str(program),
            "--entrypoints.web.address=127.0.0.1:{port}",
            f"--providers.file.filename={file}",
            "--providers.file.watch=true",
            f"--providers.providersthrottleduration={THROTTLE_MS}ms",
            "--api=true",
            "--api.dashboard=false",
            "--metrics.prometheus=true",
            "--metrics.prometheus.manualrouting=true",
            "--metrics.prometheus.addentrypointslabels=false",
            f"--metrics.prometheus.buckets={','.join(map(str, BUCKETS_S))}",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=ERROR",
        ),
        workdir=folder,
        environment={},
        ready_path=None,
        ready_within_s=READY_WITHIN_S,
        trusted=True,
        port=port,
    )


def _dynamic(shares: Mapping[str, Share], key: str) -> dict[str, Any]:
    """Traefik's dynamic configuration."""
    asked_by_us = f"Header(`{_SECRET_HEADER}`, `{key}`)"
    routers = {
        "api": {"rule": f"{asked_by_us} && PathPrefix(`/api`)", "service": "api@internal"},
        "metrics": {"rule": f"{asked_by_us} && Path(`/metrics`)", "service": "prometheus@internal"},
    }
    services: dict[str, Any] = {}
    if shares:
        routers["customers"] = {"rule": "PathPrefix(`/`)", "service": ENTRANCE}
        weights = [{"name": name, "weight": share.weight} for name, share in shares.items()]
        services[ENTRANCE] = {"weighted": {"services": weights}}
        for name, share in shares.items():
            services[name] = {"loadBalancer": {"servers": [{"url": share.url}]}}
    return {"http": {"routers": routers, **({"services": services} if services else {})}}


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """Write in one step: Traefik reads all of it or what was there before."""
    aside = file.with_suffix(".partial")
    aside.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    aside.replace(file)
