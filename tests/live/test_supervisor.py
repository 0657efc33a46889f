"""A live take-home: started once, harmless twice, restarted on change, gone when stopped."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from sandbox import models
from sandbox.episode import GATEWAY_TARGET, TARGET
from sandbox.errors import UsageError
from sandbox.live.monitor import SCRAPE_INTERVAL_S
from sandbox.live.session import State, read_state
from sandbox.system import tools
from sandbox.system.waiting import wait_for
from sandbox.telemetry.prometheus import Prometheus

pytestmark = pytest.mark.slow

SANDBOX = str(Path(sys.executable).parent / "sandbox")


class Place:
    """A folder in which somebody types commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_file = folder / ".sandbox/live/state.json"

    def type(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [SANDBOX, *words], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def state(self) -> State:
        return read_state(self.state_file)

    def wait_for_status(self, *words: str) -> str:
        """What `status` says once it has all these words, wherever its lines break."""

        def said() -> str | None:
            text = " ".join(self.type("status").split())
            return text if all(word in text for word in words) else None

        return wait_for(said, what=f"{', '.join(words)} in the status", within_s=60, poll_s=0.2)

    def wait_for_phase(self, phase: str) -> State:
        return wait_for(
            lambda: self.state() if self.state().phase == phase else None,
            what=f"phase {phase}",
            within_s=40,
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    # The trained releases are shared with the project's own state; everything else is new.
    cache = tmp_path / ".sandbox/cache"
    cache.parent.mkdir()
    cache.symlink_to(models.releases().parent)
    here = Place(tmp_path)
    yield here
    here.type("stop")


def test_a_take_home_from_start_to_stop(place: Place) -> None:
    with socket.socket() as taken:
        # Whoever has the usual port keeps it.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8080))
            taken.listen()
        except OSError:
            pass
        said = place.type("start", "skewed_preprocessing", "--seed", "live")
        first = place.state()
        assert not first.service_url.endswith(":8080")
    assert "FLY-412" in said
    assert first.service_url in said
    assert "AUC" in said
    assert first.figures.labelled > 1_000
    assert first.figures.errors == 0

    again = place.type("start", "skewed_preprocessing")
    assert "FLY-412" not in again
    assert place.state().pid == first.pid

    workspace = place.folder / "work/skewed_preprocessing"
    said = place.type("start", "skewed_preprocessing", "--workspace", "elsewhere", status=2)
    assert "make stop" in said

    preprocessing = workspace / "service/preprocessing.py"
    good = preprocessing.read_text()
    preprocessing.write_text("raise RuntimeError('a typo')")
    down = place.wait_for_phase("down")
    assert "status" in down.problem
    assert "a typo" in place.type("logs")
    assert "down" in place.type("status")
    preprocessing.write_text(good)
    assert place.wait_for_phase("running").service_url == first.service_url

    assert "Stopped" in place.type("stop")
    assert not place.state_file.exists()
    wait_for(lambda: not _alive(first.pid) or None, what="the supervisor to be gone", within_s=5)
    assert "Nothing was running" in place.type("stop")
    assert preprocessing.exists()


def test_a_take_home_with_telemetry(place: Place) -> None:
    for program in tools.NAMES:
        try:
            tools.find(program)
        except UsageError as error:
            pytest.skip(str(error))
    said = place.type("start", "drifting_inputs", "--seed", "live")
    state = place.state()
    assert state.monitoring is not None
    prometheus = state.monitoring.url
    assert f"Prometheus {prometheus} (2 rules loaded, firing: none)" in " ".join(said.split())
    # What the service is asked and what the gateway says of it are the same requests.
    assert_alike(prometheus)

    alerts = place.folder / "work/drifting_inputs/deploy/alerts.yaml"
    shipped = alerts.read_text()
    alerts.write_text(shipped + ALWAYS)
    place.wait_for_status(
        "3 rules loaded, firing: Always", "firing Always (page) since", "2 series"
    )
    alerts.write_text(shipped + ALWAYS.replace("up == 1", "up == ("))
    place.wait_for_status("3 rules loaded, firing: Always", "refused", "unclosed left parenthesis")
    alerts.write_text(shipped)
    assert "refused" not in place.wait_for_status("2 rules loaded, firing: none")

    assert "Stopped" in place.type("stop")
    assert not list((place.folder / ".sandbox/runs").iterdir())
    with pytest.raises(urllib3.exceptions.HTTPError):
        ready(prometheus)


# Of the first four days, most hours have flights.
HEAD_START_REQUESTS = 60

ALWAYS = """
      - alert: Always
        expr: up == 1
        labels: {severity: page}
"""


def ready(url: str) -> bool:
    return bool(urllib3.request("GET", f"{url}/-/ready", retries=False).status == 200)


def assert_alike(prometheus: str) -> None:
    server = Prometheus(prometheus, SCRAPE_INTERVAL_S, None)

    def both() -> tuple[float, float] | None:
        found = [
            server.query(f'{name}{{job="{job}"}}', time.time())
            for name, job in (
                ("inference_requests_total", TARGET.job),
                ("traefik_service_requests_total", GATEWAY_TARGET.job),
            )
        ]
        if not all(found):
            return None
        service, gateway = (points[0].value for points in found)
        # They are scraped one after the other, and the first days go by as fast as the service
        # answers: only once those are over do both say nearly the same.
        alike = service == pytest.approx(gateway, abs=5)
        return (service, gateway) if alike and service > HEAD_START_REQUESTS else None

    wait_for(both, what="both to be scraped, and to agree", within_s=30)
    assert ready(prometheus)


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
