"""What every runtime does, one behaviour a test. `runtime` is each of them in turn."""

from __future__ import annotations

import fcntl
import json
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from sandbox.errors import HarnessFault, SandboxError, SubmissionFault, UsageError
from sandbox.runtimes import open_runtime
from sandbox.runtimes.docker import ownership
from sandbox.runtimes.specs import CHILD_ENVIRONMENT, CommandSpec, ServiceSpec
from sandbox.system.processes import NOT_FOUND
from sandbox.system.waiting import wait_for

if TYPE_CHECKING:
    from sandbox.runtimes.base import Runtime
    from sandbox.system.processes import Completed

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = (sys.executable, "-I", "-S")
FAULTS = [(False, SubmissionFault), (True, HarnessFault)]

SERVER = """
import json, os, socketserver, sys
from http.server import BaseHTTPRequestHandler

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"variables": dict(os.environ), "files": os.listdir()}).encode()
        self.send_response(200 if self.path == "/ready" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

print("hello from the \\x1b[31mservice", flush=True)
with Server((os.environ["HOST"], int(sys.argv[1])), Handler) as server:
    server.serve_forever()
"""

# Leaves its session and its parent, as a daemon does, and holds a lock for as long as it lives.
DAEMON = """
import fcntl, os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        lock = open("daemon.lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        open("daemon.begun", "w").close()
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists("daemon.begun"):
    time.sleep(0.005)
"""


def service(workdir: Path, script: str = SERVER, **changes: Any) -> ServiceSpec:
    (workdir / "server.py").write_text(script)
    fields: dict[str, Any] = {
        "name": "stable",
        "command": (*PYTHON, "server.py", "{port}"),
        "workdir": workdir,
        "environment": {},
        "ready_path": "/ready",
        "ready_within_s": 20.0,
        "trusted": False,
    }
    return ServiceSpec(**{**fields, **changes})


def run(runtime: Runtime, workdir: Path, script: str, **changes: Any) -> Completed:
    fields: dict[str, Any] = {
        "name": "probe",
        "command": (*PYTHON, "-c", script),
        "workdir": workdir,
        "environment": {},
        "trusted": False,
        "timeout_s": 20.0,
    }
    return runtime.run(CommandSpec(**{**fields, **changes}))


def inside(runtime: Runtime, workdir: Path, expression: str, **changes: Any) -> Any:
    """The value of an expression to a submission."""
    script = f"import json, os, socket\nprint(json.dumps({expression}))"
    done = run(runtime, workdir, script, **changes)
    assert done.status == 0, done.stderr
    return json.loads(done.stdout)


def shares_ports(runtime: Runtime) -> bool:
    """Whether services have ports that anybody on this machine may take."""
    return runtime.name == "process"


def get(url: str) -> dict[str, Any]:
    with urllib3.PoolManager() as http:
        answer = http.request("GET", url, timeout=5, retries=False)
        assert answer.status == 200
        content: dict[str, Any] = answer.json()
        return content


def is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


# Starting


@pytest.mark.parametrize("trusted", [False, True])
def test_a_service_answers_once_it_is_started(runtime: Runtime, tmp_path: Path, trusted: bool):
    with runtime.start(service(tmp_path, trusted=trusted)) as started:
        assert get(f"{started.url}/ready")["files"] == ["server.py"]
        assert started.alive()
        assert started.name == "stable"
    assert not started.alive()


def test_a_service_without_a_ready_path_is_ready_when_it_listens(runtime: Runtime, tmp_path: Path):
    with runtime.start(service(tmp_path, ready_path=None)) as started:
        get(f"{started.url}/ready")


@pytest.mark.parametrize(("trusted", "fault"), FAULTS)
def test_not_ready_in_time_is_its_owners_fault_and_shows_the_log(
    runtime: Runtime, tmp_path: Path, trusted: bool, fault: type[SandboxError]
):
    spec = service(tmp_path, ready_path="/never", ready_within_s=0.8, trusted=trusted)
    with pytest.raises(fault) as caught:
        runtime.start(spec)
    line, _, log = str(caught.value).partition("\n")
    assert line.startswith("expected stable to answer 200 at /never within 0.8 s; saw ")
    assert "503" in line
    assert "hello from the" in log
    assert "\x1b" not in log


