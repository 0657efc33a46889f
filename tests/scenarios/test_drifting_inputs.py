"""drifting_inputs, measured: what each fault does to the real champion, and what the recording of
each variant holds. And whether ticket, plan and checks say the same.
"""

from __future__ import annotations

import itertools
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml

from sandbox import diagnosis, flights, paths, references, scenario, script, variant
from sandbox.grading.alarms import PAGE, TICKET, timeliness
from sandbox.probes import distributions, episodes
from sandbox.scenario import Choice
from sandbox.system import modules
from sandbox.variant import Variant

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from sandbox.references import Reference
    from sandbox.script import Script

SETTING = scenario.load("drifting_inputs")
GRADERS = paths.GRADERS / SETTING.name
TRUTH = GRADERS / "truth.yaml"
TICKET_TEXT = " ".join(
    (SETTING.folder / "TICKET.md").read_text("utf-8").replace("\n>", " ").split()
)
SEEDS = ("1", "2", "3")
CHOICES = {
    name: space.choice for name, space in SETTING.variant.items() if isinstance(space, Choice)
}
VARIANTS = list(itertools.product(CHOICES["sensor_incident"], CHOICES["feed_incident"]))


def loaded(path: Path) -> ModuleType:
    return modules.module_from(
        path.read_text("utf-8"), f"{path.parent.name}_{path.stem}", str(path)
    )


PLAN, DATA = loaded(GRADERS / "plan.py"), loaded(SETTING.folder / "data.py")
ALERTS = loaded(GRADERS / "test_alerts.py")
EXPORTS = loaded(GRADERS / "test_distributions.py")


# -- the faults of the hidden plan


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PLAN.FAULTS)
def test_a_fault_has_the_effect_it_is_wanted_for(
    name: str, seed: str, all_flights: pd.DataFrame, champion: Reference
) -> None:
    chosen = variant.choose(SETTING, seed)
    stage: Any = SimpleNamespace(flights=all_flights, champion=champion, variant=chosen)
    wanted, make = PLAN.FAULTS[name]
    clean, fault = PLAN._suited(stage, name, wanted, make)
    faulty = episodes.faulted(stage, name, clean, fault)
    harm = harm_of(champion, clean, faulty)
    if wanted == PLAN.PAGED:
        assert harm >= 1.3 * 0.05
    else:
        assert harm <= 0.8 * 0.05
    (onset,) = faulty.onsets
    # As the ticket says: an hour of ordinary rows first, and afterwards enough for customers to
    # notice.
    assert onset.start_s >= script.HOUR_S
    assert onset.until_s is None
    tick = faulty.events["tick"] * faulty.tick_s
    assert (tick < onset.start_s).sum() >= 1_200
    assert (tick >= onset.start_s).sum() >= ALERTS.NOTICED_ROWS


def harm_of(champion: Reference, clean: Script, faulty: Script) -> float:
    """By how much mean prediction moves or AUC falls on the rows concerned, whichever is more."""
    span = faulty.during(faulty.onsets[0])
    parts = [s.events[s.events["tick"] >= span.start] for s in (clean, faulty)]
    before, after = (champion.predict(part) for part in parts)
    areas = [
        area(part["late"].to_numpy(), p) for part, p in zip(parts, (before, after), strict=True)
    ]
    return max(abs(after.mean() - before.mean()), areas[0] - areas[1])


def area(late: np.ndarray, predictions: np.ndarray) -> float:
    """AUC as what it means: the share of pairs in the right order, ties counting half."""
    ordered = np.sort(predictions[late == 0])
    ones = predictions[late == 1]
    below = ordered.searchsorted(ones, "left") + ordered.searchsorted(ones, "right")
    return float(below.mean() / 2 / len(ordered))


def test_every_kind_of_fault_of_the_ticket_is_replayed_and_both_severities_are_wanted() -> None:
    wanted = [wanted for wanted, _ in PLAN.FAULTS.values()]
    assert set(wanted) == {PLAN.PAGED, PLAN.TICKETED} == {PAGE, TICKET}
    stage: Any = SimpleNamespace(variant=variant.choose(SETTING, "1"))
    steps = [PLAN.step_name(name) for name in PLAN.FAULTS]
    assert tuple(steps) == ALERTS.FAULTY
    assert tuple(PLAN.step_name(name) for name in PLAN.ORDINARY_DAYS) == ALERTS.ORDINARY
    names = {step.name for step in _steps(PLAN.plan(stage))}
    assert names >= {*ALERTS.FAULTY, *ALERTS.ORDINARY, "cardinality", "latency", "diagnosis"}


def _steps(plan: Any) -> list[Any]:
    return [s for part in plan for s in _steps(part)] if isinstance(plan, list | tuple) else [plan]


# -- the recording


