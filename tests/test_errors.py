"""What an error says, and that it survives the way between two processes."""

from __future__ import annotations

import pickle

import pytest

from sandbox.errors import HarnessFault, SandboxError, SubmissionFault, UsageError


def test_it_is_one_line_with_what_to_try() -> None:
    assert str(UsageError(expected="a folder", seen="none", hint="make one")) == (
        "expected a folder; saw none; try: make one"
    )
    assert str(UsageError(expected="a folder", seen="none")) == "expected a folder; saw none"


@pytest.mark.parametrize("kind", [UsageError, SubmissionFault, HarnessFault])
def test_another_process_gets_the_same(kind: type[SandboxError]) -> None:
    error = kind(expected="a folder", seen="none", hint="make one")
    passed = pickle.loads(pickle.dumps(error))
    assert type(passed) is kind
    assert (vars(passed), str(passed)) == (vars(error), str(error))