@pytest.mark.parametrize(("trusted", "fault"), FAULTS)
def test_dying_at_the_start_is_noticed_at_once_and_shows_the_log(
    runtime: Runtime, tmp_path: Path, trusted: bool, fault: type[SandboxError]
):
    script = "import sys; print('a' * 100_000); sys.exit('no model')"
    with pytest.raises(fault, match=r"saw an end with status 1\n(.|\n)*no model$") as caught:
        runtime.start(service(tmp_path, script, trusted=trusted, ready_within_s=60))
    assert len(str(caught.value)) < 10_000


@pytest.mark.parametrize(("trusted", "fault"), FAULTS)
def test_an_unknown_command_is_its_owners_fault(
    runtime: Runtime, tmp_path: Path, trusted: bool, fault: type[SandboxError]
):
    with pytest.raises(fault, match="no-such-command"):
        runtime.start(service(tmp_path, command=("no-such-command",), trusted=trusted))


def test_a_missing_workdir_is_our_fault(runtime: Runtime, tmp_path: Path):
    with pytest.raises(HarnessFault, match="a folder to run"):
        run(runtime, tmp_path / "missing", "")


def test_a_readable_folder_that_is_not_there_is_our_fault(isolated: Runtime, tmp_path: Path):
    missing = (tmp_path / "missing",)
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    said = "bubblewrap ended with status 1|a file or folder to hand in"
    with pytest.raises(HarnessFault, match=said):
        run(isolated, workdir, "", readable=missing)
    with pytest.raises(HarnessFault, match=said):
        isolated.start(service(workdir, readable=missing))


def test_a_service_that_says_its_port_is_taken_where_nobody_has_it_gets_the_blame(
    runtime: Runtime, tmp_path: Path
):
    script = (
        "import sys; open('tries', 'a').write(sys.argv[1] + ' ')\n"
        "sys.exit('[Errno 98] Address already in use')"
    )
    with pytest.raises(SubmissionFault, match="Address already in use"):
        runtime.start(service(tmp_path, script))
    assert len((tmp_path / "tries").read_text().split()) == 1
    with (
        runtime.launch(service(tmp_path, script)) as launched,
        pytest.raises(SubmissionFault, match="Address already in use"),
    ):
        launched.wait_ready()


def test_a_launched_service_is_known_before_it_is_ready(runtime: Runtime, tmp_path: Path):
    with runtime.launch(service(tmp_path)) as launched:
        assert re.fullmatch(r"http://[0-9.]+:[0-9]+", launched.url)
        launched.wait_ready()
        get(f"{launched.url}/ready")


def test_a_launched_service_whose_port_is_taken_is_our_fault(runtime: Runtime, tmp_path: Path):
    if not shares_ports(runtime):
        pytest.skip("each service has an address of its own: nobody else can have taken it")
    script = """
import os, sys, time
while not os.path.exists("taken"):
    time.sleep(0.01)
sys.exit("Address already in use")
"""
    with runtime.launch(service(tmp_path, script)) as launched:
        port = int(launched.url.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)):
            (tmp_path / "taken").touch()
            with pytest.raises(HarnessFault, match="Address already in use"):
                launched.wait_ready()


def test_a_service_whose_port_is_taken_gets_another(runtime: Runtime, tmp_path: Path):
    if not shares_ports(runtime):
        pytest.skip("each service has an address of its own: nobody else can have taken it")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with runtime.start(service(tmp_path, port=taken)) as started:
            assert started.url != f"http://127.0.0.1:{taken}"


def test_an_answer_without_an_end_does_not_outlast_the_deadline(runtime: Runtime, tmp_path: Path):
    script = """
import os, socket, sys, time
with socket.create_server((os.environ["HOST"], int(sys.argv[1]))) as server:
    while True:
        connection, _ = server.accept()
        connection.sendall(b"HTTP/1.1 200 OK\\r\\n")
        try:
            while True:
                connection.sendall(b"X")
                time.sleep(0.05)
        except OSError:
            pass
"""
    with pytest.raises(SubmissionFault, match=r"within 2 s; saw TimeoutError"):
        runtime.start(service(tmp_path, script, ready_within_s=2))


