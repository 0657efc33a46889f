"""Tries: to go on when its time is over, and write while it is judged: two daemons in sessions of
their own, deaf to signals; one holds the first process by ptrace, if it may, so that it stays.
Happens: the kernel ends every process of the namespace before the harness is told of the end.
Gains nothing: nobody is left when the evidence is frozen.
"""

import ctypes
import fcntl
import os
import signal
import time

PTRACE_ATTACH = 16


def daemon(name):
    """Hold the lock, and write for ten minutes."""
    os.setsid()
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)
    if name == "first":
        ctypes.CDLL(None).ptrace(PTRACE_ATTACH, 1, None, None)
    fcntl.flock(os.open("lock", os.O_RDWR | os.O_CREAT), fcntl.LOCK_SH)
    open(f"begun.{name}", "w").close()
    for _ in range(60_000):
        with open(f"beat.{name}", "w") as file:
            file.write(str(time.time()))
        time.sleep(0.01)
    os._exit(0)


for each in ("first", "second"):
    if os.fork() == 0:
        if os.fork() == 0:
            daemon(each)
        os._exit(0)
    os.wait()
while not (os.path.exists("begun.first") and os.path.exists("begun.second")):
    time.sleep(0.005)
print("done", flush=True)
