"""Making containers: what a submission's program is given.

Not root, no capabilities and no way to get any, a read-only system, its own folders at the paths
they have on this machine, a private /tmp, and limits on all that a program can use up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.types import LogConfig, Mount, Ulimit

from sandbox.errors import HarnessFault
from sandbox.runtimes.bubblewrap import LIMITS, SHM_BYTES, TMP_BYTES
from sandbox.runtimes.docker import ownership
from sandbox.runtimes.docker.container import Container
from sandbox.runtimes.docker.daemon import asking
from sandbox.runtimes.docker.images import INIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from docker import APIClient

    from sandbox.runtimes.specs import Access

# Of one container, /tmp and /dev/shm included. There is no swap on top.
MEMORY_BYTES = 4 * 2**30
# Threads count; a library may start one for each processor.
TASKS = 1024
PROCESSORS = 2
LOG_BYTES = 8 * 2**20
_KEEPER_BYTES = 32 * 2**20
_KEEPER = ("/bin/sleep", "infinity")
# The daemon's resolver must not ask for names outside. A container's own loopback refuses.
_NO_DNS = "127.0.0.1"


@dataclass(frozen=True)
class Surroundings:
    """What containers of a run have in common.

    Args:
        image: what they are made from.
        network: the name of the one they are on.
        labels: whose they are.
        processors: how many there are to share.
        files: what stands in the place of files of the image, by their paths.
    """

    image: str
    network: str
    labels: Mapping[str, str]
    processors: int
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Program:
    """A program that gets a container.

    Args:
        access: what it gets to see.
        at: an address of its own, or the keeper of the address it answers at.
        command: program and arguments.
        environment: all of its environment.
        logged: whether the daemon keeps what it prints, all of it in order.
    """

    access: Access
    at: str | Container
    command: Sequence[str]
    environment: Mapping[str, str]
    logged: bool


def create_program(api: APIClient, surroundings: Surroundings, program: Program) -> Container:
    """Make a container for a program; it runs when it is started.

    Raises:
        HarnessFault: the daemon cannot, or a folder is not there.
    """
    mounts = list(_mounts(program.access))
    for path, file in surroundings.files.items():
        mounts.append(Mount(path, str(file), type="bind", read_only=True))
    log = {"max-size": str(LOG_BYTES), "max-file": "2"} if program.logged else {}
    return _create(
        api,
        surroundings,
        program.at,
        {
            "mounts": mounts,
            "tmpfs": _tmpfs("/tmp"),  # noqa: S108
            **_limits(surroundings),
            "log_config": LogConfig(type="json-file" if program.logged else "none", config=log),
        },
        entrypoint=list(INIT),
        command=[
            ",".join(program.environment),
            "0",
            "1" if program.logged else "2",
            *program.command,
        ],
        environment=dict(program.environment),
        working_dir=str(program.access.workdir.absolute()),
    )


def create_keeper(api: APIClient, surroundings: Surroundings, address: str) -> Container:
    """Make a container that does nothing but keep an address. Raises as `create_program` does."""
    limits = {"mem_limit": _KEEPER_BYTES, "memswap_limit": _KEEPER_BYTES, "pids_limit": 8}
    limits["log_config"] = LogConfig(type="none", config={})
    return _create(api, surroundings, address, limits, entrypoint=list(_KEEPER))


def create_of_image(
    api: APIClient,
    surroundings: Surroundings,
    image: str,
    *,
    at: Container | None,
    environment: Mapping[str, str],
    writable: Sequence[str] = (),
    command: Sequence[str] | None = None,
) -> Container:
    """Make a container of an image that a submission described, as that says itself.

    Its user and its command are its own, and it may write to its file system as far as that user
    may. For the rest it is limited like every other program.

    Args:
        api: the daemon.
        surroundings: what containers have in common.
        image: what the daemon calls it.
        at: the keeper of the address it answers at; None for no network at all.
        environment: variables on top of the image's.
        writable: folders that everybody in it may write to, empty at first.
        command: what it runs; None for what the image says.

    Raises:
        HarnessFault: the daemon cannot.
    """
    log = {"max-size": str(LOG_BYTES), "max-file": "2"}
    limits = {
        "read_only": False,
        "tmpfs": _tmpfs("/tmp", *writable),  # noqa: S108
        **_limits(surroundings),
        "log_config": LogConfig(type="json-file", config=log),
    }
    program = {"image": image, "user": None, "environment": dict(environment), "command": command}
    return _create(api, surroundings, at, limits, **program)


def _tmpfs(*folders: str) -> dict[str, str]:
    """Folders in memory, of which each has a size."""
    return dict.fromkeys(folders, f"rw,exec,nosuid,nodev,size={TMP_BYTES},mode=1777")


def _limits(surroundings: Surroundings) -> dict[str, Any]:
    """Of all that a program can use up."""
    return {
        "shm_size": SHM_BYTES,
        "mem_limit": MEMORY_BYTES,
        "memswap_limit": MEMORY_BYTES,
        "pids_limit": TASKS,
        "nano_cpus": int(min(PROCESSORS, surroundings.processors) * 1e9),
        "ulimits": [
            Ulimit(name="core", soft=LIMITS["c"], hard=LIMITS["c"]),
            Ulimit(name="nofile", soft=LIMITS["n"], hard=LIMITS["n"]),
            Ulimit(name="fsize", soft=LIMITS["f"] * 512, hard=LIMITS["f"] * 512),
        ],
    }


def _create(
    api: APIClient,
    surroundings: Surroundings,
    at: str | Container | None,
    limits: Mapping[str, Any],
    **program: Any,
) -> Container:
    """What holds for every container: nobody's rights, and no network but the run's."""
    uid, gid = ownership.user()
    network: dict[str, Any] = {"network_mode": surroundings.network, "dns": [_NO_DNS]}
    if at is None:
        network = {"network_mode": "none"}
    elif isinstance(at, Container):
        network = {"network_mode": f"container:{at.identity}"}
    else:
        place = api.create_endpoint_config(ipv4_address=at)
        config = api.create_networking_config({surroundings.network: place})
        program |= {"networking_config": config, "hostname": "sandbox"}
    program = {"image": surroundings.image, "user": f"{uid}:{gid}", **program}
    with asking("the Docker daemon to make a container"):
        made = api.create_container(
            labels=dict(surroundings.labels),
            host_config=api.create_host_config(
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                **{"read_only": True, **network, **limits},
            ),
            **program,
        )
    return Container(api, made["Id"])


def _mounts(access: Access) -> Iterator[Mount]:
    """The folders it was given, at the paths they have here, outer ones first.

    What lies inside a folder that may be written is seen already and not mounted again: the
    submission could have put a link in its place, and have us mount what the link points to.
    """
    written = {folder.absolute() for folder in (access.workdir, *access.writable)}
    read = {path.absolute() for path in access.readable}
    for path in sorted(written | read, key=lambda path: len(path.parts)):
        if any(folder in path.parents for folder in written):
            continue
        if not path.exists():
            what = "a folder to run in" if path in written else "a file or folder to hand in"
            raise HarnessFault(expected=what, seen=f"no {path}")
        if path in written:
            ownership.hand_over(path)
        else:
            ownership.let_read(path)
        yield Mount(str(path), str(path.resolve()), type="bind", read_only=path not in written)
