"""What the docker runtime does besides what every runtime does: names, logs, and faults.

That there is no way out, and what happens to who forks or eats without end, is in `tests/trust/`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from sandbox.errors import HarnessFault
from sandbox.runtimes import docker, open_runtime
from sandbox.runtimes.docker import containers, daemon, images
from sandbox.runtimes.docker.daemon import RUN_LABEL
from sandbox.runtimes.docker.runtime import DockerRuntime
from sandbox.runtimes.specs import CommandSpec, ServiceSpec
from sandbox.system.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import APIClient

    from sandbox.runtimes.base import Runtime, Service
    from sandbox.system.processes import Completed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(docker.unavailable()), reason=f"no Docker: {docker.unavailable()}"),
]

PYTHON = (sys.executable, "-I", "-S")
SERVER = """
import os, socketserver
where = os.environ["HOST"], int(os.environ["PORT"])
with socketserver.TCPServer(where, socketserver.BaseRequestHandler) as server:
    server.serve_forever()
"""


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with open_runtime("docker") as opened:
        yield opened


@pytest.fixture
def api() -> Iterator[APIClient]:
    with daemon.connected() as connection:
        yield connection


def start(runtime: Runtime, workdir: Path, script: str = SERVER, **changes: Any) -> Service:
    fields: dict[str, Any] = {"environment": {}, "ready_path": None, "ready_within_s": 30.0}
    fields |= {"trusted": False, **changes}
    return runtime.start(ServiceSpec("stable", (*PYTHON, "-c", script), workdir, **fields))


def run(runtime: Runtime, workdir: Path, script: str, **changes: Any) -> Completed:
    fields: dict[str, Any] = {"environment": {}, "trusted": False, "timeout_s": 60.0, **changes}
    return runtime.run(CommandSpec("probe", (*PYTHON, "-c", script), workdir, **fields))


def reached(runtime: Runtime, workdir: Path, address: str, port: int) -> str:
    """What becomes of a container that wants to talk to somebody."""
    script = f"""
import socket
try:
    socket.create_connection(({address!r}, {port}), 3)
except OSError as error:
    print(type(error).__name__, error.strerror)
else:
    print("reached")