def test_two_services_at_once_have_ports_of_their_own(runtime: Runtime, tmp_path: Path):
    folders = [tmp_path / "stable", tmp_path / "canary"]
    for folder in folders:
        folder.mkdir()
    specs = [service(folder, name=folder.name) for folder in folders]
    with runtime.start(specs[0]) as stable, runtime.start(specs[1]) as canary:
        assert stable.url != canary.url
        assert get(f"{stable.url}/ready")
        assert get(f"{canary.url}/ready")


def test_a_service_outlives_the_thread_that_started_it(runtime: Runtime, tmp_path: Path):
    handles = []
    thread = threading.Thread(target=lambda: handles.append(runtime.start(service(tmp_path))))
    thread.start()
    thread.join()
    assert get(f"{handles[0].url}/ready")


# Ending


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("how", ["stop", "kill", "close"])
def test_an_end_takes_daemons_along(isolated: Runtime, tmp_path: Path, trusted: bool, how: str):
    started = isolated.start(service(tmp_path, DAEMON + SERVER, trusted=trusted))
    assert not is_free(tmp_path / "daemon.lock")
    {"stop": started.stop, "kill": started.kill, "close": isolated.close}[how]()
    # At once, without waiting: grading begins when this returns.
    assert is_free(tmp_path / "daemon.lock")
    assert not started.alive()
    # Where its network is gone as well, some machines send us to somebody else.
    with pytest.raises((urllib3.exceptions.HTTPError, AssertionError)):
        get(f"{started.url}/ready")


def test_a_service_that_ends_by_itself_takes_daemons_along(isolated: Runtime, tmp_path: Path):
    script = DAEMON + "print('done')"
    with pytest.raises(SubmissionFault, match="saw an end with status 0"):
        isolated.start(service(tmp_path, script))
    assert is_free(tmp_path / "daemon.lock")


def test_a_failing_start_takes_daemons_along_and_leaves_others_alone(
    isolated: Runtime, tmp_path: Path
):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with isolated.start(service(tmp_path / "a")) as other:
        spec = service(tmp_path / "b", DAEMON + SERVER, ready_path="/no", ready_within_s=0.3)
        with pytest.raises(SubmissionFault):
            isolated.start(spec)
        assert is_free(tmp_path / "b" / "daemon.lock")
        assert other.alive()


def test_stop_lets_a_service_end_in_order(runtime: Runtime, tmp_path: Path):
    farewell = """
import signal
def end(*_):
    open("farewell", "w").close()
    raise SystemExit
signal.signal(signal.SIGTERM, end)
"""
    runtime.start(service(tmp_path, farewell + SERVER)).stop()
    assert (tmp_path / "farewell").exists()


def test_stop_does_not_wait_for_ever_and_may_be_called_again(runtime: Runtime, tmp_path: Path):
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    started = runtime.start(service(tmp_path, stubborn + SERVER))
    started.stop(grace_s=0.1)
    assert not started.alive()
    started.stop()
    started.kill()
    assert "hello" in started.logs()


def test_a_service_that_has_hardly_begun_is_stopped_at_once(runtime: Runtime, tmp_path: Path):
    begun = time.monotonic()
    runtime.launch(service(tmp_path)).stop(grace_s=30)
    assert time.monotonic() - begun < 15


def test_kill_leaves_no_time_for_a_farewell(runtime: Runtime, tmp_path: Path):
    farewell = "import signal; signal.signal(signal.SIGTERM, lambda *_: open('farewell', 'w'))\n"
    started = runtime.start(service(tmp_path, farewell + SERVER))
    started.kill()
    assert not started.alive()
    assert not (tmp_path / "farewell").exists()


def test_a_crash_is_noticed(runtime: Runtime, tmp_path: Path):
    crash = "import os, threading; threading.Timer(0.3, os._exit, [9]).start()\n"
    started = runtime.start(service(tmp_path, crash + SERVER))
    wait_for(lambda: not started.alive() or None, what="the crash", within_s=10)


# Files and commands


def test_a_file_is_put_where_the_service_sees_it(runtime: Runtime, tmp_path: Path):
    with runtime.start(service(tmp_path)) as started:
        started.put_file("config/a/features.json", b"{}")
        started.put_file("config/a/features.json", b"[]")
        seen = started.run(["cat", "config/a/features.json"], timeout_s=10)
        assert seen.stdout == "[]"
        assert [path.name for path in (tmp_path / "config" / "a").iterdir()] == ["features.json"]


