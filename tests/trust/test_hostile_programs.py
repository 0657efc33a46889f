"""Hostile programs against what keeps them apart. What each tries is written above it."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import paths, registry, submission
from sandbox.errors import HarnessFault, SubmissionFault, UsageError
from sandbox.runtimes import bubblewrap, given_up, open_runtime
from sandbox.runtimes.docker import containers, daemon, images
from sandbox.runtimes.docker.daemon import RUN_LABEL
from sandbox.system.waiting import wait_for
from sandbox.traffic.client import Client
from sandbox.workspace import WorkspaceMark, file_digests, write_mark
from tests.trust.hostile import all_gone, said, serving, unleash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.runtimes.base import Runtime

pytestmark = pytest.mark.slow

TRUTH = paths.GRADERS / "skewed_preprocessing/truth.yaml"
CONTENT = "5c1ae0c4f7"
SMALL_BYTES = 16 * 2**20
# add_key and keyctl.
KEY_CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}
JOIN, SESSION = 1, -3


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    folder = tmp_path / "workdir"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody was given; afterwards it is as it was."""
    folder = tmp_path / "outside"
    folder.mkdir()
    kept = folder / "kept"
    kept.write_text(CONTENT)

    def state() -> list[object]:
        return [
            (path, status.st_mode, status.st_uid, status.st_mtime_ns)
            for path in (folder, kept)
            for status in [path.lstat()]
        ]

    before = state()
    yield folder
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert kept.read_text() == CONTENT
    assert state() == before


@contextlib.contextmanager
def listening(address: str | None, name: str = "") -> Iterator[tuple[socket.socket, str]]:
    """A listener, and how to ask for it; without an address at an abstract name."""
    if address is None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"\0{name}")
            server.listen()
            yield server, f":{name}"
    else:
        with socket.create_server((address, 0)) as server:
            yield server, f"{address}:{server.getsockname()[1]}"


def was_asked(server: socket.socket) -> bool:
    server.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        server.accept()[0].close()
        return True
    return False


# -- files


def test_reaches_outside(runtime: Runtime, workdir: Path, outside: Path) -> None:
    files = [outside / "kept", TRUTH, paths.ROOT / "pyproject.toml"]
    got = said(unleash(runtime, workdir, "reaches_outside", outside, *files))
    assert got == {"read": [], "written": []}


