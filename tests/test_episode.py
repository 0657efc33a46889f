"""A replay: what the service gets at which tick, and what lands in Prometheus at which instant."""

from __future__ import annotations

import itertools
import math
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from sandbox import episode
from sandbox.errors import SubmissionFault
from sandbox.faults import REPLICAS
from sandbox.telemetry.series import is_stale
from sandbox.traffic.client import HUNG_AFTER, Answer, Client
from tests.replays import START_S, UNANSWERED, Service, Written, http_service, says, scripted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.episode import Recording
    from sandbox.script import Script
    from sandbox.telemetry.prometheus import Prometheus

MANY = "".join(f'made_up{{number="{number}"}} 1\n' for number in range(10_000))
GARBAGE: dict[str, tuple[Answer, str]] = {
    "no metrics": (says("<html>Not here</html>"), "cannot be read: line 1"),
    "bytes": (says(b"rows_total \xff\x00\x1b[2J\n"), "cannot be read"),
    "half a line": (says("rows_total 1\nrows_to"), "cannot be read: line 2"),
    "ten thousand series": (says(MANY), "more than the sample_limit"),
    "not found": (says("{}", 404), "status 404"),
    "an error": (says("Internal Server Error", 500), "status 500"),
}


def replayed(
    script: Script, service: Service | Client, into: object = None, rows: int = 60, seed: int = 1
) -> Recording:
    return episode.replay(
        script,
        service,  # type: ignore[arg-type]
        into or Written(),  # type: ignore[arg-type]
        name="a day",
        seed=seed,
        rows_per_request=rows,
    )


# -- what the service gets


def test_each_tick_brings_its_flights_in_order(all_flights: pd.DataFrame) -> None:
    script, service = scripted(all_flights, ticks=5, rows_per_tick=3), Service()
    replayed(script, service, rows=2)
    sent = [(tick, ids) for tick, path, ids in service.log if path == "/invocations"]
    ids = script.events["flight_id"].tolist()
    wanted = [(t, part) for t in range(5) for part in (ids[3 * t : 3 * t + 2], [ids[3 * t + 2]])]
    assert sent == wanted


def test_labels_are_posted_at_their_ticks_after_the_tick_s_flights(
    all_flights: pd.DataFrame,
) -> None:
    labels = [("F1", 1, 2), ("F2", 0, 2), ("F3", 1, 4)]
    script, service = scripted(all_flights, labels=labels), Service()
    replayed(script, service)
    posted = [(tick, said) for tick, path, said in service.log if path == "/feedback"]
    assert posted == [
        (2, [{"flight_id": "F1", "late": True}, {"flight_id": "F2", "late": False}]),
        (4, [{"flight_id": "F3", "late": True}]),
    ]
    assert [path for tick, path, _ in service.log if tick == 2] == [
        "/invocations",
        "/feedback",
        "/metrics",
    ]


def test_a_tick_without_flights_is_scraped_all_the_same(all_flights: pd.DataFrame) -> None:
    script = scripted(all_flights)
    quiet = script.with_events(script.events[~script.events["tick"].between(1, 4)])
    service = Service()
    recording = replayed(quiet, service)
    assert service.asked == {"/metrics": 6, "/invocations": 2}
    assert [tick for tick, _ in recording.exchanges] == [0, 5]


def test_exchanges_are_recorded_by_tick(all_flights: pd.DataFrame) -> None:
    script = scripted(all_flights, ticks=3, rows_per_tick=5)
    recording = replayed(script, Service(), rows=2)
    assert [(tick, exchange.rows) for tick, exchange in recording.exchanges] == [
        (tick, rows) for tick in range(3) for rows in (2, 2, 1)
    ]
    served = [p for _, exchange in recording.exchanges for p in exchange.predictions or []]
    assert served == (script.events["distance"] / 1_000).clip(upper=1).tolist()


