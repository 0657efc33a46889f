"""The docker runtime: what is isolated runs in containers, what is ours as plain processes.

    a submission, the registry  containers on an internal network of the run, with no way out
    Prometheus, Traefik         processes of this machine on loopback, which no container reaches

The harness reaches a container at its own address on that network; nothing is published. So the
daemon has to be one of this machine, and Linux.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.runtimes.base import Runtime


REMEDY = "install and start Docker (apt-get install docker.io mmdebstrap, or Docker's own packages)"


def open_runtime() -> Runtime:
    """A runtime with a network of its own, made when the first container needs it.

    Raises:
        HarnessFault: Docker cannot be used here, or the image cannot be made.
    """
    # Each of these imports the SDK, and who only lists the runtimes does not need it.
    from sandbox.runtimes.docker import daemon, images, runtime  # noqa: PLC0415

    api = daemon.connect()
    try:
        return runtime.DockerRuntime(api, images.ensure(api))
    except BaseException:
        api.close()
        raise


def unavailable() -> str:
    """Why Docker cannot be used here, or an empty string when it can."""
    from sandbox.runtimes.docker import daemon  # noqa: PLC0415

    return daemon.unavailable()


def version() -> str:
    """What the daemon calls itself, such as `Docker 27.1.1`."""
    from sandbox.runtimes.docker import daemon  # noqa: PLC0415

    with daemon.connected() as api:
        return daemon.version(api)


def prepare(tell: Callable[[str], None]) -> None:
    """Make the image now if it is not there, and say so, for that takes a minute.

    Raises:
        HarnessFault: as for `open_runtime`.
    """
    from sandbox.runtimes.docker import daemon, images  # noqa: PLC0415

    with daemon.connected() as api:
        if images.find(api) is None:
            tell("Making the image that submissions run in (once, a minute or two) ...")
            images.ensure(api)


def sweep(*, cache: bool) -> list[str]:
    """Remove what runs that are gone left in the daemon; gives what was done, in lines.

    Args:
        cache: whether images go, too.
    """
    from sandbox.runtimes.docker import daemon, sweeping  # noqa: PLC0415

    if daemon.unavailable():
        return []
    with daemon.connected() as api:
        return sweeping.sweep(api, cache=cache)
