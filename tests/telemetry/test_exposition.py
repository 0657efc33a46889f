"""What counts as Prometheus' text format, and what a person is told about the rest."""

from __future__ import annotations

import contextlib
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest

from sandbox.telemetry import exposition
from sandbox.telemetry.exposition import Exposition, UnreadableError
from sandbox.telemetry.series import Labels, series


def parse(text: str) -> dict[Labels, float]:
    return Exposition().parse(text.encode())


def problem(text: str | bytes) -> str:
    body = text.encode() if isinstance(text, str) else text
    with pytest.raises(UnreadableError) as refused:
        Exposition().parse(body)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_the_client_library_writes_is_read_as_it_was_meant() -> None:
    registry = CollectorRegistry()
    Counter("asked", "Requests", ["carrier"], registry=registry).labels("UA").inc(3)
    Gauge("temperature", "With \\ and \n in its help", registry=registry).set(-1.5e-7)
    Histogram("score", "Scores", buckets=[0.5], registry=registry).observe(0.2)
    Summary("rows", "Rows", registry=registry).observe(17)
    found = {key: value for key, value in _parse_latest(registry) if not _is_created(key)}
    assert found == {
        series("asked_total", {"carrier": "UA"}): 3,
        series("temperature", {}): -1.5e-7,
        series("score_bucket", {"le": "0.5"}): 1,
        series("score_bucket", {"le": "+Inf"}): 1,
        series("score_count", {}): 1,
        series("score_sum", {}): 0.2,
        series("rows_count", {}): 1,
        series("rows_sum", {}): 17,
    }


def _parse_latest(registry: CollectorRegistry) -> list[tuple[Labels, float]]:
    return list(Exposition().parse(generate_latest(registry)).items())


def _is_created(labels: Labels) -> bool:
    return dict(labels)["__name__"].endswith("_created")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
        max_size=4,
    ),
    st.floats(),
)
def test_any_label_survives_its_escaping(labels: dict[str, str], value: float) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("metric", "Help", list(labels), registry=registry)
    (gauge.labels(**labels) if labels else gauge).set(value)
    text = generate_latest(registry)
    reader = Exposition()
    for _ in range(2):  # read for the first time, then as one that is known
        [(found, number)] = reader.parse(text).items()
        assert found == series("metric", labels)
        assert number == value or (math.isnan(number) and math.isnan(value))


def test_a_series_that_is_known_is_read_with_its_new_value_and_layout() -> None:
    reader = Exposition()
    assert reader.parse(b'm{a="x y"} 1\n') == {series("m", {"a": "x y"}): 1}
    for text in (
        b'm{a="x y"} 2\n',
        b'm{a="x y"}\t2',
        b'm{a="x y"}2',
        b'm{a="x y"}  2  1372636800',
    ):
        assert reader.parse(text) == {series("m", {"a": "x y"}): 2}, text


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0.0),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1E3", 1000.0),
        ("+Inf", math.inf),
        ("-inf", -math.inf),
        ("NaN", math.nan),
    ],
)
def test_numbers(written: str, value: float) -> None:
    [found] = parse(f"m {written}\n").values()
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_timestamps_are_read_over_and_comments_and_blank_lines_passed_by() -> None:
    text = (
        "# HELP m Anything {at all\n# TYPE m counter\n\n#\n# a comment\nm 3 17 \nn 4 1372636800\n"
    )
    assert parse(text) == {series("m", {}): 3, series("n", {}): 4}


def test_a_counter_keeps_its_name_whatever_it_ends_in() -> None:
    assert parse("# TYPE asked counter\nasked 3\n") == {series("asked", {}): 3}


def test_openmetrics_is_tolerated() -> None:
    text = (
        "# TYPE s histogram\n# UNIT s seconds\n"
        's_bucket{le="0.5"} 3 # {trace_id="KOO5S4vxi0o"} 0.67 1372636800.5\n'
        's_bucket{le="+Inf"} 4 1372636800.5 # {} 1\n# EOF\n'
    )
    assert parse(text) == {
        series("s_bucket", {"le": "0.5"}): 3,
        series("s_bucket", {"le": "+Inf"}): 4,
    }


def test_of_a_series_that_is_there_twice_the_first_counts() -> None:
    assert parse('m{a="1",b="2"} 1\nm{b="2",a="1"} 2\n') == {series("m", {"a": "1", "b": "2"}): 1}