def test_a_refused_label_is_noted_with_its_tick(all_flights: pd.DataFrame) -> None:
    class Refusing(Service):
        def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
            answer = super().ask(method, path, body)
            return Answer(422, b"no", "", 1.0) if path == "/feedback" else answer

    script = scripted(all_flights, labels=[("F1", 1, 3)])
    assert replayed(script, Refusing()).feedback_problems == {3: "status 422"}


# -- what lands in Prometheus


def test_samples_land_at_the_simulated_instants(
    all_flights: pd.DataFrame, prometheus: Prometheus
) -> None:
    replayed(scripted(all_flights), Service(), prometheus)
    (rows,) = prometheus.query_range("rows_total", START_S - 60, START_S + 300, 60)
    assert rows.points == [(START_S + 60 * tick, 4.0 * (tick + 1)) for tick in range(6)]
    assert rows.labels == {
        "__name__": "rows_total",
        "job": "flight-delay",
        "instance": "flight-delay-0:8080",
        "track": "stable",
        "version": "1",
    }
    # Four rows a minute of simulated time, whatever the wall's clock says.
    (rate,) = prometheus.query("rate(rows_total[3m])", START_S + 300)
    assert rate.value == pytest.approx(4 / 60)
    (up,) = prometheus.query('up{job="flight-delay"}', START_S + 300)
    assert up.value == 1
    assert prometheus.query("sum(traefik_service_requests_total)", START_S + 300)[0].value == 6


def test_a_lost_scrape_is_a_target_that_is_down_and_nobody_is_asked(
    all_flights: pd.DataFrame, prometheus: Prometheus
) -> None:
    scraped = np.array([True, True, False, False, True, True])
    service = Service()
    recording = replayed(scripted(all_flights, scraped=scraped), service, prometheus)

    def points(expr: str) -> list[float]:
        found = prometheus.query_range(expr, START_S, START_S + 300, 60)
        return [value for series in found for _, value in series.points]

    assert points('up{job="flight-delay"}') == [1, 1, 0, 0, 1, 1]
    # The series end at once, by their stale marker, and come back; flights went on meanwhile.
    assert points("rows_total") == [4, 8, 20, 24]
    assert points('up{job="gateway"}') == [1] * 6
    assert service.asked["/metrics"] == 4
    # That was ours, and no problem of the service's.
    assert recording.scrape_problems == {}


@pytest.mark.parametrize("ticks", [1, 59, 60, 61, 125])
def test_no_tick_is_left_out_however_they_are_written(
    all_flights: pd.DataFrame, ticks: int
) -> None:
    into = Written()
    replayed(scripted(all_flights, ticks, rows_per_tick=1), Service(), into)
    assert into.of("rows_total") == {60.0 * tick: tick + 1 for tick in range(ticks)}
    assert into.of("up", job="gateway") == {60.0 * tick: 1 for tick in range(ticks)}
    assert into.writes == math.ceil(ticks / episode.TICKS_PER_WRITE)


def test_a_script_replayed_twice_gives_the_same_samples(all_flights: pd.DataFrame) -> None:
    script = scripted(all_flights, ticks=30, labels=[("F1", 1, 3)], errors=np.arange(30) % 3 == 0)

    def samples(seed: int) -> dict[object, object]:
        into = Written()
        replayed(script, Service(), into, seed=seed)
        # How long a scrape takes is for the wall clock to say; here even that is made up.
        return {labels: [repr(s) for s in found] for labels, found in into.samples.items()}

    assert samples(1) == samples(1)
    assert samples(1) != samples(2)


def test_an_erring_replica_shows_at_the_gateway_alone(all_flights: pd.DataFrame) -> None:
    errors = np.zeros(40, dtype=bool)
    errors[20:] = True
    into, service = Written(), Service()
    recording = replayed(scripted(all_flights, 40, errors=errors), service, into)
    bad = [tick for tick, exchange in recording.exchanges if exchange.status == 502]
    assert len(bad) == 20 / REPLICAS
    assert min(bad) >= 20
    assert service.asked["/invocations"] == 35
    assert into.of("traefik_service_requests_total", code="502")[60.0 * 39] == 5
    assert into.of("rows_total")[60.0 * 39] == 35 * 4


