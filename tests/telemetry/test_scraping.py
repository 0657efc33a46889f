"""What a scrape leaves behind, sample by sample.

`test_live_server.py` holds the same code against the scrapes of a real Prometheus.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sandbox.telemetry.remote_write import Batch, decode
from sandbox.telemetry.scraping import Scraper, Target, fetch
from sandbox.telemetry.series import Labels, is_stale, series
from sandbox.traffic.client import Answer, Client

OWN = {"job": "model", "instance": "model-0:8080", "track": "canary"}
TARGET = Target("model", "model-0:8080", {"track": "canary"})


class Service:
    """Answers with whatever it is told to answer with."""

    def __init__(self) -> None:
        self.answer = said("")

    def __call__(self) -> Answer:
        return self.answer


def said(text: str, status: int | None = 200, problem: str = "") -> Answer:
    return Answer(status, text.encode(), "", 12.5, problem)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def scraper(service: Service) -> Scraper:
    return Scraper(TARGET, service)


def stored(name: str, **labels: str) -> Labels:
    return series(name, {**OWN, **labels})


def scraped(scraper: Scraper) -> dict[Labels, float | str]:
    """What one scrape stores, stale markers by name and the scrape's own series left out."""
    batch = Batch()
    scraper.scrape(1_000, batch)
    return samples(batch)


def samples(batch: Batch) -> dict[Labels, float | str]:
    return {
        labels: "stale" if is_stale(value) else value
        for labels, [(at_ms, value)] in decode(batch.encode()).items()
        if at_ms == 1_000 and not dict(labels)["__name__"].startswith("scrape_")
    }


def test_samples_get_the_targets_labels_and_the_time_of_the_scrape(
    service: Service, scraper: Scraper
) -> None:
    service.answer = said('asked_total{carrier="UA"} 3 1372636800000\n')
    batch = Batch()
    assert scraper.scrape(1_372_636_800_000, batch) == ""
    assert decode(batch.encode()) == {
        stored("asked_total", carrier="UA"): [(1_372_636_800_000, 3.0)],
        stored("up"): [(1_372_636_800_000, 1.0)],
        stored("scrape_duration_seconds"): [(1_372_636_800_000, 0.0125)],
        stored("scrape_samples_scraped"): [(1_372_636_800_000, 1.0)],
        stored("scrape_samples_post_metric_relabeling"): [(1_372_636_800_000, 1.0)],
        stored("scrape_series_added"): [(1_372_636_800_000, 1.0)],
    }


def test_a_label_that_clashes_is_kept_under_another_name(
    service: Service, scraper: Scraper
) -> None:
    service.answer = said('m{job="a",exported_track="b",track="c",other="d"} 1\n')
    assert scraped(scraper) == {
        stored(
            "m", exported_job="a", exported_track="b", exported_exported_track="c", other="d"
        ): 1.0,
        stored("up"): 1.0,
    }


def test_of_two_series_that_become_one_the_first_is_kept(
    service: Service, scraper: Scraper
) -> None:
    service.answer = said('m{job="a"} 1\nm{exported_job="a"} 2\n')
    assert scraped(scraper) == {stored("m", exported_job="a"): 1.0, stored("up"): 1.0}


def test_a_series_that_vanishes_ends_and_may_come_back(service: Service, scraper: Scraper) -> None:
    service.answer = said("a 1\nb 1\n")
    scraped(scraper)
    service.answer = said("b 2\n")
    assert scraped(scraper) == {stored("b"): 2.0, stored("a"): "stale", stored("up"): 1.0}
    assert scraped(scraper) == {stored("b"): 2.0, stored("up"): 1.0}
    service.answer = said("a 3\nb 2\n")
    assert scraped(scraper) == {stored("a"): 3.0, stored("b"): 2.0, stored("up"): 1.0}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said("oops", status=500), "/metrics answered status 500"),
        (said("", None, "no answer within 10 s"), "no answer to read: no answer within 10 s"),
        (said("a 1\n<html>\n"), "/metrics cannot be read: line 2: a line begins with"),
        (said("".join(f'm{{id="{i}"}} 1\n' for i in range(5_001))), "5,001 samples, more than"),
    ],
)
def test_a_scrape_that_fails_says_why_and_ends_every_series(
    service: Service, scraper: Scraper, answer: Answer, words: str
) -> None:
    service.answer = said("a 1\n")
    scraped(scraper)
    service.answer = answer
    batch = Batch()
    assert words in scraper.scrape(1_000, batch)
    assert samples(batch) == {stored("a"): "stale", stored("up"): 0.0}
    assert scraped(scraper) == {stored("up"): 0.0}
    service.answer = said("a 2\n")
    assert scraped(scraper) == {stored("a"): 2.0, stored("up"): 1.0}


