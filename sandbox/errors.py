"""The tree of errors. Whose fault it was decides what happens next.

    SandboxError
    ├── UsageError        whoever typed the command or wrote the file: exit status 2
    ├── SubmissionFault   the candidate's code did not do what its contract says: a failed check
    └── HarnessFault      ours (disk, daemon, bug): ungradable, exit status 3, never a failed check

Each error is one line: what was expected, what was seen, what to try.
"""

from __future__ import annotations

from functools import partial


class SandboxError(Exception):
    """An error with something to say to a person.

    Args:
        expected: what should have been there.
        seen: what was there instead.
        hint: what to try next, as an imperative; may be empty.
    """

    def __init__(self, *, expected: str, seen: str, hint: str = "") -> None:
        self.expected = expected
        self.seen = seen
        self.hint = hint
        line = f"expected {expected}; saw {seen}"
        super().__init__(f"{line}; try: {hint}" if hint else line)

    def __reduce__(self) -> tuple[partial[SandboxError], tuple[()]]:
        """How it passes from one process to another: an exception's own way knows no keywords."""
        return partial(type(self), expected=self.expected, seen=self.seen, hint=self.hint), ()


class UsageError(SandboxError):
    """A command, an option or a file written by a person is wrong."""


class SubmissionFault(SandboxError):
    """The submission did not do what its contract says. Counts against the candidate."""


class HarnessFault(SandboxError):
    """Something of ours broke. Never counts against a candidate."""