def test_a_slow_replica_shows_at_the_gateway_and_costs_no_time(all_flights: pd.DataFrame) -> None:
    into = Written()
    began = time.monotonic()
    replayed(scripted(all_flights, 40, delay_s=np.full(40, 30.0)), Service(), into)
    assert time.monotonic() - began < 10
    slow = into.of("traefik_service_request_duration_seconds_bucket", le="5.0")
    whole = into.of("traefik_service_request_duration_seconds_bucket", le="+Inf")
    assert (slow[60.0 * 39], whole[60.0 * 39]) == (30, 40)


def test_a_service_cannot_speak_for_others(all_flights: pd.DataFrame) -> None:
    lies = (
        'up{job="gateway"} 7\nup 7\n'
        'traefik_service_requests_total{job="gateway",code="500",instance="gateway-0:8082"} 99\n'
    )
    into = Written()
    replayed(scripted(all_flights), Service(exports=lambda _: says(lies)), into)
    assert set(into.of("up", job="gateway").values()) == {1}
    assert set(into.of("up", job="flight-delay", exported_job="gateway").values()) == {7}
    for labels in into.samples:
        by_name = dict(labels)
        if by_name.get("code") == "500":
            assert (by_name["job"], by_name["exported_job"]) == ("flight-delay", "gateway")


# -- a service that exports what it should not


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_on_metrics_is_noted_and_the_replay_goes_on(
    all_flights: pd.DataFrame, what: str
) -> None:
    answer, said = GARBAGE[what]
    into = Written()
    recording = replayed(scripted(all_flights), Service(exports=lambda _: answer), into)
    assert sorted(recording.scrape_problems) == list(range(6))
    for problem in recording.scrape_problems.values():
        assert said in problem
        assert "\n" not in problem
        assert problem.isprintable()
        assert len(problem) < 500
    assert set(into.of("up", job="flight-delay").values()) == {0}
    assert recording.last_scrape == {}
    assert len(recording.exchanges) == 6


def test_a_service_that_exports_nothing_is_up(all_flights: pd.DataFrame) -> None:
    into = Written()
    recording = replayed(scripted(all_flights), Service(exports=lambda _: says("")), into)
    assert recording.scrape_problems == {}
    assert set(into.of("up", job="flight-delay").values()) == {1}
    assert set(into.of("scrape_samples_scraped", job="flight-delay").values()) == {0}


def test_the_last_good_scrape_is_kept(all_flights: pd.DataFrame) -> None:
    exports = iter(["rows_total 1", "rows_total 2", "rows_total x", "rows_total 3", "", "<html>"])
    into = Written()
    service = Service(exports=lambda _: says(next(exports)))
    recording = replayed(scripted(all_flights), service, into)
    assert sorted(recording.scrape_problems) == [2, 5]
    assert recording.last_scrape == {}
    values = into.of("rows_total")
    assert [v for v in values.values() if not is_stale(v)] == [1, 2, 3]
    # It ends where it is not there, once for each time.
    assert [at for at, value in values.items() if is_stale(value)] == [120.0, 240.0]


def test_labels_that_never_repeat_do_not_stop_it(all_flights: pd.DataFrame) -> None:
    def exports(before: int) -> Answer:
        return says("".join(f'x{{id="{before}-{n}"}} 1\n' for n in range(4_000)))

    recording = replayed(scripted(all_flights, 8), Service(exports=exports))
    assert sorted(recording.scrape_problems) == [5, 6, 7]
    assert "never repeats" in recording.scrape_problems[5]