def test_looks_for_graders(
    runtime: Runtime, workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_SECRET", CONTENT)
    evidence = tmp_path / "results/evidence"
    evidence.mkdir(parents=True)
    for path in (evidence / "parity.json", tmp_path / "results/scorecard.json"):
        path.write_text(CONTENT)
    names = [TRUTH.name, "interview.yaml", "graders", "broken_services", "parity.json"]
    names += ["scorecard.json", paths.STATE.name, "docker.sock"]
    found = said(unleash(runtime, workdir, "looks_for_graders", CONTENT[::-1], *names))
    assert found == {"names": [], "content": []}


def test_swaps_in_links(runtime: Runtime, workdir: Path, outside: Path) -> None:
    put = 0
    with serving(runtime, workdir, "swaps_in_links", outside) as service:
        for number in range(300):
            with contextlib.suppress(SubmissionFault):
                service.put_file(f"config/{number}", b"x")
                put += 1
        service.put_file("file", b"new")
    assert not (workdir / "file").is_symlink()
    assert (workdir / "file").read_bytes() == b"new"
    # Both happened: it was a folder, and it was a link.
    assert 0 < put < 300
    # The next program's folder is handed over to it, with the links in it.
    unleash(runtime, workdir, "reaches_outside", outside)
    write_mark(workdir, WorkspaceMark("skewed", "7", (), file_digests(workdir)))
    with pytest.raises(UsageError, match="a symbolic link"):
        submission.pack(workdir, outside.parent / "submissions")


# -- the network


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A container on a network that has a way out; we reach it, as whoever is outside."""
    with daemon.connected() as api:
        made = api.create_container(
            images.ensure(api).digest,
            entrypoint=["/opt/python/bin/python", "-m", "http.server", "8000"],
            labels={RUN_LABEL: f"{paths.run_prefix()}trust"},
        )
        try:
            api.start(made)
            networks = api.inspect_container(made)["NetworkSettings"]["Networks"]
            address = networks["bridge"]["IPAddress"]
            wait_for(
                lambda: socket.create_connection((address, 8000), 1).close() or True,
                what="a listener on another network",
                within_s=20,
            )
            yield f"{address}:8000"
        finally:
            api.remove_container(made, force=True)


def test_calls_out(in_docker: Runtime, workdir: Path, request: pytest.FixtureRequest) -> None:
    elsewhere = request.getfixturevalue("elsewhere")
    own = workdir / "own"
    own.mkdir()
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(open_runtime("docker"))
        theirs = stack.enter_context(
            serving(other, workdir / "theirs", "redirects_the_harness", "")
        )
        neighbour = theirs.url.removeprefix("http://")
        loopback, place = stack.enter_context(listening("127.0.0.1"))
        unix, name = stack.enter_context(listening(None, f"trust-{workdir}"))
        gateway = f"{in_docker.harness_address}:{place.rpartition(':')[2]}"
        places = [elsewhere, neighbour, place, gateway, name]
        assert said(unleash(in_docker, own, "calls_out", *places)) == [False] * len(places)
        assert not was_asked(loopback)
        assert not was_asked(unix)
        # Its own network it does reach.
        assert said(unleash(other, workdir / "theirs", "calls_out", neighbour)) == [True]


def test_calls_out_is_not_prevented_where_it_is_said(runtime: Runtime, workdir: Path) -> None:
    # What is not protected against is written in docs/security.md; who closes it rewrites that.
    with contextlib.ExitStack() as stack:
        address = "127.0.0.1" if runtime.name == "process" else "0.0.0.0"
        server, place = stack.enter_context(listening(address))
        port = place.rpartition(":")[2]
        assert said(
            unleash(runtime, workdir, "calls_out", f"{runtime.harness_address}:{port}")
        ) == [True]
        assert was_asked(server)
    if runtime.name == "process":
        assert "network shared with this machine" in runtime.isolation
        assert "shares this machine's network" in given_up("process")


def test_redirects_the_harness(runtime: Runtime, workdir: Path) -> None:
    with listening("127.0.0.1") as (server, place):
        where = f"http://{place}/"
        with serving(
            runtime, workdir, "redirects_the_harness", where, ready_path="/ready"
        ) as service:
            client = Client(service.url)
            assert client.ask("GET", "/metrics").status == 307
            assert client.score([{}]).predictions is None
            with pytest.raises(HarnessFault, match="saw 307"):
                registry.champion_version(service.url)
            with pytest.raises(HarnessFault, match="saw 307"):
                registry.point_champion(service.url, "1")
        assert not was_asked(server)


# -- what a machine has only so much of


def test_forks_without_end(
    runtime: Runtime, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "TASKS", 40)
    most = 60
    got = said(unleash(runtime, workdir, "forks_without_end", most))
    assert all_gone(workdir / "lock")
    if runtime.name == "docker":
        assert got["refused"]
        assert 30 <= got["processes"] < 40
    else:
        assert got == {"processes": most, "refused": False}
        assert "limits neither memory nor processors" in given_up("process")


def test_eats_memory_and_is_told(
    in_docker: Runtime, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MEMORY_BYTES", 64 * 2**20)
    done = unleash(in_docker, workdir, "eats_memory")
    assert done.status == 128 + signal.SIGKILL
    assert "it used more memory than it was given" in done.stderr


def test_eats_memory_and_is_to_blame(
    in_docker: Runtime, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MEMORY_BYTES", 64 * 2**20)
    with pytest.raises(SubmissionFault) as caught:
        serving(in_docker, workdir, "eats_memory")
    line = str(caught.value).partition("\n")[0]
    assert line.endswith("saw an end with status 137: it used more memory than it was given")


def test_eats_disk(runtime: Runtime, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bubblewrap, containers):
        for limit in ("TMP_BYTES", "SHM_BYTES"):
            monkeypatch.setattr(module, limit, SMALL_BYTES)
    for _ in range(2):  # there is as much room for the next one
        got = said(unleash(runtime, workdir, "eats_disk"))
        assert got["/tmp"] == got["/dev/shm"] == [SMALL_BYTES, "ENOSPC"]
        assert (got["allowed"], got["huge"]) == (None, "EFBIG")
    assert (workdir / "huge").stat().st_blocks == 0
    assert not Path("/tmp/full").exists()
    assert not Path("/dev/shm/full").exists()


# -- afterwards


def test_leaves_a_daemon(runtime: Runtime, workdir: Path) -> None:
    # Where it holds the first process, its own time runs out.
    done = unleash(runtime, workdir, "leaves_a_daemon", timeout_s=3)
    assert done.stdout == "done\n", done.stderr
    # At once, without waiting: grading begins when this returns.
    assert all_gone(workdir / "lock")


@pytest.mark.skipif(platform.machine() not in KEY_CALLS, reason="numbers of calls are not known")
def test_reads_the_keyring(runtime: Runtime, workdir: Path) -> None:
    kernel = ctypes.CDLL(None, use_errno=True)
    add_key, keyctl = KEY_CALLS[platform.machine()]

    def keep_and_run() -> list[str] | None:
        # A session's keyring is a thread's, and is handed down to what the thread starts.
        kept = kernel.syscall(keyctl, JOIN, None) != -1 and kernel.syscall(
            add_key, b"user", b"trust", CONTENT.encode(), len(CONTENT), SESSION
        )
        if not kept or kept == -1:
            return None
        seen = [unleash(runtime, workdir, "reads_the_keyring", add_key, keyctl) for _ in range(2)]
        return [word for done in seen for word in said(done)]

    with ThreadPoolExecutor(1) as thread:
        seen = thread.submit(keep_and_run).result()
    if seen is None:
        pytest.skip("keyrings are out of reach here for us as well")
    assert set(seen) == {"EPERM"}