def test_a_target_that_cannot_be_reached_is_not_asked(scraper: Scraper, service: Service) -> None:
    service.answer = said("a 1\n")
    scraped(scraper)
    service.answer = said("a 2\n")
    batch = Batch()
    scraper.lose(1_000, batch)
    assert samples(batch) == {stored("a"): "stale", stored("up"): 0.0}
    assert dict(scraper.last) == {stored("a"): 1.0}


def test_a_target_that_is_gone_leaves_nothing(service: Service, scraper: Scraper) -> None:
    batch = Batch()
    scraper.remove(1_000, batch)
    assert len(batch) == 0
    service.answer = said("a 1\n")
    scraped(scraper)
    scraper.remove(1_000, batch)
    assert samples(batch) == {stored("a"): "stale", stored("up"): "stale"}
    assert len(batch) == 6
    batch.clear()
    scraper.remove(1_000, batch)
    assert len(batch) == 0
    assert scraped(scraper) == {stored("a"): 1.0, stored("up"): 1.0}


def test_a_service_cannot_speak_for_the_scrape(service: Service, scraper: Scraper) -> None:
    service.answer = said("up 0\nscrape_samples_scraped 7\na 1\n")
    assert scraped(scraper) == {stored("a"): 1.0, stored("up"): 1.0}
    # One with another label is another series.
    service.answer = said('up{of="database"} 0\n')
    assert scraped(scraper)[stored("up", of="database")] == 0.0


def test_labels_that_never_repeat_end_in_a_failure(service: Service, scraper: Scraper) -> None:
    batch = Batch()
    for scrape in range(5):
        ids = range(scrape * 4_500, (scrape + 1) * 4_500)
        service.answer = said("".join(f'm{{id="{number}"}} 1\n' for number in ids))
        problem = scraper.scrape(1_000 * scrape, batch)
        assert bool(problem) == (scrape == 4)
    assert "22,500 different series since the first scrape, more than 20,000" in problem
    # What was there before is still read.
    service.answer = said('m{id="7"} 2\n')
    assert scraped(scraper) == {stored("m", id="7"): 2.0, stored("up"): 1.0}


def test_the_last_scrape_that_succeeded_is_kept(service: Service, scraper: Scraper) -> None:
    assert dict(scraper.last) == {}
    service.answer = said("a 1\nb 2\n")
    scraped(scraper)
    service.answer = said("", status=503)
    scraped(scraper)
    assert dict(scraper.last) == {stored("a"): 1.0, stored("b"): 2.0}


def test_series_that_came_and_went_are_remembered(service: Service, scraper: Scraper) -> None:
    for number in range(3):
        service.answer = said(f'm{{id="{number}"}} 1\n')
        scraped(scraper)
    assert set(scraper.series) == {stored("m", id=str(number)) for number in range(3)}


@contextmanager
def mounted() -> Iterator[Client]:
    """A service whose metrics are an application mounted at /metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/metrics/"
            body = b"a 1\n" if found else b""
            self.send_response(200 if found else 307)
            self.send_header("Location", "/metrics/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Client(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_redirect_to_a_mounted_application_is_followed() -> None:
    with mounted() as client:
        scraper = Scraper(TARGET, lambda: fetch(client))
        assert scraped(scraper) == {stored("a"): 1.0, stored("up"): 1.0}
