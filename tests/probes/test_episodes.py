"""An episode as evidence: what fired, what it did to the champion, and whose fault it was."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from sandbox import faults
from sandbox.episode import Recording
from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.probes import episodes
from sandbox.scenario import Telemetry
from sandbox.telemetry.series import series
from sandbox.traffic.client import Exchange
from tests.replays import Service, http_service, scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.runtimes.base import Runtime
    from sandbox.script import Script

RULES = """
groups:
  - name: some
    rules:
      - record: job:rows:rate
        expr: rate(rows_total[3m])
      - alert: Far
        expr: mean_distance > 900
        for: 1m
        labels: {severity: page}
        annotations: {summary: "Flights are far, {{ $value }} miles"}
      - alert: Never
        expr: no_such_metric > 0
"""
FAR = 4_000.0


@dataclass
class Replica:
    url: str


class Champion:
    """Predicts by distance, as the services here do."""

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return (rows["distance"] / 1_000).clip(upper=1).to_numpy()


@dataclass
class FakeStage:
    """What `episodes.run` uses of a stage."""

    runtime: Runtime
    scratch: Path
    submitted: Path
    url: str = ""
    fault: Exception | None = None
    telemetry: Telemetry | None = field(
        default_factory=lambda: Telemetry(rules="alerts.yaml", scrape_interval_s={"day": 60})
    )
    champion: Champion = field(default_factory=Champion)
    progress: None = None

    def __post_init__(self) -> None:
        self.scenario = self.variant = self
        self.replicas = 0

    def number(self, purpose: str) -> int:
        return len(purpose)

    @contextmanager
    def replica(self) -> Iterator[Replica]:
        self.replicas += 1
        if self.fault:
            raise self.fault
        yield Replica(self.url)


@pytest.fixture
def stage(runtime: Runtime, tmp_path: Path) -> FakeStage:
    (tmp_path / "submitted").mkdir()
    (tmp_path / "submitted/alerts.yaml").write_text(RULES)
    return FakeStage(runtime, tmp_path, tmp_path / "submitted")


def far(script: Script, noise: np.random.Generator) -> Script:
    """From the fifth tick on every flight goes far."""

    def change(rows: pd.DataFrame, _: pd.DataFrame, __: np.random.Generator) -> pd.DataFrame:
        return rows.assign(distance=FAR)

    onset = faults.Onset("far", ("distance",), "flights go far", 300.0)
    return faults._in_feed(onset, change)(script, noise)


def exporting(counts: Service) -> str:
    """Counts, and a mean that the fault moves after four ticks, beginning with the sixth."""
    return f"{counts.text()}mean_distance {1_000 if counts.rows > 20 else 500}\n"


def run(
    stage: FakeStage,
    flights: pd.DataFrame,
    metrics: Callable[[Service], str | bytes] = exporting,
    status: int = 200,
    **how: Any,
) -> dict[str, Any]:
    clean = scripted(flights, ticks=12, rows_per_tick=4)
    with http_service(metrics=metrics, status=status) as (_, stage.url):
        seen = episodes.run(stage, "a day", clean, **how)  # type: ignore[arg-type]
    # What it gives is plain JSON, whatever the service said.
    plain: dict[str, Any] = json.loads(json.dumps(seen, allow_nan=False))
    return plain


# -- what there is to see


def test_an_episode_says_what_fired_and_when(stage: FakeStage, all_flights: pd.DataFrame) -> None:
    seen = run(stage, all_flights, fault=far, explained=True)
    assert seen["faults"] == [
        {
            "kind": "far",
            "subject": ["distance"],
            "words": "flights go far",
            "start_s": 300.0,
            "until_s": None,
        }
    ]
    assert (seen["alerts"]["problem"], seen["alerts"]["unrecorded"]) == ("", {})
    by_name = {rule["alert"]: rule for rule in seen["alerts"]["rules"]}
    assert list(by_name) == ["Far", "Never"]
    # True from the sixth tick, at 300 s, on; it fires a minute later and goes on to the end.
    (firing,) = by_name["Far"]["firings"]
    assert (firing["start_s"], firing["end_s"]) == (360.0, None)
    assert firing["labels"]["instance"] == "flight-delay-0:8080"
    assert by_name["Far"]["severity"] == "page"
    assert "Flights are far" in by_name["Far"]["annotations"]["summary"]
    # Only a rule that did not fire needs a reason.
    assert by_name["Far"]["why"] == ""
    assert "no_such_metric" in by_name["Never"]["why"]
    assert by_name["Never"]["firings"] == []
    assert stage.replicas == 1


def test_what_a_fault_does_is_measured_with_the_harness_s_own_champion(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    seen = run(stage, all_flights, fault=far)
    late = scripted(all_flights, 12).events.iloc[20:]
    before = Champion().predict(late).mean()
    assert seen["effect"]["mean_prediction"] == pytest.approx(1 - before)
    # All predictions alike order nothing.
    clean_area = episodes.auc(late["late"], Champion().predict(late))
    assert seen["effect"]["auc"] == pytest.approx(0.5 - clean_area)
    assert {rule["why"] for rule in seen["alerts"]["rules"]} == {""}


def test_an_ordinary_episode_has_no_fault_and_no_effect(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    seen = run(stage, all_flights, metrics=Service.text)
    assert (seen["faults"], seen["effect"]) == ([], None)
    assert (seen["ticks"], seen["tick_s"], seen["rows"]) == (12, 60.0, 48)
    assert seen["answers"]["tick"] == list(range(12))
    assert seen["answers"]["rows"] == [4] * 12
    assert set(seen["answers"]["status"]) == {200}
    assert seen["answers"]["problems"] == {}
    assert seen["scrapes"] == seen["feedback"] == {"failed": 0, "problem": ""}
    assert seen["pictured"]["inputs"] == {}


def test_more_can_be_asked_while_prometheus_runs(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    def ask(server: Any, recording: Recording) -> dict[str, Any]:
        end = recording.script.start.timestamp() + recording.script.end_s
        return {"rows_scraped": server.query("rows_total", end)[0].value}

    assert run(stage, all_flights, ask=ask)["rows_scraped"] == 48


def test_a_recording_rule_that_cannot_be_evaluated_is_told_to_who_reads_its_result(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    own = "last_over_time(own:rows[5m]) or rows_total"
    (stage.submitted / "alerts.yaml").write_text(
        f"groups: [{{name: g, rules: [{{record: 'own:rows', expr: '{own}'}}, "
        "{alert: Many, expr: 'own:rows > 1'}]}]"
    )
    alerts = run(stage, all_flights, explained=True)["alerts"]
    problem = "reads own:rows, the result of own:rows, which is its own"
    assert (alerts["problem"], alerts["unrecorded"]) == ("", {"own:rows": problem})
    assert f"own:rows could not be recorded: {problem}" in alerts["rules"][0]["why"]


def test_answers_are_right_where_they_are_the_champion_s(all_flights: pd.DataFrame) -> None:
    script = scripted(all_flights, ticks=4, rows_per_tick=5)
    champion = Champion()
    expected = champion.predict(script.events).tolist()
    parts = [expected[:5], [0.5] * 5, None, expected[15:]]
    exchanges = [
        (tick, Exchange(5, 200 if part else 422, part, "1", 1.0, ""))
        for tick, part in enumerate(parts)
    ]
    stage: Any = SimpleNamespace(champion=champion)
    assert episodes.right(stage, Recording(script, exchanges)) == 0.5


# -- whose fault it is


BAD = {
    "garbage": ("<html>", 200, "cannot be read"),
    "bytes": (b"\xff\xfe\x1b]0;x\x07 1\n", 200, "cannot be read"),
    "too many series": ("".join(f'x{{n="{n}"}} 1\n' for n in range(10_000)), 200, "sample_limit"),
    "not found": ("no", 404, "status 404"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_service_that_cannot_be_scraped_is_the_submission_s_fault(
    stage: FakeStage, all_flights: pd.DataFrame, what: str
) -> None:
    text, status, said = BAD[what]
    with pytest.raises(SubmissionFault) as caught:
        run(stage, all_flights, lambda _: text, status)
    assert said in caught.value.seen
    assert "/metrics" in caught.value.expected
    assert str(caught.value).isprintable()


def test_a_service_that_exports_nothing_gets_silent_alerts(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    seen = run(stage, all_flights, lambda _: "")
    assert seen["scrapes"]["failed"] == 0
    assert [rule["firings"] for rule in seen["alerts"]["rules"]] == [[], []]


def test_scrapes_that_fail_now_and_then_are_counted(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    seen = run(stage, all_flights, lambda c: c.text() if c.rows != 8 else "rows_total ?")
    assert seen["scrapes"]["failed"] == 1
    assert "cannot be read" in seen["scrapes"]["problem"]


def test_scrapes_that_the_script_loses_are_no_fault_of_the_service(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    seen = run(stage, all_flights, fault=faults.scrape_lost(start_s=0.0))
    assert seen["scrapes"] == {"failed": 0, "problem": ""}


@pytest.mark.parametrize("text", [None, "groups: [", "groups: 7", "\x00", b"\xff\xfe"])
def test_a_rule_file_that_cannot_be_used_is_said(
    stage: FakeStage, all_flights: pd.DataFrame, text: str | bytes | None
) -> None:
    path = stage.submitted / "alerts.yaml"
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    seen = run(stage, all_flights)
    assert seen["alerts"]["problem"]
    assert seen["alerts"]["rules"] == []


def test_a_replica_that_does_not_start_is_the_submission_s_fault(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    stage.fault = SubmissionFault(expected="readiness", seen="an end with status 1")
    with pytest.raises(SubmissionFault, match="status 1"):
        run(stage, all_flights)


def test_a_scenario_without_telemetry_cannot_have_episodes(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    stage.telemetry = None
    with pytest.raises(HarnessFault, match="telemetry"):
        run(stage, all_flights)


# -- in parts


def recording(script: Script, *exchanges: tuple[int, Exchange]) -> Recording:
    return Recording(script, list(exchanges))


def given(rows: int, *predictions: float, problem: str = "", version: str = "1") -> Exchange:
    status = None if problem.startswith("no answer") else 200
    return Exchange(rows, status, list(predictions) or None, version, 1.234, problem)


def test_what_was_served_stands_by_its_event(all_flights: pd.DataFrame) -> None:
    script = scripted(all_flights, ticks=2, rows_per_tick=3)
    seen = recording(
        script,
        (0, given(2, 0.1, 0.2)),
        (0, given(1, problem="no answer")),
        (1, given(3, *[0.5] * 3)),
    )
    assert np.array_equal(episodes.served(seen), [0.1, 0.2, np.nan, 0.5, 0.5, 0.5], equal_nan=True)


def test_answers_keep_the_commonest_problems_and_no_more(all_flights: pd.DataFrame) -> None:
    script = scripted(all_flights)
    said = ["a"] * 3 + ["no answer"] * 2 + [f"odd {n}" for n in range(30)] + ["long " * 500] * 4
    seen = episodes.answers(
        recording(script, *[(0, given(1, problem=text, version=text[:1])) for text in said])
    )
    assert len(seen["problems"]) == episodes.PROBLEMS_KEPT
    (first, often), (second, thrice), *_ = seen["problems"].items()
    assert (len(first), often, second, thrice) == (200, 4, "a", 3)
    assert seen["status"].count(None) == 2
    assert seen["version"] == ["a", "l", "n", "o"]


def test_samples_of_one_metric_with_their_labels(all_flights: pd.DataFrame) -> None:
    last = {
        series("x", {"a": "1"}): 2.0,
        series("x", {"a": "2"}): 3.0,
        series("xy", {"a": "1"}): 4.0,
    }
    seen = Recording(scripted(all_flights), last_scrape=last)
    assert episodes.last_samples(seen, "x") == [({"a": "1"}, 2.0), ({"a": "2"}, 3.0)]
    assert episodes.last_samples(seen, "y") == []
    # What is there stays as it is.
    assert last == dict(seen.last_scrape)


def test_pictures_get_every_ten_minutes_of_what_is_concerned(all_flights: pd.DataFrame) -> None:
    clean = scripted(all_flights, ticks=8, rows_per_tick=10, tick_s=300.0)
    noise = np.random.default_rng(1)
    gone = faults.nulls(("temp", "dewp"), 1.0, start_s=1_200.0)
    new = faults.unknown_category("carrier", "ZW", 1.0, start_s=1_800.0)
    script = faults.together(gone, new)(clean, noise)
    seen = episodes.pictured(
        clean, recording(script, *[(t, given(10, *[0.25] * 10)) for t in range(8)])
    )
    assert seen["at_s"] == [0, 600, 1_200, 1_800]
    assert seen["rows"] == [20] * 4
    assert seen["prediction"] == [0.25] * 4
    assert sorted(seen["inputs"]) == ["carrier", "dewp", "temp"]
    temp, carrier = seen["inputs"]["temp"], seen["inputs"]["carrier"]
    assert temp["missing"] == [0, 0, 1, 1]
    assert temp["p50"][:2] == pytest.approx(
        [clean.events["temp"].iloc[n : n + 20].median() for n in (0, 20)]
    )
    assert temp["p5"][2:] == [None, None]
    assert carrier["other"] == [0, 0, 0, 1]
    assert len(carrier["shares"]) == 3
    assert [shares[3] for shares in carrier["shares"].values()] == [0, 0, 0]
    json.dumps(seen, allow_nan=False)


def test_a_tick_longer_than_ten_minutes_is_a_point_of_its_own(all_flights: pd.DataFrame) -> None:
    script = scripted(all_flights, ticks=3, rows_per_tick=2, tick_s=3_600.0)
    silent = recording(script, *[(t, given(2, problem="no answer")) for t in range(3)])
    seen = episodes.pictured(script, silent)
    assert seen["at_s"] == [0, 3_600, 7_200]
    assert seen["prediction"] == [None] * 3


def test_a_fault_is_the_same_whenever_it_is_asked_for(
    stage: FakeStage, all_flights: pd.DataFrame
) -> None:
    fault = faults.nulls(("temp",), 0.5, start_s=0.0)
    clean = scripted(all_flights, 30, 10)
    events = [
        episodes.faulted(stage, name, clean, fault).events  # type: ignore[arg-type]
        for name in ("a day", "a day", "another day")
    ]
    pd.testing.assert_frame_equal(events[0], events[1])
    assert not events[0].equals(events[2])
