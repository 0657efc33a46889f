"""The gateway: turns, what it answers itself, and metrics that say what it forwarded."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from sandbox.faults import REPLICAS
from sandbox.telemetry.exposition import Exposition
from sandbox.traffic.client import Exchange
from sandbox.traffic.gateway import BUCKETS, Gateway, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS = "traefik_service_requests_total"
SECONDS = "traefik_service_request_duration_seconds"
ROUNDS = 25


def answered(status: int | None = 200) -> Exchange:
    predictions = [0.5] * 3 if status == 200 else None
    return Exchange(3, status, predictions, "1", 7.0, "" if predictions else "it broke")


def scraped(gateway: Gateway) -> dict[tuple[str, ...], float]:
    """Values by name, status and, of a bucket, its bound."""
    answer = gateway.metrics()
    assert (answer.status, answer.problem) == (200, "")
    found = {}
    for labels, value in Exposition().parse(answer.body).items():
        by_name = dict(labels)
        key = [by_name["__name__"], by_name["code"], *([by_name["le"]] if "le" in by_name else [])]
        found[tuple(key)] = value
    return found


def asked(gateway: Gateway, times: int, **how: Trouble) -> tuple[list[Exchange], int]:
    """The exchanges, and how many of them the service knows about."""
    knows = itertools.count()

    def ask() -> Exchange:
        next(knows)
        return answered()

    seen = [gateway.forward(ask, 3, **how) for _ in range(times)]
    return seen, next(knows)


def test_an_answer_is_handed_on_as_it_is() -> None:
    gateway, mine = Gateway(1), answered()
    assert gateway.forward(lambda: mine, 3) is mine


def test_one_replica_of_all_errs_and_nobody_is_asked_then() -> None:
    gateway = Gateway(1)
    seen, known = asked(gateway, ROUNDS * REPLICAS, last=Trouble(errs=True))
    assert known == ROUNDS * (REPLICAS - 1)
    bad = [number for number, exchange in enumerate(seen) if exchange.status == 502]
    assert len(bad) == ROUNDS
    assert {b - a for a, b in itertools.pairwise(bad)} == {REPLICAS}
    for number in bad:
        assert (seen[number].rows, seen[number].predictions) == (3, None)
        assert "502" in seen[number].problem


def test_replicas_keep_their_turns_while_one_errs_and_afterwards() -> None:
    gateway = Gateway(1)
    asked(gateway, 1)
    seen, _ = asked(gateway, REPLICAS, last=Trouble(errs=True))
    assert [exchange.status for exchange in seen].index(502) == REPLICAS - 2
    seen, known = asked(gateway, REPLICAS)
    assert known == REPLICAS
    assert {exchange.status for exchange in seen} == {200}


def test_what_is_counted_is_what_was_forwarded() -> None:
    gateway = Gateway(1)
    asked(gateway, ROUNDS * REPLICAS, last=Trouble(errs=True))
    for status in (500, 500, 422, None):
        gateway.forward(lambda status=status: answered(status), 3)
    seen = scraped(gateway)
    wanted = {"200": 75, "502": 25, "500": 2, "422": 1, "504": 1}
    assert {key[1]: value for key, value in seen.items() if key[0] == REQUESTS} == wanted
    assert {k[1]: v for k, v in seen.items() if k[0] == f"{SECONDS}_count"} == wanted
    assert {k[1]: v for k, v in seen.items() if k[-1] == "+Inf"} == wanted


def test_a_slow_replica_shows_in_the_buckets_and_nowhere_else() -> None:
    gateway = Gateway(1)
    asked(gateway, ROUNDS * REPLICAS, last=Trouble(delay_s=1.0))
    seen = scraped(gateway)
    bucket = {key[-1]: value for key, value in seen.items() if key[0] == f"{SECONDS}_bucket"}
    # Three quarters as ever, far below a tenth of a second, the others a second later.
    assert bucket == {"0.1": 75, "0.3": 75, "1.2": 100, "5.0": 100, "+Inf": 100}
    assert 25 < seen[f"{SECONDS}_sum", "200"] < 25 + 100 * 0.1


def test_the_machine_s_own_pace_does_not_show() -> None:
    def slowly() -> Exchange:
        return Exchange(3, 200, [0.5] * 3, "1", 9_000.0, "")

    gateway = Gateway(1)
    for _ in range(20):
        gateway.forward(slowly, 3)
    assert scraped(gateway)[f"{SECONDS}_bucket", "200", str(BUCKETS[0])] == 20


@pytest.mark.parametrize("how", [{}, {"last": Trouble(errs=True)}, {"last": Trouble(delay_s=0.8)}])
def test_what_it_reports_is_told_by_its_seed(how: dict[str, Trouble]) -> None:
    def report(seed: int) -> dict[tuple[str, ...], float]:
        gateway = Gateway(seed)
        asked(gateway, 40, **how)
        return scraped(gateway)

    assert report(3) == report(3)
    assert report(3) != report(4)


def test_names_and_labels_are_those_of_traefik() -> None:
    # Traefik's documentation, "Service metrics": code, method, protocol, service.
    gateway = Gateway(1)
    asked(gateway, 1)
    names = set()
    for labels in Exposition().parse(gateway.metrics().body):
        by_name = dict(labels)
        names.add(by_name.pop("__name__"))
        by_name.pop("le", None)
        assert by_name == {
            "service": "flight-delay",
            "code": "200",
            "method": "POST",
            "protocol": "http",
        }
    assert names == {REQUESTS, *(f"{SECONDS}_{part}" for part in ("bucket", "sum", "count"))}
    assert BUCKETS == (0.1, 0.3, 1.2, 5.0)


def test_before_any_request_there_is_nothing_to_say() -> None:
    assert scraped(Gateway(1)) == {}


def test_a_service_that_raises_is_not_counted() -> None:
    def raising() -> Exchange:
        raise RuntimeError("given up")

    gateway = Gateway(1)
    ask: Callable[[], Exchange] = raising
    with pytest.raises(RuntimeError):
        gateway.forward(ask, 3)
    assert scraped(gateway) == {}


def test_a_stray_request_goes_wrong_whichever_replica_gets_it() -> None:
    gateway = Gateway(1)
    for stray in (Trouble(errs=True), Trouble(delay_s=1.0)):
        exchange = gateway.forward(answered, 3, stray=stray)
        assert exchange.status == (502 if stray.errs else 200)
    seen, known = asked(gateway, REPLICAS)
    assert known == REPLICAS
    bucket = {key[-1]: value for key, value in scraped(gateway).items() if "200" in key}
    assert (bucket["0.3"], bucket["1.2"]) == (REPLICAS, REPLICAS + 1)
    assert {exchange.status for exchange in seen} == {200}