def test_a_path_that_leads_out_is_refused(runtime: Runtime, tmp_path: Path):
    with runtime.launch(service(tmp_path)) as launched:
        for path in ("/etc/x", "../x", "a/../../x", "", "."):
            with pytest.raises(HarnessFault, match="below the workdir"):
                launched.put_file(path, b"")


def test_a_link_put_in_the_way_is_not_followed(runtime: Runtime, tmp_path: Path):
    workdir = tmp_path / "workdir"
    outside = tmp_path / "outside"
    workdir.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("as it was")
    with runtime.start(service(workdir)) as started:
        (workdir / "folder").symlink_to(outside)
        (workdir / "file").symlink_to(outside / "kept")
        with pytest.raises(SubmissionFault, match="room for the file folder/new"):
            started.put_file("folder/new", b"gotcha")
        started.put_file("file", b"new")
        (workdir / "taken").mkdir()
        with pytest.raises(SubmissionFault):
            started.put_file("taken", b"")
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "as it was"
    assert (workdir / "file").read_text() == "new"
    assert sorted(path.name for path in workdir.iterdir()) == [
        *("file", "folder", "server.py", "taken")
    ]


@pytest.mark.parametrize("trusted", [False, True])
def test_a_command_ends_with_a_status(runtime: Runtime, tmp_path: Path, trusted: bool):
    script = "import os, sys; print('result', os.getcwd()); sys.exit('complaint')"
    done = run(runtime, tmp_path, script, trusted=trusted)
    assert (done.status, done.stdout, done.stderr) == (1, f"result {tmp_path}\n", "complaint\n")
    end = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(runtime, tmp_path, end, trusted=trusted).status == 128 + 9
    unknown = run(runtime, tmp_path, "", trusted=trusted, command=("no-such-command",))
    assert unknown.status == NOT_FOUND
    assert "no-such-command" in unknown.stderr


def test_a_command_has_only_so_much_time(runtime: Runtime, tmp_path: Path):
    script = "import time; print('begun', flush=True); time.sleep(600)"
    done = run(runtime, tmp_path, script, timeout_s=0.8)
    assert (done.status, done.stdout, done.timed_out) == (None, "begun\n", True)


def test_a_command_may_print_more_than_is_kept(runtime: Runtime, tmp_path: Path):
    done = run(runtime, tmp_path, "print('x' * 3_000_000); print('the result')")
    assert done.stdout.endswith("x\nthe result\n")
    assert len(done.stdout) <= 256 * 1024


def test_a_command_leaves_no_daemon(isolated: Runtime, tmp_path: Path):
    done = run(isolated, tmp_path, DAEMON + "print('done')")
    assert (done.status, done.stdout) == (0, "done\n")
    assert is_free(tmp_path / "daemon.lock")
    late = tmp_path / "late"
    late.mkdir()
    assert run(isolated, late, DAEMON + "time.sleep(600)", timeout_s=0.8).timed_out
    assert is_free(late / "daemon.lock")


def test_a_command_beside_a_service_has_its_folder_port_and_environment(
    runtime: Runtime, tmp_path: Path
):
    with runtime.start(service(tmp_path, environment={"A": "a", "B": "b"})) as started:
        script = (
            "import os, sys; print(sys.argv[1:], *map(os.environ.get, ['A', 'B', 'C', 'PORT']))"
        )
        command = [*PYTHON, "-c", script, "{port}"]
        done = started.run(command, timeout_s=20, environment={"B": "changed", "C": "at {port}"})
        port = started.url.rpartition(":")[2]
        assert done.stdout == f"['{port}'] a changed at {port} {port}\n"
        assert started.run(["ls"], timeout_s=20).stdout == "server.py\n"


def test_the_port_is_passed_in_command_and_environment(runtime: Runtime, tmp_path: Path):
    with runtime.start(service(tmp_path, environment={"ADDRESS": "0:{port}"})) as started:
        variables = get(f"{started.url}/ready")["variables"]
        port = started.url.rpartition(":")[2]
        assert variables["PORT"] == port
        assert variables["ADDRESS"] == f"0:{port}"