@pytest.fixture(scope="module")
def written(
    all_flights: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]]:
    """By variant: its recording, and what it would be if nothing had gone wrong."""
    folder = tmp_path_factory.mktemp("recordings")

    def write(sensor: str, feed: str) -> pd.DataFrame:
        # Both incidents of a variant may begin at any hour: each sensor's has a seed of its own.
        chosen = Variant(SETTING.name, sensor, {"sensor_incident": sensor, "feed_incident": feed})
        DATA.write(folder, chosen)
        return pd.read_parquet(folder / DATA.FILE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flights, "load", lambda: all_flights)
        recordings = {both: write(*both) for both in VARIANTS}
        nothing = lambda *_: lambda script, noise: script  # noqa: E731
        patch.setattr(DATA, "sensor_incident", nothing)
        patch.setattr(DATA, "feed_incident", nothing)
        clean = {sensor: write(sensor, "") for sensor in CHOICES["sensor_incident"]}
    return {both: (recordings[both], clean[both[0]]) for both in VARIANTS}


@pytest.mark.slow
@pytest.mark.parametrize("both", VARIANTS, ids="+".join)
def test_a_recording_holds_its_two_incidents_and_is_ordinary_otherwise(
    both: tuple[str, str], written: dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]]
) -> None:
    recorded, clean = written[both]
    assert list(recorded) == list(flights.RAW)
    assert 12_000 < len(recorded) < 25_000
    same = ["flight_id", "scheduled_departure"]
    pd.testing.assert_frame_equal(recorded[same], clean[same])
    differs = pd.DataFrame(
        {c: ~((recorded[c] == clean[c]) | (recorded[c].isna() & clean[c].isna())) for c in clean}
    )
    at = pd.to_datetime(recorded["scheduled_departure"], utc=True)
    local = at.dt.tz_convert(flights.AIRPORT_TIMEZONE)
    hours = (local - local.iloc[0].normalize()).dt.total_seconds() / script.HOUR_S
    spans = {"sensor": DATA.SENSOR_AT, "feed": DATA.FEED_AT}
    truth = diagnosis.truth(TRUTH, Variant("", "", dict(zip(CHOICES, both, strict=True))))
    inside = pd.Series(False, index=hours.index)
    for (_, (low, high)), fact in zip(spans.items(), truth, strict=True):
        window = hours.between(low, high + 5 + 0.1)
        found = hours[window & differs.any(axis=1)]
        # Of five hours, on the hour; the first rows and the last may be as they were, by chance.
        begins = np.floor(found.min() + 0.05)
        assert low <= begins <= high
        assert found.max() - begins == pytest.approx(5, abs=0.3)
        concerned = hours.between(found.min(), found.max())
        inside |= concerned
        shows = set(differs.columns[differs[concerned].any()])
        mixed = fact["kind"] == ["mix"]
        assert shows > set(fact["subject"]) if mixed else shows == set(fact["subject"])
        assert differs.loc[concerned, fact["subject"]].any(axis=1).mean() > 0.15
    assert not differs[~inside].any(axis=None)


@pytest.mark.slow
def test_incidents_are_of_the_kind_that_the_truth_says(
    written: dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]],
) -> None:
    feature = references.pipeline_module("features")
    known = feature.fit(flights.training(flights.load())).categories["carrier"]
    for (sensor, feed), (recorded, clean) in written.items():
        facts = yaml.safe_load(TRUTH.read_text("utf-8"))
        ((column,), kinds) = (facts["sensor_incident"][sensor][k] for k in ("subject", "kind"))
        assert kinds == ["unit"]
        changed = recorded[column] != clean[column]
        changed &= clean[column].notna() & recorded[column].notna()
        day = recorded.index < len(recorded) // 2
        pairs = pd.DataFrame({"was": clean[column], "is": recorded[column]})[changed & day]
        # A unit is a straight line.
        slope, shift = np.polyfit(pairs["was"], pairs["is"], 1)
        assert np.abs(pairs["was"] * slope + shift - pairs["is"]).max() < 0.01

        # The feed's incident has to itself the second day.
        evening = recorded[~day]
        (kind,) = facts["feed_incident"][feed]["kind"]
        wrong = ~((recorded == clean) | (recorded.isna() & clean.isna())).all(axis=1) & ~day
        rows = recorded[wrong]
        if kind == "frozen":
            assert (rows.groupby("origin")["temp"].nunique(dropna=False) == 1).all()
        elif kind == "missing_values":
            assert rows[list(flights.WEATHER)].isna().all(axis=None)
        elif kind == "unknown_category":
            assert not set(rows["carrier"]) & set(known)
        elif kind == "outliers":
            assert rows["wind_speed"].min() > 2 * clean["wind_speed"].max()
        else:
            assert kind == "mix"
            # All of its values are there on other days, in other proportions.
            assert set(rows["origin"]) <= set(clean["origin"])
            assert (rows["origin"] == "JFK").all()
        assert len(evening) > len(rows) > 200


# -- words and numbers


