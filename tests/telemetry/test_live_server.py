"""The Prometheus of a live session, and what it proves about our own scraper: both see the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import urllib3

from sandbox.errors import HarnessFault
from sandbox.runtimes.base import Runtime, Service
from sandbox.system.waiting import wait_for
from sandbox.telemetry.exposition import LABELS_MAX, SAMPLES_MAX
from sandbox.telemetry.live_server import accept_rules, configure, live_spec, reload
from sandbox.telemetry.prometheus import Prometheus
from sandbox.telemetry.remote_write import Batch, decode
from sandbox.telemetry.scraping import Scraper, Target, fetch
from sandbox.telemetry.series import Labels, as_labels
from sandbox.traffic.client import Client

SCRAPE_INTERVAL_S = 1.0
# What Prometheus and ours agree on; both refuse the ones that do not begin with "good".
BODIES = {
    "good": 'a 1\nb_total{carrier="UA"} 2\n',
    "good_empty": "",
    "good_without_newline": "a 1",
    "good_blanks": 'a\t1 \n\n \na_b { x = "1" , y="2", } 3 \nc{}4\n',
    "good_numbers": "a NaN\nb +Inf\nc -inf\nd 1e-3\ne .5\nf 5.\ng +7\nh infinity\n",
    "good_escapes": 'a{x="\\\\ \\" \\n \\d {}=,# é"} 1\n',
    "good_empty_label": 'a{x=""} 1\n',
    "good_twice": "a 1\na 2\n",
    "good_timestamp": "a 1 1372636800000\nb 2 5 \n",
    "good_comments": "# HELP a { anything\n# TYPE a gauge\na 1\n#\n# free\n#TYPE\n# HELP\n# TYPE\n",
    "good_counter_name": "# TYPE asked counter\nasked 1\n",
    "good_clash": 'a{job="x",instance="y",exported_job="z"} 1\n',
    "good_colons": "a:b:c 1\n",
    "good_many": "".join(f'a{{id="{i}"}} 1\n' for i in range(SAMPLES_MAX)),
    "good_labels": "a{{{}}} 1\n".format(",".join(f'l{i}="1"' for i in range(LABELS_MAX))),
    "good_long_label": 'a{x="%s"} 1\n' % ("x" * 500),
    "no_value": "a 1\nb\n",
    "no_number": "a abc\n",
    "underscore": "a 1_000\n",
    "hexadecimal": "a 0x1p3\n",
    "carriage_return": "a 1\r\n",
    "html": "<html></html>\n",
    "json": '{"detail": "Not Found"}',
    "dash": "a-b 1\n",
    "digit": "3a 1\n",
    "leading_blank": " a 1\n",
    "two_commas": 'a{x="1",,} 1\n',
    "no_name": '{__name__="a"} 1\n',
    "name_twice": 'a{__name__="b"} 1\n',
    "negative_timestamp": "a 1 -5\n",
    "kind_with_blank": "# TYPE a gauge \na 1\n",
    "kind_missing": "# TYPE a\na 1\n",
    "help_of_no_name": "# HELP 3a x\na 1\n",
    "unquoted": "a{x=1} 1\n",
    "open_quote": 'a{x="1} 1\n',
    "leading_comma": 'a{,x="1"} 1\n',
    "label_twice": 'a{x="1",x="2"} 1\n',
    "kind": "# TYPE a banana\na 1\n",
    "text_after": "a 1 abc\n",
    "three_numbers": "a 1 2 3\n",
    "too_many": "".join(f'a{{id="{i}"}} 1\n' for i in range(SAMPLES_MAX + 1)),
    "too_many_labels": "a{{{}}} 1\n".format(",".join(f'l{i}="1"' for i in range(LABELS_MAX + 1))),
    "long_label": 'a{x="%s"} 1\n' % ("x" * 501),
    "long_label_name": 'a{%s="1"} 1\n' % ("x" * 101),
}

ALWAYS = """
groups:
- name: any
  rules:
  - alert: Always
    expr: vector(1)
"""
BROKEN = ALWAYS.replace("vector(1)", "vector(")


@contextmanager
def answering(body: str) -> Iterator[str]:
    """A service that answers every request with a body; gives its host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def live(runtime: Runtime, folder: Path, targets: dict[str, str]) -> Iterator[Service]:
    with runtime.start(live_spec(folder, 29_090, SCRAPE_INTERVAL_S, named(targets))) as service:
        yield service


def named(addresses: dict[str, str]) -> list[tuple[Target, str]]:
    """Targets called by their addresses, as Prometheus does by itself."""
    return [(Target(job, address), address) for job, address in addresses.items()]


@pytest.fixture(scope="module")
def scrapes(
    runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prometheus, dict[str, str]]]:
    """A server that scrapes each of `BODIES`, and their addresses."""
    with ExitStack() as stack:
        targets = {job: stack.enter_context(answering(body)) for job, body in BODIES.items()}
        folder = tmp_path_factory.mktemp("live")
        url = stack.enter_context(live(runtime, folder, targets)).url
        yield Prometheus(url, SCRAPE_INTERVAL_S, None), targets


