"""The docker runtime itself: sends what is isolated into containers, and keeps count of them."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sandbox import paths
from sandbox.errors import HarnessFault
from sandbox.runtimes import process
from sandbox.runtimes.docker import containers, daemon, images, ownership
from sandbox.runtimes.docker.building import Builder
from sandbox.runtimes.docker.containers import Program, Surroundings
from sandbox.runtimes.docker.daemon import RUN_LABEL, asking
from sandbox.runtimes.docker.network import Network
from sandbox.runtimes.docker.output import Output
from sandbox.runtimes.docker.places import Places
from sandbox.runtimes.docker.service import ANYWHERE, DockerService
from sandbox.runtimes.docker.watch import Watch
from sandbox.runtimes.specs import CHILD_ENVIRONMENT, Access, CommandSpec, ServiceSpec, fill_address
from sandbox.system.processes import Completed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import APIClient

    from sandbox.runtimes.base import Service
    from sandbox.runtimes.docker.container import Container
    from sandbox.runtimes.docker.images import Image

_CLOSE_GRACE_S = 2.0
_SIDE_BY_SIDE = 8
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_REACHED_WITHIN_S = 20.0
# To this machine from a container: the kernel answers, whoever listens need not.
_REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


class DockerRuntime:
    """Runs what is isolated in containers, and what is ours as processes of this machine.

    Args:
        api: the daemon; closed by `close`.
        image: what containers are made from.
    """

    name = "docker"

    def __init__(self, api: APIClient, image: Image) -> None:
        self._api = api
        self._image = image
        self._lock = threading.RLock()
        self._folder = Path(tempfile.mkdtemp(prefix=paths.run_prefix()))
        self._ours = process.open_runtime()
        self._containers: list[Container] = []
        self._run = f"{paths.run_prefix()}{secrets.token_hex(4)}"
        self._labels = {RUN_LABEL: self._run}
        self._version = daemon.version(api)
        self._watch = Watch(api, self._run)

    @property
    def isolation(self) -> str:
        """What keeps a submission apart from the harness, for the scorecard."""
        return (
            f"{self._version}: containers on a network of their own without a way out, read-only "
            f"system, no sight of graders, evidence or home, user {ownership.user()[0]}, no "
            f"capabilities; at most {containers.MEMORY_BYTES // 2**30} GiB of memory, "
            f"{containers.PROCESSORS} processors and {containers.TASKS:,} tasks each"
        )

    @property
    def details(self) -> dict[str, str]:
        """What exactly a submission ran on."""
        return {
            "image": self._image.name,
            "image_digest": self._image.digest,
            "base": self._image.base,
            "base_digest": self._image.base_digest,
        }

    @cached_property
    def harness_address(self) -> str:
        """The network's gateway, which is this machine; only this network's containers reach it."""
        gateway = self._network.gateway
        with socket.create_server((gateway, 0)) as server, paths.run_folder() as folder:
            done = self.run(
                CommandSpec(
                    name="a look at this machine",
                    command=(sys.executable, "-c", _REACH, gateway, str(server.getsockname()[1])),
                    workdir=folder,
                    environment={},
                    trusted=False,
                    timeout_s=_REACHED_WITHIN_S,
                )
            )
        if done.status != 0:
            raise HarnessFault(
                expected=f"containers to reach this machine at {gateway}",
                seen=(done.stderr.strip().splitlines() or ["no answer"])[-1],
                hint="have the firewall accept connections from Docker's bridges, or use "
                "--runtime process",
            )
        return gateway

    @cached_property
    def builder(self) -> Builder:
        """Builds on a host made of the image that everything else runs in."""
        return Builder(self._image, self._labels, self._shared)

    def start(self, spec: ServiceSpec) -> Service:
        """Start a service and wait until it is ready."""
        if not Access.of(spec).isolated:
            return self._ours.start(spec)
        service = self.launch(spec)
        try:
            service.wait_ready()
        except BaseException:
            service.kill()
            raise
        return service

    def launch(self, spec: ServiceSpec) -> Service:
        """Start a service without waiting."""
        access = Access.of(spec)
        if not access.isolated:
            return self._ours.launch(spec)
        with self._lock:
            place = self._places.find(spec.port)
            given = {
                name: fill_address(value, ANYWHERE, place.port)
                for name, value in spec.environment.items()
            }
            environment = _environment({"HOST": ANYWHERE, "PORT": str(place.port), **given})
            words = _worded([fill_address(word, ANYWHERE, place.port) for word in spec.command])
            container = self._create(Program(access, place.keeper, words, environment, logged=True))
            self._places.settle(place, container)
        container.start()
        return DockerService(
            self._api, spec, container, place=place, environment=environment, worded=_worded
        )

    def run(self, spec: CommandSpec) -> Completed:
        """Run a command to its end."""
        access = Access.of(spec)
        if not access.isolated:
            return self._ours.run(spec)
        with self._lock:  # there is to be one
            network = self._network
        with network.passing() as address:
            environment = _environment(spec.environment)
            words = _worded(spec.command)
            container = self._create(Program(access, address, words, environment, logged=False))
            try:
                return self._followed(container, spec.timeout_s)
            finally:
                container.remove()
                with self._lock, contextlib.suppress(ValueError):  # `close` was faster
                    self._containers.remove(container)

    def close(self) -> None:
        """End everything that was started; may be called again.

        Raises:
            HarnessFault: the daemon was away meanwhile. What was seen of services that ended then
                is not to be believed.
        """
        with self._lock, contextlib.ExitStack() as last:  # each of these happens, whatever
            last.callback(self._api.close)
            last.callback(shutil.rmtree, self._folder, ignore_errors=True)
            last.callback(self._watch.close)
            if "_network" in self.__dict__:
                last.callback(self.__dict__.pop("_network").remove)
            if "_places" in self.__dict__:
                last.callback(self.__dict__.pop("_places").clear)
            last.callback(self._ours.close)
            ending, self._containers = self._containers, []
            with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
                for container in ending:
                    last.callback(pool.submit(_end, container).result)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _network(self) -> Network:
        """Made when it is needed: who only asks what isolates needs none."""
        return Network(self._api, self._run, self._labels)

    @cached_property
    def _surroundings(self) -> Surroundings:
        with asking("the Docker daemon to tell of its machine"):
            processors = int(self._api.info()["NCPU"])
        files = {}
        # There are no names outside, and who asks for one is refused at once.
        for path, text in (("/etc/passwd", ownership.users()), ("/etc/resolv.conf", "")):
            files[path] = self._folder / Path(path).name
            files[path].write_text(text)
            files[path].chmod(0o644)
        return Surroundings(self._image.name, self._run, self._labels, processors, files)

    @cached_property
    def _places(self) -> Places:
        return Places(self._api, self._surroundings, self._network)

    def _shared(self) -> tuple[Surroundings, Places]:
        """What containers that are made elsewhere need."""
        with self._lock:  # there is to be one of each
            return self._surroundings, self._places

    def _create(self, program: Program) -> Container:
        container = containers.create_program(self._api, self._surroundings, program)
        with self._lock:
            self._containers.append(container)
        return container

    def _followed(self, container: Container, timeout_s: float) -> Completed:
        """Start a container, and read along until it ends or its time is up."""
        with asking("the Docker daemon to show what a container prints"):
            # Before the start, so that nothing is missed.
            output = Output(self._api.attach(container.identity, stream=True, demux=True))
        try:
            container.start()
            begun = time.monotonic()
            end = container.wait(timeout_s)
            container.kill()
            duration_s = time.monotonic() - begun
            stdout, stderr = output.texts()
        finally:
            output.close()
        if end is None:
            return Completed(None, stdout, stderr, True, duration_s)
        if end.out_of_memory:
            stderr += f"\n{end}\n"
        return Completed(end.status, stdout, stderr, False, duration_s)


def _end(container: Container) -> None:
    with contextlib.ExitStack() as last:
        last.callback(container.remove)
        container.stop(_CLOSE_GRACE_S)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """All that a program finds in its environment."""
    return {
        "PATH": f"{images.BIN}:{_SYSTEM_PATH}",
        "HOME": "/tmp",  # noqa: S108
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        **CHILD_ENVIRONMENT,
        **given,
    }


def _worded(command: Sequence[str]) -> list[str]:
    """The command with the image's Python in the place of the harness' own."""
    return [images.PYTHON if word == sys.executable else word for word in command]
