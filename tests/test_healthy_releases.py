"""The healthy service goes back and forth between versions while customers ask.

One service beside one registry, with a release of each kind that matters. Tests go on in their
order: each begins with what the one before left behind.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import compose, models, registry, scenario, stack
from sandbox.grading.records import missing
from sandbox.grading.sequences import noticed, part, untruths
from sandbox.models import Kind
from sandbox.probes import rollbacks
from sandbox.probes.rollbacks import Questions, Traffic
from sandbox.runtimes import open_runtime
from sandbox.stack import Stack
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from sandbox.references import Reference

pytestmark = pytest.mark.slow

SETTING = scenario.load("skewed_preprocessing")
SHIFTED, GOOD, SLOW, CRASHING = "2", "3", "4", "5"
NUMBERS = {
    Kind.SHIFTED: SHIFTED,
    Kind.GOOD: GOOD,
    Kind.SLOW_TO_LOAD: SLOW,
    Kind.CRASHING: CRASHING,
}
WITHIN_S = 20.0


@dataclass
class Site:
    """The running services, and what is needed to end and to begin them."""

    stack: Stack
    folder: Path
    questions: Questions

    @property
    def registry_url(self) -> str:
        return self.stack.registry.url

    def start_registry(self) -> None:
        port = int(self.registry_url.rpartition(":")[2])
        server = registry.launch(self.stack.runtime, self.folder, port)
        server.wait_ready()
        self.stack = Stack(self.stack.runtime, server, self.stack.model, self.stack.workspace)

    def start_service(self) -> None:
        port = int(self.stack.model.url.rpartition(":")[2])
        spec = stack.service_spec(SETTING, self.stack.workspace, self.registry_url, port)
        service = self.stack.runtime.start(spec)
        self.stack = Stack(self.stack.runtime, self.stack.registry, service, self.stack.workspace)

    def traffic(self) -> Traffic:
        return Traffic(self.stack.model.url, self.questions)

    def back(self, traffic: Traffic, to: str, by: str, why: str = "it is wrong") -> dict[str, Any]:
        return rollbacks.rollback(self.stack, traffic, to, by=by, why=why)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, all_flights: pd.DataFrame, champion: Reference
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("releases")
    workspace = compose.compose_healthy(folder / "workspace")
    kept = stack.copy_registry(models.catalogue(), folder / "registry")
    rows = all_flights.iloc[200_000:200_160]
    held = {
        "1": champion,
        SHIFTED: rollbacks.reference(Kind.SHIFTED, champion),
        GOOD: rollbacks.reference(Kind.GOOD, champion),
    }
    with (
        open_runtime("process") as runtime,
        stack.running_stack(runtime, SETTING, workspace, kept) as running,
    ):
        for kind, number in NUMBERS.items():
            assert models.register(running.registry.url, kind) == number
        yield Site(running, kept, Questions.about(rows, held))


def test_a_promotion_is_followed_and_a_rollback_is_not_noticed(site: Site) -> None:
    with site.traffic() as traffic:
        traffic.watch(0.3)
        registry.point_champion(site.registry_url, SHIFTED)
        assert traffic.sees(SHIFTED, WITHIN_S)
        back = site.back(traffic, "1", "amina", "scores are off\nby a tenth")
        assert (back["status"], traffic.answering()) == (0, "1"), back["tail"]
        record = rollbacks.wait_for_record(site.registry_url, "1", "amina", WITHIN_S)
        traffic.watch(1.0)
    assert json.loads(back["tail"]) == {"version": "1", "previous": "2", "answering": "1"}
    assert missing(record, back, previous=SHIFTED) == ""
    runs = traffic.runs()
    assert noticed(runs, ["1", SHIFTED, "1"]) == ""
    assert noticed(part(runs, back["last"]), ["1"]) == ""
    assert untruths(runs) == 0


def test_again_nothing_changes(site: Site) -> None:
    before = registry.entries(site.registry_url)
    with site.traffic() as traffic:
        assert site.back(traffic, "1", "björn")["status"] == 0
        for nobody in ("99", "1.5", "champion"):
            assert site.back(traffic, nobody, "björn")["status"] == 2, nobody
        traffic.watch(1.0)
    assert registry.entries(site.registry_url) == before
    assert noticed(traffic.runs(), ["1"]) == ""


def test_a_release_that_crashes_never_answers(site: Site) -> None:
    with site.traffic() as traffic:
        # Ordered, it is refused, and nothing has changed.
        assert site.back(traffic, CRASHING, "chen-li")["status"] == 1
        assert registry.entries(site.registry_url)["champion"] == "1"
        registry.point_champion(site.registry_url, CRASHING)
        traffic.watch(2.5)
        back = site.back(traffic, GOOD, "chen-li")
        assert back["status"] == 0, back["tail"]
        record = rollbacks.wait_for_record(site.registry_url, GOOD, "chen-li", WITHIN_S)
    assert missing(record, back, previous=CRASHING) == ""
    assert noticed(traffic.runs(), ["1", GOOD]) == ""


def test_what_still_answers_can_be_made_champion_again(site: Site) -> None:
    with site.traffic() as traffic:
        registry.point_champion(site.registry_url, CRASHING)
        traffic.watch(1.5)
        back = site.back(traffic, GOOD, "dora")
        assert back["status"] == 0, back["tail"]
        record = rollbacks.wait_for_record(site.registry_url, GOOD, "dora", WITHIN_S)
    assert missing(record, back, previous=CRASHING) == ""
    assert noticed(traffic.runs(), [GOOD]) == ""


def test_a_release_under_way_does_not_overtake(site: Site) -> None:
    with site.traffic() as traffic:
        registry.point_champion(site.registry_url, SLOW)
        traffic.watch(0.3)
        back = site.back(traffic, SHIFTED, "eva")
        assert back["status"] == 0, back["tail"]
        # The slow one predicts what version 1 does.
        traffic.watch(0.5)
        assert not traffic.sees("1", 12.0)
    assert noticed(traffic.runs(), [GOOD, SHIFTED], [GOOD, "1", SHIFTED]) == ""
    assert noticed(part(traffic.runs(), back["last"]), [SHIFTED]) == ""
    assert registry.entries(site.registry_url)["champion"] == SHIFTED


def test_without_the_registry_it_goes_back_starts_again_and_owes_the_record(site: Site) -> None:
    site.stack.registry.kill()
    with site.traffic() as traffic:
        back = site.back(traffic, "1", "franz")
        assert (back["status"], traffic.answering()) == (0, "1"), back["tail"]
        # What it never served is not here, and nobody has it.
        assert site.back(traffic, "6", "franz")["status"] == 1
        traffic.watch(1.0)
    assert noticed(traffic.runs(), [SHIFTED, "1"]) == ""
    site.stack.model.kill()
    site.start_service()
    with site.traffic() as traffic:
        traffic.watch(1.0)
        site.start_registry()
        record = rollbacks.wait_for_record(site.registry_url, "1", "franz", WITHIN_S)
        traffic.watch(1.5)
    # The registry's old opinion never counted.
    assert noticed(traffic.runs(), ["1"]) == ""
    assert missing(record, back, previous=SHIFTED) == ""


def test_afterwards_the_next_promotion_wins(site: Site) -> None:
    # What lies in the store under that number is another registry's.
    store = site.stack.workspace / ".releases"
    shutil.rmtree(store / GOOD)
    shutil.copytree(store / SHIFTED, store / GOOD)
    with site.traffic() as traffic:
        traffic.watch(0.3)
        registry.point_champion(site.registry_url, GOOD)
        assert traffic.sees(GOOD, WITHIN_S)
        traffic.watch(1.5)
    assert noticed(traffic.runs(), ["1", GOOD]) == ""


def test_a_pinned_replica_takes_no_orders(site: Site) -> None:
    spec = stack.service_spec(
        SETTING, site.stack.workspace.with_name("pinned"), site.registry_url, version="1"
    )
    compose.compose_healthy(spec.workdir)
    wanted = {"version": "2", "by": "gil", "at": "2026-01-01T00:00:00+00:00", "why": "x"}
    with site.stack.runtime.start(spec) as pinned:
        client = Client(pinned.url)
        answer = client.ask("POST", "/release", json.dumps(wanted).encode())
        assert (answer.status, rollbacks.told(pinned.url)) == (409, "1")
        assert client.ask("POST", "/release", b'{"version": "2"}').status == 422