"""
    done = run(runtime, workdir, script)
    assert done.status == 0, done.stderr
    return done.stdout.strip()


def of_run(api: APIClient, run: str) -> list[str]:
    """What the daemon has of a run."""
    label = {"label": f"{RUN_LABEL}={run}"}
    found = [*api.containers(all=True, filters=label), *api.networks(filters=label)]
    return [thing["Id"] for thing in found]


# -- no way out


def test_there_is_no_way_to_another_network(runtime: Runtime, tmp_path: Path) -> None:
    with open_runtime("docker") as other:
        gateway = other.harness_address
        with socket.create_server((gateway, 0)) as server:
            port = server.getsockname()[1]
            assert reached(other, tmp_path, gateway, port) == "reached"
            assert reached(runtime, tmp_path, gateway, port) != "reached"


def test_nobody_is_asked_for_a_name(runtime: Runtime, tmp_path: Path) -> None:
    begun = time.monotonic()
    assert reached(runtime, tmp_path, "service.invalid", 80).startswith("gaierror")
    assert time.monotonic() - begun < 5


def test_nothing_is_published(runtime: Runtime, api: APIClient, tmp_path: Path) -> None:
    service = start(runtime, tmp_path)
    assert isinstance(runtime, DockerRuntime)
    for identity in of_run(api, runtime._run)[:2]:
        said = api.inspect_container(identity)
        assert not said["HostConfig"]["PortBindings"]
        assert not said["HostConfig"]["Privileged"]
    port = int(service.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_what_is_ours_runs_on_this_machine(runtime: Runtime, tmp_path: Path) -> None:
    with start(runtime, tmp_path, trusted=True) as ours:
        assert ours.url.startswith("http://127.0.0.1:")
    # But not what is ours and does what a submission tells it.
    with start(runtime, tmp_path, trusted=True, confined=True) as confined:
        assert not confined.url.startswith("http://127.0.0.1:")


def test_a_service_that_is_gone_refuses_at_once(runtime: Runtime, tmp_path: Path) -> None:
    service = start(runtime, tmp_path)
    address, _, port = service.url.removeprefix("http://").partition(":")
    service.kill()
    begun = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(port)), 10)
    assert time.monotonic() - begun < 0.5


# -- limits


def test_a_log_has_an_end(
    runtime: Runtime, api: APIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "LOG_BYTES", 64 * 2**10)
    script = f"for n in range(20_000): print(n, 'x' * 90)\nprint('last', flush=True)\n{SERVER}"
    service = start(runtime, tmp_path, script)
    # The daemon writes down what it can.
    wait_for(lambda: service.logs(1) == "last" or None, what="the whole log", within_s=20)
    kept = sum(len(api.logs(found["Id"])) for found in api.containers() if _logged(api, found))
    assert kept < 3 * 64 * 2**10


def _logged(api: APIClient, found: dict[str, Any]) -> bool:
    log = api.inspect_container(found["Id"])["HostConfig"]["LogConfig"]
    return bool(log["Config"].get("max-size") == str(containers.LOG_BYTES))


def test_a_workspace_may_lie_in_somebodys_home(runtime: Runtime) -> None:
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        (Path(name) / "file").write_text("there")
        done = run(runtime, Path(name), "print(open('file').read()); open('made', 'w')")
        assert done.stdout == "there\n", done.stderr
        assert (Path(name) / "made").exists()


# -- whose fault it is


def test_an_image_that_is_gone_is_our_fault(tmp_path: Path) -> None:
    image = images.Image("mlops-sandbox:none", "sha256:0", "nothing", "sha256:0")
    with (
        DockerRuntime(daemon.connect(), image) as runtime,
        pytest.raises(HarnessFault, match="No such image") as caught,
    ):
        start(runtime, tmp_path)
    assert "made anew" in caught.value.hint


class Wire:
    """Stands between us and the daemon, and can be cut."""

    def __init__(self, path: Path) -> None:
        self._target = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections; new ones are taken, as by a daemon that was started again."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for end in (self._listener, *self._open):
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target.removeprefix("unix://"))
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    made = Wire(tmp_path / "wire")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/wire")
    yield made
    made.close()


def test_a_daemon_that_goes_away_and_comes_back_makes_it_ungradable(
    wire: Wire, tmp_path: Path
) -> None:
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    runtime = open_runtime("docker")
    service = start(runtime, workdir)
    assert service.alive()
    wire.cut()

    def noticed() -> bool | None:
        try:
            return None if service.alive() else True
        except HarnessFault:
            return True

    wait_for(noticed, what="the cut to be noticed", within_s=10)
    with pytest.raises(HarnessFault, match="the Docker daemon to stay while a submission runs"):
        service.wait_ready()
    with pytest.raises(HarnessFault, match="the Docker daemon to stay while a submission runs"):
        runtime.close()
    assert isinstance(runtime, DockerRuntime)
    with daemon.connected() as again:
        assert of_run(again, runtime._run) == []


def test_a_container_that_somebody_removes_is_no_mystery(
    runtime: Runtime, api: APIClient, tmp_path: Path
) -> None:
    service = start(runtime, tmp_path)
    api.remove_container(service._container.identity, force=True)

    def asked() -> bool | None:
        service.logs()
        return None if service.alive() else True

    with pytest.raises(HarnessFault, match=r"No such container|dead or marked for removal"):
        wait_for(asked, what="the container to end", within_s=10)


# -- a crash of the harness

HARNESS = """
import sys
from pathlib import Path
from sandbox.runtimes import open_runtime
from sandbox.runtimes.specs import ServiceSpec

with open_runtime("docker") as runtime:
    command = (sys.executable, "-c", sys.argv[2])
    runtime.start(ServiceSpec("service", command, Path(sys.argv[1]), {}, None, 60, False))
    print(runtime._run, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_harness_leaves_is_swept(api: APIClient, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(tmp_path / "work"), SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as harness:
        assert harness.stdout
        name = harness.stdout.readline().decode().strip()
        volume = api.create_volume(f"{name}-volume", labels={RUN_LABEL: name})["Name"]
        # The keeper of an address, the service, and the network. None of it is an orphan's.
        assert len(of_run(api, name)) == 3
        docker.sweep(cache=False)
        assert len(of_run(api, name)) == 3
        harness.send_signal(signal.SIGKILL)
    swept = docker.sweep(cache=False)
    assert of_run(api, name) == []
    assert f"removed network {name}" in swept
    assert f"removed volume {volume}" in swept
    assert sum(line.startswith("removed container") for line in swept) >= 2


def test_the_evidence_says_what_it_ran_on(runtime: Runtime) -> None:
    details = runtime.details
    assert set(details) == {"image", "image_digest", "base", "base_digest"}
    assert details["image"].startswith("mlops-sandbox:")
    for name in ("image_digest", "base_digest"):
        assert details[name].startswith("sha256:")
    assert json.dumps(dict(details))


def test_a_request_reaches_a_service_with_its_address(runtime: Runtime, tmp_path: Path) -> None:
    script = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["WHERE"].encode())
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
    service = start(runtime, tmp_path, script, environment={"WHERE": "{host}:{port}"})
    port = service.url.rpartition(":")[2]
    with urllib3.PoolManager() as http:
        assert http.request("GET", service.url).data.decode() == f"0.0.0.0:{port}"