def test_an_empty_label_is_no_label_and_nothing_is_a_scrape_without_samples() -> None:
    assert parse('m{a=""} 1\n') == {series("m", {}): 1}
    assert parse("") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m 1\nn\n", "line 2: no value: 'n'"),
        ("m abc\n", "the value is not a number: 'm abc'"),
        ("m 1_000\n", "the value is not a number"),
        ("m ١\n", "the value is not a number"),
        ("m 0x1p3\n", "the value is not a number"),
        ("m 1\r\n", "the value is not a number"),
        ("m-n 1\n", "the value is not a number"),
        ("m 1 abc\n", "followed by nothing, or by a timestamp"),
        ("m 1 2 3\n", "followed by nothing, or by a timestamp"),
        ('{"detail": "Not Found"}', "line 1: a line begins with a metric's name"),
        ("<!doctype html>\n", "line 1: a line begins with a metric's name"),
        ("3m 1\n", "a line begins with a metric's name"),
        ('m{a="1" b="2"} 1\n', 'labels are written {name="value",other="value"}'),
        ("m{a=1} 1\n", "labels are written"),
        ('m{a="1} 1\n', "labels are written"),
        ('m{a-b="1"} 1\n', "labels are written"),
        ('m{,a="1"} 1\n', "labels are written"),
        ('m{a="1",,} 1\n', "labels are written"),
        ('m{a="1",a="2"} 1\n', "line 1: a label is there twice"),
        ('m{__name__="n"} 1\n', "line 1: a label is there twice, or its name is reserved"),
        ("# TYPE m banana\nm 1\n", "line 1: such a comment is written # HELP name text, or # TYPE"),
        ("# TYPE m\nm 1\n", "line 1: such a comment is written"),
        ("# TYPE m gauge \nm 1\n", "line 1: such a comment is written"),
        ("# HELP 3m text\nm 1\n", "line 1: such a comment is written"),
        ("m 1\n n 1\n", "line 2: a line begins with a metric's name"),
        ("m 1 -17\n", "followed by nothing, or by a timestamp"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str) -> None:
    assert words in problem(text)


def test_a_label_that_is_not_utf_8() -> None:
    assert "line 1: a label is not UTF-8" in problem(b'm{a="\xff"} 1\n')


def test_what_is_quoted_cannot_act_on_a_terminal() -> None:
    for text in ("\x1b[2Jm 1\n", 'm{a="\x1b[2J",a=""} 1\n', "m \x1b[2J\n"):
        assert "\x1b" not in problem(text)


def test_a_line_is_quoted_no_longer_than_a_person_reads() -> None:
    assert len(problem("m " + "x" * 10_000)) < 300


def test_limits_are_named_with_what_was_there() -> None:
    many = "".join(f'm{{a="{i}"}} 1\n' for i in range(10_432))
    assert "10,432 samples, more than the sample_limit of 5,000" in problem(f"# HELP m\n{many}")
    assert "body_size_limit" in problem(b"#" * (exposition.BODY_BYTES_MAX + 1))
    labels = ",".join(f'l{i}="1"' for i in range(31))
    assert "31 labels, more than the label_limit of 30" in problem(f"m{{{labels}}} 1")
    assert "a has more than 500 characters" in problem(f'm{{a="{"x" * 501}"}} 1')
    assert "a label's name has more than 100 characters" in problem(f'm{{{"x" * 101}="1"}} 1')
    assert "bytes, more than 32,768 in one line" in problem("m" * 40_000 + " 1")


def test_at_the_limits_everything_is_read() -> None:
    text = "# HELP m Help\n" + "".join(f'm{{a="{i}"}} 1\n' for i in range(5_000))
    assert len(parse(text)) == 5_000


def test_labels_that_never_repeat_do_not_fill_memory() -> None:
    reader = Exposition()
    for scrape in range(30):
        reader.parse(b"".join(b'm{id="%d"} 1\n' % (scrape * 1_000 + i) for i in range(1_000)))
    assert len(reader._kept) <= exposition._KEPT_MAX + 1_000


@pytest.mark.parametrize(
    "body",
    [
        b"m{" + b'a="' * 10_000,
        b'm{a="' + b"\\" * 30_000,
        b"m{" + b'a="1",' * 5_000 + b"x",
        b'm{a="1"' + b" " * 32_000,
        b"m{" + b'a="\\"",' * 4_000 + b"x",
        b"m" + b" " * 30_000 + b"x",
        b"m " + b"1" * 4_000_000,
        b"#" + b" " * 4_000_000,
        (b"m{" + b'a="1",' * 5_000 + b"} 1\n") * 100,
    ],
)
def test_a_body_made_to_be_slow_is_read_in_time(body: bytes) -> None:
    began = time.perf_counter()
    with contextlib.suppress(UnreadableError):
        Exposition().parse(body)
    assert time.perf_counter() - began < 2