def test_the_truth_knows_every_choice_and_the_ticket_every_kind() -> None:
    facts = yaml.safe_load(TRUTH.read_text("utf-8"))
    assert {name: tuple(kinds) for name, kinds in facts.items()} == CHOICES
    table = re.findall(r"\| `(\w+)` \|", TICKET_TEXT)
    kinds = {k for values in facts.values() for fact in values.values() for k in fact["kind"]}
    assert kinds == set(table)
    for values in facts.values():
        for fact in values.values():
            assert set(fact) == set(diagnosis.KEYS)
            assert fact["component"] == "feed"
            assert set(fact["subject"]) <= set(flights.RAW)
    assert "component: feed" in TICKET_TEXT


def test_bounds_are_those_of_the_ticket() -> None:
    assert PLAN.BOUND == 0.05
    assert "mean prediction by more than 0.05, or lowers AUC by more than 0.05" in TICKET_TEXT
    assert ALERTS.NOTICED_ROWS == 5_000
    assert "nothing after 5,000: then the customers have noticed" in TICKET_TEXT
    assert "An alert within 2,000 rows is in time" in TICKET_TEXT
    # So by then nothing is lost, and soon after something is.
    assert timeliness(2_000, 5_000) >= ALERTS.EARLY > timeliness(2_500, 5_000)
    assert EXPORTS.BUCKETS_MIN == 5
    assert TICKET_TEXT.count("at least five") == 2
    assert EXPORTS.SLOWER_MAX == 5
    assert "at most five times as long" in TICKET_TEXT


def test_traffic_is_as_the_ticket_describes_it() -> None:
    assert PLAN.TICK_S == SETTING.telemetry.scrape_interval_s["incident"] == 120  # type: ignore[union-attr]
    assert "every **2 minutes**" in TICKET_TEXT
    for _, (first, last), hours in PLAN.ORDINARY_DAYS.values():
        assert 5 <= first <= last < last + hours <= 22
    assert "from five in the morning to ten in the evening" in TICKET_TEXT
    assert "An hour has 1,200 to 1,900 rows" in TICKET_TEXT
    assert min(PLAN.ROWS_PER_HOUR) >= 1_000
    assert max(PLAN.ROWS_PER_HOUR) <= 1_800
    assert "requests of up to 100" in TICKET_TEXT
    assert episodes.ROWS_PER_REQUEST == 100
    assert "For the first hour nothing goes wrong" in TICKET_TEXT
    assert min(PLAN.LEAD_MIN) >= 60
    assert "each for five hours" in TICKET_TEXT
    assert DATA.LASTS_S == 5 * script.HOUR_S


def test_names_of_metrics_are_those_of_the_ticket() -> None:
    histograms = {distributions.VALUES, distributions.PREDICTIONS}
    said = re.findall(r"histogram `(\w+)`", TICKET_TEXT)
    assert {name.removesuffix("_bucket") for name in histograms} == set(said)
    assert re.findall(r"counter `(\w+)`", TICKET_TEXT) == [distributions.MISSING]


def test_features_are_those_of_the_pipeline(all_flights: pd.DataFrame) -> None:
    features = references.pipeline_module("features")
    assert "all but `carrier`, `origin` and `dest`" in TICKET_TEXT
    assert set(features.CATEGORICAL) == {"carrier", "origin", "dest"}
    some = all_flights.head(2_000)
    built = features.build(some, features.fit(some))
    numeric = [name for name in built if name not in features.CATEGORICAL]
    assert set(EXPORTS.CONTINUOUS) <= set(numeric)
    # Whoever is asked for five buckets has more values than that.
    assert (built[list(EXPORTS.CONTINUOUS)].nunique() > 5).all()


def test_the_weather_of_an_ordinary_day_is_as_the_ticket_says(all_flights: pd.DataFrame) -> None:
    summer = all_flights[all_flights["month"].between(7, 11)]
    missing = summer[list(flights.WEATHER)].isna().mean()
    said = re.search(
        r"gusts are missing in about (\d+) of 100 rows, pressure in (\d+) \(.*?\), "
        r"wind direction in (\d+)",
        TICKET_TEXT,
    )
    assert said
    for name, words in zip(("wind_gust", "pressure", "wind_dir"), said.groups(), strict=True):
        assert 100 * missing[name] == pytest.approx(float(words), abs=2.0), name
    rest = missing.drop(["wind_gust", "pressure", "wind_dir"])
    assert rest.max() < 0.025


def test_a_histogram_that_is_not_there_is_said_to_be_missing() -> None:
    assert EXPORTS.fault_of([], 1_000, EXPORTS.BUCKETS_MIN) == "not exported"
    assert EXPORTS.lumped([[], []]) == ""


def test_a_histogram_that_tells_hardly_any_two_values_apart_is_no_histogram() -> None:
    day = [[0.5, 950.0, 950, 950], [1.0, 980.0, 980, 980], [None, 1000.0, 1000, 1000]]
    spread = [[0.5, 500.0, 500, 500], [1.0, 980.0, 980, 980], [None, 1000.0, 1000, 1000]]
    assert EXPORTS.lumped([day, day]) == "95% of the values are in one bucket"
    assert EXPORTS.lumped([day, spread]) == ""
