"""The first process of a container: runs one program and ends with it, and all others with both.

    init.py NAMES SECONDS OUTPUTS PROGRAM ARGUMENTS...

NAMES are the variables that the program gets to see, separated by commas; images and the daemon
add some of their own. After SECONDS it is killed; 0 is never. OUTPUTS is 1 where complaints go the
way of everything else, so that a log is in order. It has a session and a group of its own.

The kernel keeps signals from a first process that has no handler for them, so a plain program would
never notice that it is asked to end. The harness asks again and again, for it cannot know when the
handler is there; the program is asked once. What has lost its parent is collected here.

Only the standard library is imported, and of that little: this is part of every start.
"""

import os
import signal
import sys

CANNOT_RUN, NOT_FOUND = 126, 127
SIGNALS = (signal.SIGTERM, signal.SIGALRM)


def main(names: str, seconds: str, outputs: str, *command: str) -> int:
    """Run the command; gives its exit status as a shell would."""
    environment = {name: os.environ[name] for name in names.split(",") if name in os.environ}
    if outputs == "1":
        os.dup2(1, 2)
    # Until the program runs nobody would get a signal, so it waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    begun, begins = os.pipe()  # closed by the program's start
    child = os.fork()
    if child == 0:
        os.setsid()
        # Python ignores these two, and what is ignored stays so in the program.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        try:
            os.execvpe(command[0], command, environment)  # noqa: S606 - what it is there for
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
            os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN)
    os.close(begins)
    os.read(begun, 1)
    asked: list[bool] = []

    def ask(*_: object) -> None:
        if not asked:
            asked.append(True)
            signal_all(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGALRM, lambda *_: signal_all(child, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    while True:
        ended, status = os.wait()
        if ended == child:
            break
    signal_all(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def signal_all(group: int, number: int) -> None:
    """Send a signal to a group, if there is still one."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
