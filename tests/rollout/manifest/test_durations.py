"""Durations: Go's syntax for intervals, and a pause's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rollout.manifest.durations import DurationError, duration_s, pause_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # the cases of Go's own documentation and of its grammar
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("5s", 5),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h15m30.918s", 4530.918),
        ("-1.5h", -5400),
        ("+5s", 5),
        ("5.s", 5),
        (".5s", 0.5),
        ("1.0h", 3600),
        ("300ms", 0.3),
        ("15us", 0.000015),
        ("15µs", 0.000015),
        ("15μs", 0.000015),
        ("10ns", 1e-8),
        ("1s1h", 3601),
        ("1m1m", 120),
        ("007s", 7),
        ("2562047h", 9223369200),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "-30",
        "s",
        ".s",
        "-.s",
        "+",
        "1d",
        "1w",
        "1 s",
        " 1s",
        "1s ",
        "1h 30m",
        "1H",
        "1,5s",
        "1e3s",
        "1_0s",
        "--1s",
        "5m-1s",
        "five minutes",
        "١s",  # a digit, but none of Go's
        "2562048h",
        "9" * 60 + "s",
        "1s" * 1000,
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(DurationError) as caught:
        duration_s(text)
    assert len(str(caught.value)) < 200


def test_a_number_without_a_unit_is_told_so() -> None:
    with pytest.raises(DurationError, match=r"'30' is no duration .* needs its unit"):
        duration_s("30")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (10, 10),
        (2**31 - 1, 2**31 - 1),
        ("0", 0),
        ("10", 10),
        ("+10", 10),
        ("010", 10),
        ("10s", 10),
        ("5m", 300),
        ("1h", 3600),
        ("1m30s", 90),
        # fractions of a second are dropped
        ("1.9s", 1),
        ("500ms", 0),
        ("-500ms", 0),
    ],
)
def test_a_pause(value: int | str, seconds: float) -> None:
    assert pause_s(value) == seconds


@pytest.mark.parametrize(
    "value", [-1, "-1", "-1s", "1d", "", "ten", "1.5", 2**31, str(2**31), "600000h", "9" * 500]
)
def test_what_is_no_pause(value: int | str) -> None:
    with pytest.raises(DurationError):
        pause_s(value)


@given(
    hours=st.integers(0, 10_000),
    minutes=st.integers(0, 10_000),
    seconds=st.integers(0, 10_000),
    sign=st.sampled_from(["", "+", "-"]),
)
def test_parts_add_up(hours: int, minutes: int, seconds: int, sign: str) -> None:
    total = 3600 * hours + 60 * minutes + seconds
    found = duration_s(f"{sign}{hours}h{minutes}m{seconds}s")
    assert found == (-total if sign == "-" else total)


@given(st.text(max_size=20) | st.text("0123456789.hmsnuµ+- ", max_size=20))
def test_any_text_is_a_duration_or_is_refused(text: str) -> None:
    for read in (duration_s, pause_s):
        said = _outcome(read, text)
        assert isinstance(said, float) or said.isprintable()


def _outcome(read: Callable[[str], float], text: str) -> float | str:
    try:
        return read(text)
    except DurationError as error:
        return str(error)