def real_scrape(server: Prometheus, job: str) -> dict[Labels, str]:
    """All that the real one stored at its last scrape of a job."""

    def scraped_at() -> float | None:
        found = server.query(f'timestamp(up{{job="{job}"}})', time.time())
        return found[0].value if found else None

    at_s = wait_for(scraped_at, what=f"{job} to be scraped", within_s=20)
    return {
        as_labels(point.labels): str(point.value)
        for point in server.query(f'{{job="{job}"}}', at_s)
    }


def our_scrape(job: str, address: str) -> tuple[dict[Labels, str], str]:
    """The same of our own scraper, and what it says is wrong."""
    batch = Batch()
    scraper = Scraper(Target(job, address), partial(fetch, Client(f"http://{address}")))
    problem = scraper.scrape(1_000, batch)
    return {labels: str(value) for labels, [(_, value)] in decode(batch.encode()).items()}, problem


def without_report(scrape: dict[Labels, str]) -> dict[Labels, str]:
    """Without the series on the scrape itself: of one that fails, Prometheus counts a part."""
    return {key: text for key, text in scrape.items() if not name(key).startswith("scrape_")}


def report(scrape: dict[Labels, str]) -> dict[str, str]:
    """Those series by name, without what no two scrapes have in common."""
    found = {name(key): text for key, text in scrape.items() if name(key).startswith("scrape_")}
    return found | {"scrape_duration_seconds": "", "scrape_series_added": ""}


def name(labels: Labels) -> str:
    return dict(labels)["__name__"]


@pytest.mark.slow
@pytest.mark.parametrize("job", BODIES)
def test_our_scrapes_are_those_of_prometheus(
    scrapes: tuple[Prometheus, dict[str, str]], job: str
) -> None:
    server, targets = scrapes
    ours, problem = our_scrape(job, targets[job])
    assert without_report(ours) == without_report(real_scrape(server, job))
    assert bool(problem) == (not job.startswith("good")), problem


@pytest.mark.slow
@pytest.mark.parametrize("job", ["good", "good_empty", "good_many", "no_number"])
def test_a_scrape_reports_on_itself_as_that_of_prometheus_does(
    scrapes: tuple[Prometheus, dict[str, str]], job: str
) -> None:
    server, targets = scrapes
    ours, _ = our_scrape(job, targets[job])
    assert report(ours) == report(real_scrape(server, job))
    assert len(report(ours)) == 4


@pytest.mark.slow
def test_rules_are_loaded_once_they_are_right(runtime: Runtime, tmp_path: Path) -> None:
    rules = tmp_path / "candidate" / "alerts.yaml"
    rules.parent.mkdir()
    rules.write_text(BROKEN)
    with (
        answering("a 1\n") as address,
        live(runtime, tmp_path, {"model": address}) as service,
    ):
        server = Prometheus(service.url, SCRAPE_INTERVAL_S, None)
        assert loaded(service.url) == []
        assert "parse error" in accept_rules(tmp_path, rules)
        rules.write_text(ALWAYS)
        assert accept_rules(tmp_path, rules) == ""
        reload(service.url)
        assert loaded(service.url) == ["Always"]
        wait_for(
            lambda: server.query('ALERTS{alertstate="firing"}', time.time()) or None,
            what="the alert to fire",
            within_s=20,
        )
        # One that is broken again leaves the last good one in force, through a reload and a start.
        rules.write_text(BROKEN)
        assert accept_rules(tmp_path, rules) != ""
        reload(service.url)
        assert loaded(service.url) == ["Always"]
    with live(runtime, tmp_path, {}) as service:
        assert loaded(service.url) == ["Always"]


@pytest.mark.slow
def test_a_target_that_moves_keeps_its_name_and_labels(runtime: Runtime, tmp_path: Path) -> None:
    target = Target("model", "model-0:8080", {"track": "stable"})
    named = {"job": "model", "instance": "model-0:8080", "track": "stable"}

    def values() -> list[tuple[float, dict[str, str]]]:
        found = server.query('{__name__="a"}', time.time())
        return [(p.value, {k: v for k, v in p.labels.items() if k != "__name__"}) for p in found]

    with answering("a 1\n") as first, answering("a 2\n") as second:
        spec = live_spec(tmp_path, 29_090, SCRAPE_INTERVAL_S, [(target, first)])
        with runtime.start(spec) as service:
            server = Prometheus(service.url, SCRAPE_INTERVAL_S, None)
            for address, value in ((first, 1.0), (second, 2.0)):
                configure(tmp_path, SCRAPE_INTERVAL_S, [(target, address)])
                reload(service.url)
                wait_for(
                    partial(lambda expected: values() == expected or None, [(value, named)]),
                    what=f"a to be {value:g}",
                    within_s=20,
                )


def loaded(url: str) -> list[str]:
    answer = urllib3.request("GET", f"{url}/api/v1/rules").json()
    return [rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]]


def test_rules_that_cannot_be_read(tmp_path: Path) -> None:
    assert accept_rules(tmp_path, tmp_path / "alerts.yaml") == (
        "alerts.yaml cannot be read: No such file or directory"
    )
    (tmp_path / "alerts.yaml").write_bytes(b"#" * (2**20 + 1))
    assert "more than 1,048,576 bytes" in accept_rules(tmp_path, tmp_path / "alerts.yaml")
    assert not (tmp_path / "rules" / "alerts.yaml").exists()


def test_a_server_that_is_not_there_is_our_fault() -> None:
    with pytest.raises(HarnessFault, match="to reload its configuration"):
        reload("http://127.0.0.1:1")
