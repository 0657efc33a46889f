"""One helper runs a program to its end: bounded in time and memory, and with nothing left over."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

import pytest

from sandbox.errors import HarnessFault
from sandbox.system import processes
from sandbox.system.waiting import wait_for


def python(script: str, **options: object) -> processes.Completed:
    given = {"timeout_s": 20.0, **options}
    return processes.run([sys.executable, "-I", "-S", "-c", script], **given)  # type: ignore[arg-type]


def test_what_it_printed_and_how_it_ended():
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.status, done.stdout, done.stderr, done.timed_out) == (3, "out\n", "err\n", False)
    assert 0 < done.duration_s < 20


def test_a_flood_keeps_its_end_and_nothing_more():
    script = "import sys; sys.stdout.write('x' * 5_000_000 + 'the end'); sys.stderr.write('e' * 99)"
    done = python(script, tail_bytes=1000)
    assert len(done.stdout) == 1000
    assert done.stdout.endswith("xthe end")
    assert len(done.stderr) == 99


def test_time_that_is_up_ends_the_whole_group():
    script = "import os, time; os.fork(); print('begun', flush=True); time.sleep(600)"
    done = python(script, timeout_s=0.8)
    assert done.timed_out
    assert done.status is None
    assert done.stdout.startswith("begun\n")
    assert done.duration_s < 5


def test_a_closed_output_is_not_an_end():
    done = python("import os; os.close(1); os.close(2); os._exit(7)")
    assert done.status == 7
    done = python("import os, time; os.close(1); os.close(2); time.sleep(600)", timeout_s=0.3)
    assert done.timed_out


def test_a_child_left_behind_is_ended_and_does_not_hold_us_up(tmp_path: Path):
    script = (
        "import fcntl, os, time\n"
        "lock = open('lock', 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "if os.fork() == 0:\n    time.sleep(600)\n"
        "print('done')"
    )
    done = python(script, workdir=tmp_path)
    assert (done.status, done.stdout) == (0, "done\n")
    assert done.duration_s < 5
    with (tmp_path / "lock").open() as lock:  # the child holds it while it is there

        def free() -> bool:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True

        wait_for(free, what="the child to be gone", within_s=5)


def test_a_signal_counts_as_in_a_shell():
    assert python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)").status == 128 + 15


def test_a_command_that_is_not_there_counts_as_in_a_shell(tmp_path: Path):
    done = processes.run(["/no/such/command"], timeout_s=5)
    assert done.status == processes.NOT_FOUND
    assert "/no/such/command" in done.stderr
    (tmp_path / "notes").write_text("no program")
    assert processes.run([str(tmp_path / "notes")], timeout_s=5).status == processes.CANNOT_RUN


def test_a_folder_that_is_not_there_is_our_fault(tmp_path: Path):
    with pytest.raises(HarnessFault, match="a folder to run"):
        python("", workdir=tmp_path / "missing")


def test_the_environment_is_what_was_given():
    done = python("import os; print(sorted(os.environ))", environment={"A": "1", "LC_ALL": "C"})
    assert done.stdout == "['A', 'LC_ALL']\n"


def test_bytes_that_are_no_text_are_shown_as_such():
    assert python("import os; os.write(1, b'a\\xffb')").stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_nothing_stays_open():
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(3):
        python("print('x')")
        processes.run(["/no/such/command"], timeout_s=5)
    assert len([*Path("/dev/fd").iterdir()]) == before
