"""One helper waits, and says what it waited for."""

from __future__ import annotations

import time

import pytest
from urllib3.exceptions import ProtocolError

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.system.waiting import wait_for


def test_the_first_value_that_is_there_comes_back():
    answers = iter([None, None, "ready"])
    assert wait_for(lambda: next(answers), what="an answer", within_s=5, poll_s=0) == "ready"


def test_a_value_that_is_false_is_still_a_value():
    assert wait_for(lambda: 0, what="a number", within_s=0) == 0


def test_time_that_is_up_says_what_was_expected_and_seen_last():
    errors = iter([ConnectionRefusedError("first"), ProtocolError("second")])

    def ask() -> None:
        for error in errors:
            raise error

    with pytest.raises(HarnessFault) as caught:
        wait_for(ask, what="an answer at /ready", within_s=0.05, poll_s=0.001)
    assert caught.value.expected == "an answer at /ready within 0.05 s"
    assert caught.value.seen == "ProtocolError: second"


def test_a_known_bad_state_ends_the_wait_at_once():
    begun = time.monotonic()
    with pytest.raises(SubmissionFault, match="an answer; saw it died"):
        wait_for(
            lambda: None,
            what="an answer",
            within_s=60,
            stop_when=lambda: "it died",
            fault=SubmissionFault,
        )
    assert time.monotonic() - begun < 5


def test_what_holds_counts_even_if_the_state_is_bad():
    assert wait_for(lambda: 1, what="one", within_s=1, stop_when=lambda: "dead") == 1


def test_the_condition_is_asked_once_when_there_is_no_time_at_all():
    with pytest.raises(HarnessFault, match="saw nothing of it"):
        wait_for(lambda: None, what="an answer", within_s=0)


def test_a_bug_in_the_condition_is_no_reason_to_wait():
    with pytest.raises(ZeroDivisionError):
        wait_for(lambda: 1 / 0, what="a number", within_s=60)