# -- a service that hangs or crawls


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/invocations", "scoring requests"),
        ("/metrics", "/metrics"),
        ("/feedback", "/feedback"),
    ],
)
def test_a_service_that_stops_answering_is_given_up(
    all_flights: pd.DataFrame, path: str, words: str
) -> None:
    labels = [(f"F{tick}", 1, tick) for tick in range(6)]
    service = Service(unanswered={path})
    with pytest.raises(SubmissionFault) as caught:
        replayed(scripted(all_flights, labels=labels), service)
    assert service.asked[path] == HUNG_AFTER
    assert caught.value.expected == f"the service to answer {words}"
    assert UNANSWERED in caught.value.seen


def test_an_erring_gateway_does_not_hide_a_service_that_hangs(all_flights: pd.DataFrame) -> None:
    service = Service(unanswered={"/invocations"})
    script = scripted(all_flights, 20, errors=np.ones(20, dtype=bool))
    with pytest.raises(SubmissionFault):
        replayed(script, service)
    assert service.asked["/invocations"] == HUNG_AFTER


def test_a_service_that_answers_again_is_not_given_up(all_flights: pd.DataFrame) -> None:
    turns = itertools.cycle([None, None, 200])

    def exports(_: int) -> Answer:
        return says("rows_total 1") if next(turns) else Answer(None, b"", "", 9.0, UNANSWERED)

    recording = replayed(scripted(all_flights, 9), Service(exports=exports))
    assert sorted(recording.scrape_problems) == [0, 1, 3, 4, 6, 7]
    assert UNANSWERED in recording.scrape_problems[0]


@pytest.mark.parametrize("path", ["/metrics", "/invocations"])
def test_a_real_service_that_hangs_costs_three_time_outs(
    all_flights: pd.DataFrame, path: str
) -> None:
    with http_service(hangs_on=[path]) as (_, url):
        began = time.monotonic()
        with pytest.raises(SubmissionFault, match=r"no answer within 0\.2 s"):
            replayed(scripted(all_flights, 40), Client(url, timeout_s=0.2))
        assert 0.6 <= time.monotonic() - began < 5


def clocked(monkeypatch: pytest.MonkeyPatch, seconds_per_request: float) -> Callable[[], None]:
    """A clock that goes by as the service is asked; nobody waits."""
    now = [1_000.0]

    def pass_by() -> None:
        now[0] += seconds_per_request

    monkeypatch.setattr(episode, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return pass_by


def test_a_slow_service_runs_into_the_time_limit(
    all_flights: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two requests a tick: 1.2 s where 1 s is allowed, on the whole.
    service = Service(every=clocked(monkeypatch, 0.6))
    with pytest.raises(SubmissionFault) as caught:
        replayed(scripted(all_flights, 200), service)
    assert "at most 1 s a tick" in caught.value.expected
    assert caught.value.seen == "167 of 200 ticks when time was up"


def test_a_short_replay_has_a_minute_however_slow(
    all_flights: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(every=clocked(monkeypatch, 4.9))
    assert len(replayed(scripted(all_flights), service).exchanges) == 6
    with pytest.raises(SubmissionFault, match="5 of 6 ticks"):
        replayed(scripted(all_flights), Service(every=clocked(monkeypatch, 6.1)))


# -- who waits


def test_every_tick_is_told_with_its_simulated_time(all_flights: pd.DataFrame) -> None:
    told: list[tuple[str, str, int, int]] = []

    class Listener:
        def tick(self, name: str, now: pd.Timestamp, done: int, of: int) -> None:
            told.append((name, f"{now:%H:%M}", done, of))

    episode.replay(
        scripted(all_flights, ticks=3, tick_s=3_600.0),
        Service(),  # type: ignore[arg-type]
        Written(),  # type: ignore[arg-type]
        name="a day",
        seed=1,
        rows_per_request=60,
        progress=Listener(),
    )
    # Nine o'clock UTC is five in a summer of New York.
    assert told == [("a day", f"0{5 + n}:00", n + 1, 3) for n in range(3)]
