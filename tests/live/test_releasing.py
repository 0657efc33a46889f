"""A release in the live session: what is asked for, what is told, what runs afterwards."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import scenario, script
from sandbox.errors import HarnessFault, UsageError
from sandbox.live import releasing, session
from sandbox.live.releasing import Site
from sandbox.live.session import State
from sandbox.traffic import router
from sandbox.traffic.client import Client
from sandbox.traffic.router import STABLE, Share
from tests.stands import MANIFEST, Stand, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    from sandbox.runtimes.base import Runtime
    from sandbox.script import Script
    from sandbox.shipping import Replica

RUNNING = State(1, "reckless_canary", "1", "/w", "running", releases=("1", "2", "3"), version="1")


class Launching:
    """A runtime that starts a stand in the place of a model service."""

    def __init__(self, real: Runtime, canary: Replica) -> None:
        self._real, self._canary = real, canary

    def start(self, spec: Any) -> Any:
        return self._real.start(spec)

    def launch(self, spec: Any) -> Any:
        assert spec.environment["MODEL_URI"] == f"models:/flight-delay/{self._canary.version}"
        return self._canary.service


@pytest.fixture
def customers(all_flights: pd.DataFrame) -> Script:
    return script.requested(
        all_flights,
        "2013-07-09 09:00",
        20,
        tick_s=10,
        requests_per_tick=20,
        rows_per_request=releasing.ROWS_PER_REQUEST,
        seed=1,
    )


@pytest.fixture
def live(
    runtime: Runtime, customers: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Replica | None, releasing.Told, str]]]:
    """Ships a stand; gives what took over, what was told last, and who answers afterwards."""
    monkeypatch.setattr(releasing, "FILE", tmp_path / "release.json")
    (tmp_path / "deploy").mkdir()
    with ExitStack() as ends:

        def ship(canary: Stand, manifest: str = MANIFEST, stopped: bool = False) -> Any:
            (tmp_path / "deploy/rollout.yaml").write_text(manifest)
            stable, new = (
                ends.enter_context(answering(stand)) for stand in (Stand("1", 0.3), canary)
            )
            folder = tmp_path / "router"
            folder.mkdir()
            entrance = ends.enter_context(router.running(runtime, folder))
            entrance.route({STABLE: Share(stable.service.url, 100)})
            setting = scenario.load("reckless_canary")
            site = Site(
                setting,
                tmp_path,
                Launching(runtime, new),  # type: ignore[arg-type]
                entrance,
                "http://127.0.0.1:1",
                tmp_path,
                lambda: stopped,
            )
            promoted = releasing.ship(site, canary.version, customers, stable)
            told = releasing._read()
            assert told is not None
            asked = Client(entrance.url).score([{"flight_id": "F1"}])
            return promoted, told, asked.version

        yield ship


def test_what_is_promoted_takes_over(live) -> None:
    canary = Stand("2", 0.31)
    promoted, told, answers = live(canary)
    assert promoted is not None
    assert (promoted.version, answers) == ("2", "2")
    assert (told.phase, told.problem, told.rollout["outcome"]) == ("over", "", "promoted")
    assert not canary.stopped


def test_what_is_aborted_is_gone(live) -> None:
    canary = Stand("2", 0.9)
    promoted, told, answers = live(canary)
    assert (promoted, answers) == (None, "1")
    assert (told.phase, told.rollout["outcome"]) == ("over", "aborted")
    assert canary.stopped


def test_what_waits_for_ever_is_taken_back_in_the_end(live) -> None:
    promoted, told, answers = live(
        Stand("2", 0.31), MANIFEST.replace("pause: {duration: 40s}", "pause: {}")
    )
    assert (promoted, answers, told.rollout["outcome"]) == (None, "1", "")
    assert "taken back" in told.problem


def test_a_manifest_that_is_refused_is_told_with_all_that_is_wrong(live) -> None:
    wrong = MANIFEST.replace("setWeight: 10", "setWeigth: 10").replace(
        "- name: mean", "- nam: mean"
    )
    canary = Stand("2", 0.31)
    promoted, told, answers = live(canary, wrong)
    assert (promoted, answers, told.phase) == (None, "1", "over")
    assert "setWeigth" in told.problem
    assert "nam" in told.problem
    assert len(told.problem.splitlines()) > 1
    assert canary.asked == []


def test_it_stops_with_the_session(live) -> None:
    canary = Stand("2", 0.31)
    promoted, told, _ = live(canary, stopped=True)
    assert (promoted, told.problem) == (None, "the live session ended")
    assert canary.stopped


@pytest.mark.parametrize(
    ("state", "version", "words"),
    [
        (None, "v2", "a take-home that runs"),
        (RUNNING, "v9", "there are: v1, v2, v3"),
        (RUNNING, "1", "another version than the one in production"),
        (replace(RUNNING, releases=()), "v2", "there are: none"),
    ],
)
def test_what_cannot_be_asked_for(monkeypatch, tmp_path, state, version, words) -> None:
    monkeypatch.setattr(releasing, "FILE", tmp_path / "release.json")
    monkeypatch.setattr(session, "running", lambda: state)
    with pytest.raises(UsageError, match=words):
        next(releasing.ask(version))
    assert releasing.asked_for() == ""


def test_one_release_at_a_time_and_the_end_of_the_session_is_told(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(releasing, "FILE", tmp_path / "release.json")
    alive = [RUNNING, None]
    monkeypatch.setattr(session, "running", lambda: alive.pop(0))
    with pytest.raises(HarnessFault, match="the end of the live session"):
        next(releasing.ask("v2"))
    assert releasing.asked_for() == "2"
    monkeypatch.setattr(session, "running", lambda: RUNNING)
    with pytest.raises(UsageError, match="v2, which is asked"):
        next(releasing.ask("v3"))
