"""A real Prometheus on simulated time. Instants are of July 2013 and before."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.runtimes.base import Runtime
from sandbox.telemetry import prometheus as module
from sandbox.telemetry.prometheus import Prometheus, QueryError, RangeSeries, WriteRefused, running
from sandbox.telemetry.remote_write import Batch
from sandbox.telemetry.scraping import Scraper, Target
from sandbox.telemetry.series import STALE, series
from sandbox.traffic.client import Answer

JULY_S = 1_372_636_800  # 2013-07-01 00:00 UTC
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
LABELS = {"job": "model", "instance": "model-0:8080"}


def counted(start_s: float, samples: int, step_s: float, per_step: float = 6.0) -> Batch:
    batch = Batch()
    for number in range(samples):
        at_ms = round((start_s + number * step_s) * 1000)
        batch.add(series("asked_total", LABELS), at_ms, per_step * number)
    return batch


def test_rates_are_those_of_the_simulated_time(prometheus: Prometheus) -> None:
    prometheus.write(counted(JULY_S, 60, MINUTE_S))
    [point] = prometheus.query("rate(asked_total[5m])", JULY_S + 30 * MINUTE_S)
    assert point.labels == LABELS
    assert point.value == pytest.approx(0.1)
    assert point.at_s == JULY_S + 30 * MINUTE_S
    assert prometheus.query("asked_total", JULY_S - 1) == []
    [hour] = prometheus.query("hour()", JULY_S + 5 * HOUR_S)
    assert (hour.labels, hour.value) == ({}, 5)


def test_a_range_has_a_point_for_each_step_that_has_a_value(prometheus: Prometheus) -> None:
    prometheus.write(counted(JULY_S, 3, MINUTE_S))
    [found] = prometheus.query_range("asked_total", JULY_S - 60, JULY_S + 120, 60)
    assert found.labels == {"__name__": "asked_total", **LABELS}
    assert found.points == [(JULY_S, 0.0), (JULY_S + 60, 6.0), (JULY_S + 120, 12.0)]


def test_a_scalar_is_one_series_without_labels(prometheus: Prometheus) -> None:
    assert prometheus.query_range("time() / 2", JULY_S, JULY_S + 60, 60) == [
        RangeSeries({}, [(JULY_S, JULY_S / 2), (JULY_S + 60, JULY_S / 2 + 30)])
    ]
    [point] = prometheus.query("1 / 0", JULY_S)
    assert (point.labels, point.value) == ({}, math.inf)


def test_an_analysis_gets_a_list_for_a_vector_and_a_number_for_a_scalar(
    prometheus: Prometheus,
) -> None:
    prometheus.write(counted(JULY_S, 3, MINUTE_S))
    at_s = JULY_S + 60
    assert prometheus.measure("asked_total", at_s) == [6.0]
    assert prometheus.measure("scalar(asked_total)", at_s) == 6.0
    assert prometheus.measure("nothing_total", at_s) == []
    [ratio] = prometheus.measure("0 * asked_total / (0 * asked_total)", at_s)  # type: ignore[misc]
    assert math.isnan(ratio)
    with pytest.raises(QueryError, match="matrix"):
        prometheus.measure("asked_total[5m]", at_s)


def test_a_range_may_be_longer_than_prometheus_answers_at_once(prometheus: Prometheus) -> None:
    batch = Batch()
    for minute in (0, 9_999, 10_000, 24_999):
        batch.add(series("m", {}), (JULY_S + minute * 60) * 1000, float(minute))
    prometheus.write(batch)
    [found] = prometheus.query_range("timestamp(m) == m * 60 + 1372636800", JULY_S, JULY_S + 0, 60)
    assert found.points == [(JULY_S, JULY_S)]
    [scalar] = prometheus.query_range("time()", JULY_S, JULY_S + 24_999 * 60, 60)
    assert scalar.points == [(at, at) for at in range(JULY_S, JULY_S + 25_000 * 60, 60)]
    [sparse] = prometheus.query_range("m", JULY_S, JULY_S + 24_999 * 60, 60)
    # Two more minutes each, which is how long a sample stays visible.
    assert [(at - JULY_S) // 60 for at, _ in sparse.points] == [
        *(0, 1, 2, 9_999, 10_000, 10_001, 10_002, 24_999)
    ]


def test_up_and_vanished_series(prometheus: Prometheus) -> None:
    """A series that ends is gone at once, and not only after the look-back."""
    body = b"a 1\nb 1\n"
    scraper = Scraper(Target("model", "model-0:8080"), lambda: Answer(200, body, "", 1.0))
    batch = Batch()
    scraper.scrape(JULY_S * 1000, batch)
    body = b"b 1\n"
    scraper.scrape((JULY_S + 60) * 1000, batch)
    scraper.lose((JULY_S + 120) * 1000, batch)
    scraper.remove((JULY_S + 180) * 1000, batch)
    prometheus.write(batch)
    at = [
        {point.labels["__name__"]: point.value for point in prometheus.query(everything, instant)}
        for everything in ['{__name__=~"a|b|up"}']
        for instant in (JULY_S, JULY_S + 59, JULY_S + 60, JULY_S + 120, JULY_S + 180)
    ]
    assert at == [
        {"a": 1.0, "b": 1.0, "up": 1.0},
        {"a": 1.0, "b": 1.0, "up": 1.0},
        {"b": 1.0, "up": 1.0},
        {"up": 0.0},
        {},
    ]


def test_one_lost_scrape_makes_no_gap_and_two_do(prometheus: Prometheus) -> None:
    batch = Batch()
    batch.add(series("m", {}), JULY_S * 1000, 1.0)
    prometheus.write(batch)
    visible = [bool(prometheus.query("m", JULY_S + after)) for after in (0, 60, 120, 149, 151, 180)]
    assert visible == [True, True, True, True, False, False]


def test_samples_may_be_written_later_than_others(prometheus: Prometheus) -> None:
    """Recording rules and ALERTS are evaluated over an episode that has ended."""
    prometheus.write(counted(JULY_S, 100 * 24, HOUR_S))
    late = Batch()
    for hour in range(48):
        late.add(series("recorded", {"severity": "page"}), (JULY_S + hour * HOUR_S) * 1000, hour)
    late.add(series("recorded", {"severity": "page"}), (JULY_S + 48 * HOUR_S) * 1000, STALE)
    late.add(series("before", {}), (JULY_S - 300 * DAY_S) * 1000, 1.0)
    prometheus.write(late)
    [found] = prometheus.query_range("recorded", JULY_S, JULY_S + 60 * HOUR_S, HOUR_S)
    assert found.points == [(JULY_S + hour * HOUR_S, hour) for hour in range(48)]
    assert prometheus.query("before", JULY_S - 300 * DAY_S)
    # And of one series, too.
    again = Batch()
    again.add(series("recorded", {"severity": "page"}), (JULY_S - HOUR_S) * 1000, -1.0)
    prometheus.write(again)
    [point] = prometheus.query("recorded", JULY_S - HOUR_S)
    assert point.value == -1


def test_seventy_days_of_hours(start_prometheus: Callable[[float], Prometheus]) -> None:
    server = start_prometheus(HOUR_S)
    batch = Batch()
    hours = 70 * 24
    for number in range(20):
        labels = series("asked_total", {**LABELS, "carrier": f"C{number}"})
        for hour in range(hours):
            batch.add(labels, (JULY_S + hour * HOUR_S) * 1000, 60.0 * hour)
    server.write(batch)
    end_s = JULY_S + (hours - 1) * HOUR_S
    [found] = server.query_range("sum(increase(asked_total[1d]))", JULY_S + DAY_S, end_s, HOUR_S)
    assert len(found.points) == hours - 24
    assert {round(value) for _, value in found.points} == {20 * 60 * 24}
    [share] = server.query("count_over_time(asked_total{carrier='C7'}[70d])", end_s)
    assert share.value == hours
    # Visible without a break: the look-back is that of hourly scrapes.
    [every] = server.query_range("asked_total{carrier='C0'}", JULY_S, JULY_S + DAY_S, 60)
    assert len(every.points) == 24 * 60 + 1


def test_what_there_is(prometheus: Prometheus) -> None:
    prometheus.write(counted(JULY_S, 3, MINUTE_S))
    batch = Batch()
    batch.add(series("fresh", {"kind": "x"}), JULY_S * 1000, 1.0)
    prometheus.write(batch)
    assert prometheus.names(JULY_S, JULY_S + HOUR_S) == ["asked_total", "fresh"]
    assert prometheus.series('{kind!=""}', JULY_S, JULY_S + HOUR_S) == [
        {"__name__": "fresh", "kind": "x"}
    ]
    assert prometheus.series("absent", JULY_S, JULY_S + HOUR_S) == []


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("rate(", "1:6: parse error: unclosed left parenthesis"),
        ("nonsense(up)", 'unknown function with name "nonsense"'),
        ("rate(up)", "expected type range vector"),
        ("up[5m]", "gives a matrix"),
        ('"text"', "gives a string"),
        ('up{job=~"("}', "parse error"),
        ("m + on(job) group_left m", "found duplicate series"),
    ],
)
def test_an_expression_that_is_refused(prometheus: Prometheus, expr: str, words: str) -> None:
    batch = Batch()
    for number in range(3):
        batch.add(series("m", {"number": str(number)}), JULY_S * 1000, 1.0)
    prometheus.write(batch)
    with pytest.raises(QueryError) as refused:
        prometheus.query(expr, JULY_S)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_range_that_is_refused(prometheus: Prometheus) -> None:
    with pytest.raises(QueryError, match="invalid expression type"):
        prometheus.query_range("up[5m]", JULY_S, JULY_S + 60, 60)


def test_an_expression_that_is_too_dear(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    prometheus.write(counted(JULY_S, 1_000, MINUTE_S))
    with pytest.raises(QueryError, match=r"too many samples|timed out"):
        prometheus.query("sum_over_time(vector(1)[10y:1s])", JULY_S)
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 1_000)
    with pytest.raises(QueryError, match="the answer exceeds"):
        prometheus.query_range("asked_total", JULY_S, JULY_S + HOUR_S, 60)
    # Neither of them took the server or the connection along.
    assert prometheus.query("1", JULY_S)


def test_an_expression_that_is_too_long(prometheus: Prometheus) -> None:
    with pytest.raises(QueryError, match="20,001 characters, more than 10,000"):
        prometheus.query("(" * 10_000 + "1" + ")" * 10_000, JULY_S)


def test_an_expression_that_has_no_end_is_told_once_and_not_asked_again(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(prometheus._pool.connection_pool_kw, "timeout", 0.3)
    endless = "count(count_over_time((vector(1))[30d:1ms]))"
    for words in ("no answer to the expression", "not asked again"):
        with pytest.raises(QueryError, match=words):
            prometheus.query(endless, JULY_S)
    assert prometheus.query("1", JULY_S)


def test_a_server_that_answers_nobody_is_no_fault_of_an_expression(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "ready", lambda: False)
    monkeypatch.setitem(prometheus._pool.connection_pool_kw, "timeout", 0.3)
    with pytest.raises(HarnessFault, match="to answer /api/v1/query"):
        prometheus.query("count(count_over_time((vector(1))[30d:2ms]))", JULY_S)


def test_memory_that_an_expression_takes_is_bounded_and_its_own_fault(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MEMORY_BYTES", 2**29)
    doubled = 'label_replace(vector(1), "a", "0123456789", "", "")'
    for _ in range(28):
        doubled = f'label_replace({doubled}, "a", "$1$1", "a", "(.*)")'
    with (
        pytest.raises(SubmissionFault, match=r"memory enough; saw Prometheus ran out of it"),
        running(runtime, tmp_path, 60) as server,
    ):
        server.query(doubled, JULY_S)


def test_two_values_for_one_instant_are_refused_as_a_whole(prometheus: Prometheus) -> None:
    prometheus.write(counted(JULY_S, 1, MINUTE_S))
    batch = counted(JULY_S, 1, MINUTE_S, per_step=1)
    batch.add(series("asked_total", LABELS), JULY_S * 1000, 99.0)
    batch.add(series("another", {}), JULY_S * 1000, 1.0)
    with pytest.raises(WriteRefused, match="duplicate sample"):
        prometheus.write(batch)
    assert prometheus.query("another", JULY_S) == []


def test_nobody_gets_in_without_the_password(prometheus: Prometheus) -> None:
    body = counted(JULY_S, 1, MINUTE_S).encode()
    for headers in ({}, urllib3.make_headers(basic_auth="harness:guess")):
        for method, path in (
            ("POST", "/api/v1/write"),
            ("GET", "/api/v1/query?query=up"),
            ("GET", "/-/ready"),
            ("GET", "/metrics"),
            ("POST", "/-/quit"),
        ):
            answer = urllib3.request(method, prometheus.url + path, headers=headers, body=body)
            assert answer.status == 401, path
    assert prometheus.names(JULY_S, JULY_S + 1) == []
    stranger = Prometheus(prometheus.url, 60, password="guess")
    with pytest.raises(HarnessFault, match="401"):
        stranger.query("1", JULY_S)


def test_the_password_is_in_no_file_and_no_argument(tmp_path: Path) -> None:
    spec = module.spec(tmp_path, 60, "a-secret-of-this-run")
    assert not any("a-secret-of-this-run" in word for word in spec.command)
    assert "a-secret-of-this-run" not in "".join(spec.environment.values())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all("a-secret-of-this-run" not in path.read_text() for path in files)
    assert "a-secret-of-this-run" not in repr(Prometheus("http://127.0.0.1:1", 60, "a-secret"))


def test_it_scrapes_nothing_and_ends_with_its_block(runtime: Runtime, tmp_path: Path) -> None:
    with running(runtime, tmp_path, 60) as server:
        assert server.names(0, 4e9) == []
        assert server.scrape_interval_s == 60
    with pytest.raises(HarnessFault, match="to answer /api/v1/query"):
        server.query("1", JULY_S)


def test_a_batch_without_samples_is_not_worth_a_request() -> None:
    Prometheus("http://127.0.0.1:1", 60, None).write(Batch())