@pytest.mark.parametrize("trusted", [False, True])
def test_the_environment_is_what_was_given(
    runtime: Runtime, tmp_path: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GRADING_SECRET", "hunter2")
    given = {"GIVEN": "1", "DO_NOT_TRACK": "0"}
    seen = inside(runtime, tmp_path, "dict(os.environ)", environment=given, trusted=trusted)
    # A shell in between may add its own.
    names = seen.keys() - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names == {"PATH", "HOME", "TMPDIR", "LANG", *CHILD_ENVIRONMENT, *given}
    assert seen["DO_NOT_TRACK"] == "0"


# Isolation


def test_the_environment_of_the_harness_is_nowhere(
    isolated: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GRADING_SECRET", "hunter2")
    environments = "[open(f'/proc/{p}/environ').read() for p in os.listdir('/proc') if p.isdigit()]"
    seen = inside(isolated, tmp_path, environments)
    assert len(seen) == 2
    assert "hunter2" not in str(seen)


def test_only_the_system_python_and_the_workdir_are_there(isolated: Runtime, tmp_path: Path):
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    (tmp_path / "secret").write_text("the answers")
    hidden = [tmp_path / "secret", REPOSITORY / "graders", REPOSITORY / "sandbox"]
    hidden += [REPOSITORY / "pyproject.toml", REPOSITORY / ".git"]
    pythons = {*Path(sys.base_prefix).parents, *Path(sys.prefix).parents}
    hidden += [path for path in Path.home().iterdir() if path not in pythons]
    # An image has some of its own, and nobody's home.
    own = {Path.home() / ".bashrc", Path.home() / ".profile", Path("/etc/shadow")}
    hidden = [path for path in {*hidden, *own} if path not in own or isolated.name == "process"]
    names = [str(path) for path in hidden]
    assert inside(isolated, workdir, f"[p for p in {names} if os.path.lexists(p)]") == []
    roots = ["bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr"]
    known = {*roots, *(path.parts[1] for path in (workdir, Path(sys.prefix)))}
    known |= {Path(sys.base_prefix).parts[1]}
    if isolated.name == "docker":  # folders of the image
        known |= {".dockerenv", "boot", "build", "home", "media", "mnt", "opt", "root", "run"}
        known |= {"srv", "sys", "var"}
    assert set(inside(isolated, workdir, "os.listdir('/')")) <= known


def test_python_and_its_packages_can_be_used_but_not_changed(isolated: Runtime, tmp_path: Path):
    done = run(
        isolated, tmp_path, "", command=("python", "-c", "import urllib3, sys; print(sys.prefix)")
    )
    prefix = "/opt/python" if isolated.name == "docker" else sys.prefix
    assert done.stdout.strip() == prefix, done.stderr
    assert not inside(isolated, tmp_path, f"os.access({prefix!r}, os.W_OK)")


def test_other_processes_are_out_of_sight(isolated: Runtime, tmp_path: Path):
    with isolated.start(service(tmp_path)):
        seen = inside(isolated, tmp_path, "sorted(p for p in os.listdir('/proc') if p.isdigit())")
        assert seen[0] == "1"
        assert len(seen) == 2


def test_it_is_not_root_and_has_no_way_to_become_it(isolated: Runtime, tmp_path: Path):
    uid, gid = ownership.user() if isolated.name == "docker" else (65534, 65534)
    assert 0 not in (uid, gid)
    seen = inside(isolated, tmp_path, "[os.getuid(), os.geteuid(), os.getgid()]")
    assert seen == [uid, uid, gid]
    status = inside(isolated, tmp_path, "open('/proc/self/status').read()")
    values = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert {values[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")} == {""}
    assert values["NoNewPrivs"] == "1"
    unshare = "import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))  # CLONE_NEWUSER"
    command = (sys.executable, "-I", "-c", unshare)
    assert run(isolated, tmp_path, "", command=command).stdout == "-1\n"


def test_nothing_can_be_written_but_the_workdir_and_tmp(isolated: Runtime, tmp_path: Path):
    script = """
import json, os
mounts = [line.split()[1] for line in open("/proc/self/mounts")]
writable = [path for path in mounts if os.access(path, os.W_OK)]
# Asked by opening, and nothing is written: these would be settings of the real kernel.
for folder, _, names in os.walk("/proc/sys"):
    for name in names:
        try:
            os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
            writable.append(os.path.join(folder, name))
        except OSError:
            pass
for folder in ("/", "/etc", "/usr", "/dev", "/proc", os.path.dirname(os.environ["VENV"])):
    try:
        os.mkdir(os.path.join(folder, "made"))
        writable.append(folder)
    except OSError:
        pass
print(json.dumps(writable))
"""
    done = run(isolated, tmp_path, script, environment={"VENV": sys.prefix})
    # Nodes of devices are read-only or not by what they are, not by how they are mounted.
    nodes = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}
    expected = {str(tmp_path), "/tmp", "/dev/shm", "/dev/pts", *nodes}
    if isolated.name == "docker":
        # Devices that hold nothing, and message queues of its own.
        expected |= {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/dev/mqueue"}
    assert set(json.loads(done.stdout)) - expected == set(), done.stderr


def test_tmp_is_private(isolated: Runtime, tmp_path: Path):
    expression = "[open('/tmp/mine', 'w').write('x'), os.environ['HOME'], os.listdir('/tmp')]"
    written, home, seen = inside(isolated, tmp_path, expression)
    assert (written, home) == (1, "/tmp")
    assert set(seen) <= {"mine", *tmp_path.parts}
    assert not Path("/tmp/mine").exists()
    assert inside(isolated, tmp_path, "os.path.exists('/tmp/mine')") is False


def test_given_folders_are_there_to_read_or_to_write(isolated: Runtime, tmp_path: Path):
    folders = {name: tmp_path / name for name in ("workdir", "read", "write")}
    for folder in folders.values():
        folder.mkdir()
    (folders["read"] / "reference").write_text("1")
    access = {"readable": (folders["read"],), "writable": (folders["write"],)}
    script = f"""
import os, pathlib
read, write = pathlib.Path({str(folders["read"])!r}), pathlib.Path({str(folders["write"])!r})
print((read / "reference").read_text(), os.access(read, os.W_OK))
(write / "result").write_text("2")
"""
    done = run(isolated, folders["workdir"], script, **access)
    assert done.stdout == "1 False\n", done.stderr
    assert (folders["write"] / "result").read_text() == "2"


def test_a_link_in_the_workdir_opens_nothing(isolated: Runtime, tmp_path: Path):
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("the answers")
    (workdir / "artifacts").symlink_to(tmp_path / "secrets")
    inner = (workdir / "artifacts",)
    for access in ({}, {"writable": inner}, {"readable": inner}):
        assert not inside(isolated, workdir, "os.path.exists('artifacts/key')", **access)


def test_limits_are_set(isolated: Runtime, tmp_path: Path):
    script = (
        "import resource as r; print([r.getrlimit(x) for x in (r.RLIMIT_CORE, r.RLIMIT_FSIZE)])"
    )
    command = (sys.executable, "-c", script)
    assert run(isolated, tmp_path, "", command=command).stdout == f"[(0, 0), ({2**30}, {2**30})]\n"


def test_what_the_harness_listens_with_can_be_reached(runtime: Runtime, tmp_path: Path):
    address = runtime.harness_address
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
        peer = f"socket.create_connection(('{address}', {port}), 5).getpeername()"
        assert inside(runtime, tmp_path, peer) == [address, port]


def test_a_service_that_takes_the_place_of_one_that_ended_has_its_address(
    runtime: Runtime, tmp_path: Path
):
    first = runtime.start(service(tmp_path))
    port = int(first.url.rpartition(":")[2])
    with runtime.launch(service(tmp_path, port=port)) as beside:
        assert beside.url != first.url
    first.kill()
    with runtime.start(service(tmp_path, port=port)) as second:
        assert second.url == first.url
        assert get(f"{second.url}/ready")


# Opening


def test_what_isolates_is_said(runtime: Runtime):
    said = {"process": ("bubblewrap ", "none: "), "docker": ("Docker ",)}
    assert runtime.isolation.startswith(said[runtime.name])
    assert all(isinstance(value, str) for value in runtime.details.values())


@pytest.mark.parametrize("name", ["docker-compose", "base", ""])
def test_an_unknown_runtime_is_refused_with_those_there_are(name: str):
    with pytest.raises(UsageError, match="a runtime out of process"):
        open_runtime(name)
