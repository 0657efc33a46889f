"""A live take-home: started once, harmless twice, restarted on change, gone when stopped."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import models
from sandbox.session import Figures, State
from sandbox.waiting import wait_for

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
        fields = json.loads(self.state_file.read_text())
        return State(**{**fields, "figures": Figures(**fields["figures"])})

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


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
