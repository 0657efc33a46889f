"""drifting_inputs, measured: what each fault does to the real champion, and what the recording of
each variant holds. And whether ticket, plan and checks say the same.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml

from sandbox import diagnosis, flights, paths, references, scenario, script, variant
from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.grading import histograms
from sandbox.grading.alarms import PAGE, TICKET, timeliness
from sandbox.grading.runner import grade
from sandbox.probes import distributions, episodes, strangers
from sandbox.scenario import Choice
from sandbox.system import modules
from sandbox.variant import Variant
from tests.replays import scripted

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from sandbox.grading.scorecard import Verdict
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
ANSWERS = loaded(GRADERS / "test_answers.py")
PUBLIC = loaded(SETTING.folder / "checks/test_public.py")


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
    assert histograms.BUCKETS_MIN == 5
    assert histograms.TOLERANCE == 0.005
    assert "every count is within half a percent of the rows" in TICKET_TEXT
    assert histograms.WIDEST_MAX == 0.9
    assert (
        "no more than nine tenths of the values may lie between two neighbouring bounds"
        in TICKET_TEXT
    )
    assert TICKET_TEXT.count("at least five") == 2
    assert (strangers.FILLING_ROWS, strangers.COUNTED_ROWS, EXPORTS.GROWTH_MAX) == (
        5_000,
        1_200,
        50,
    )
    assert "After 5,000 flights with ids, codes and readings that nobody knows" in TICKET_TEXT
    assert "1,200 more may make 50 more series at most" in TICKET_TEXT
    assert ANSWERS.RIGHT_MIN == PUBLIC.RIGHT_MIN == 0.98
    assert "more than two flights of 100 get another answer or none" in TICKET_TEXT
    assert EXPORTS.SLOWER_MAX == PLAN.SLOWER_MAX == 5
    assert "at most five times as long" in TICKET_TEXT


@pytest.mark.parametrize(
    ("make", "words", "bound"),
    [
        ("no_weather", "the whole weather is null, in three quarters of the rows or more", 75),
        ("new_category", "that nobody knows, in three of ten rows or more", 30),
        ("sensor_spikes", "that cannot be, in a fifth of the rows or more", 20),
        ("crowded_traffic", "of four in five that were not of it, or of more", 80),
    ],
)
def test_shares_are_clearly_beyond_those_of_the_ticket(
    all_flights: pd.DataFrame, make: str, words: str, bound: int
) -> None:
    assert words in TICKET_TEXT
    clean = scripted(all_flights, ticks=20, rows_per_tick=40)
    shares = set()
    for number in range(30):
        fault = getattr(PLAN, make)(random.Random(number), 60.0)
        (onset,) = fault(clean, np.random.default_rng(number)).onsets
        shares |= {int(share) for share in re.findall(r"(\d+)% of", onset.words)}
    # Three standard deviations of the share in a window of 1,000 rows.
    deviation = 100 * math.sqrt(bound / 100 * (1 - bound / 100) / 1_000)
    assert min(shares) >= bound + 3 * deviation


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
    assert "Inside the service the clock is not" in TICKET_TEXT
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
    assert EXPORTS.CONTINUOUS == PUBLIC.CONTINUOUS
    *most, last = (f"`{name}`" for name in EXPORTS.CONTINUOUS)
    assert f"take many values ({', '.join(most)} and {last})" in TICKET_TEXT
    # Whoever is asked for five buckets has more values than that.
    assert (built[list(EXPORTS.CONTINUOUS)].nunique() > 5).all()


def test_the_weather_of_an_ordinary_day_is_as_the_ticket_says(all_flights: pd.DataFrame) -> None:
    summer = all_flights[all_flights["month"].between(7, 11)]
    missing = summer[list(flights.WEATHER)].isna().mean()
    said = re.search(
        r"gusts are missing in about (\d+) of 100 rows \(by hour in (\d+) to all\), "
        r"pressure in (\d+) \(in some hours in (\d+)\), "
        r"wind direction in (\d+) \(in some hours in (\d+)\), "
        r"everything else in less than one \(in some hours in (\d+)\)",
        TICKET_TEXT,
    )
    assert said
    gusts, gusts_least, pressure, pressure_most, wind_dir, wind_dir_most, rest_most = map(
        int, said.groups()
    )
    usual = {"wind_gust": gusts, "pressure": pressure, "wind_dir": wind_dir}
    for name, words in usual.items():
        assert 100 * missing[name] == pytest.approx(words, abs=1.0), name
    assert missing.drop(list(usual)).max() < 0.01
    # An hour of a replay holds that hour of a fortnight. A window of 1,000 rows is two points off.
    hourly = 100 * missing_by_hour_of_a_fortnight(all_flights)
    assert hourly["wind_gust"].min() - 2 > gusts_least
    assert hourly["pressure"].max() + 2 < pressure_most
    assert hourly["wind_dir"].max() + 2 < wind_dir_most
    assert hourly.drop(columns=list(usual)).max(axis=None) + 2 < rest_most


def missing_by_hour_of_a_fortnight(everything: pd.DataFrame) -> pd.DataFrame:
    """Share of rows without a value, by hour and day on which a replay may be in that hour."""
    clock = everything["departure"].dt.tz_convert(flights.AIRPORT_TIMEZONE)
    missing = everything[list(flights.WEATHER)].isna().assign(rows=1)
    by_hour = missing.groupby(
        [clock.dt.hour.rename("hour"), clock.dt.tz_localize(None).dt.floor("D")]
    )
    counts = by_hour.sum().unstack("hour", fill_value=0)
    counts = counts.rolling(2 * script.NEIGHBOURING_DAYS + 1, center=True).sum()
    parts = []
    lasts_h = math.ceil((60 * max(PLAN.LEAD_MIN) + PLAN.FAULT_LASTS_S) / script.HOUR_S)
    replays = [*PLAN.ORDINARY_DAYS.values(), (PLAN.PRODUCTION, PLAN.BEGINNINGS, lasts_h)]
    for (first, last), (earliest, latest), hours in replays:
        some = counts.loc[first:last].stack("hour", future_stack=True)
        at = some.index.get_level_values("hour")
        some = some[(at >= earliest) & (at < latest + hours)]
        parts.append(some.drop(columns="rows").div(some["rows"], axis=0))
    return pd.concat(parts)


# -- verdicts on evidence of our own

FAULT_AT_S = 6_000.0
TICK_S, TICKS, ROWS_PER_TICK = 120.0, 150, 50
ROWS = TICKS * ROWS_PER_TICK
NUMERIC = (*EXPORTS.CONTINUOUS, "wind_gust_ms")


def exported(answered: int = ROWS, counted: int | None = None) -> dict[str, Any]:
    """What an ordinary day gives: as many rows answered, and as many in what is exported."""
    counted = answered if counted is None else counted
    histogram = [
        [bound, counted * part // 5, answered * part // 5, answered * part // 5]
        for part, bound in enumerate((1.0, 2.0, 3.0, 4.0, None), 1)
    ]
    gusts = [histogram[-1]]
    return {
        "rows": answered,
        "values": {name: gusts if name == "wind_gust_ms" else histogram for name in NUMERIC},
        "missing": {"wind_gust_ms": [counted // 2, answered // 2], "carrier": [0, 0]},
        "predictions": histogram,
    }


def replayed(name: str, **changed: Any) -> dict[str, Any]:
    """An episode in which a page begins ten minutes after the fault."""
    fault = {"kind": name, "subject": [], "words": name, "start_s": FAULT_AT_S, "until_s": None}
    faulty = name in ALERTS.FAULTY
    severity = PLAN.PAGED
    firing = {
        "labels": {"severity": severity},
        "since_s": FAULT_AT_S + 480,
        "start_s": FAULT_AT_S + 600,
        "end_s": None,
    }
    rule = {
        "alert": "Wrong",
        "severity": severity,
        "annotations": {"summary": "s", "description": "d", "runbook_url": "https://r"},
        "problem": "",
        "firings": [firing] if faulty else [],
        "why": "",
    }
    wanted = dict(zip(ALERTS.FAULTY, (wanted for wanted, _ in PLAN.FAULTS.values()), strict=True))
    return {
        "tick_s": TICK_S,
        "ticks": TICKS,
        "faults": [fault] if faulty else [],
        "answers": {"tick": list(range(TICKS)), "rows": [ROWS_PER_TICK] * TICKS},
        "alerts": {"problem": "", "rules": [rule], "unrecorded": {}},
        "right": 1.0,
        **({"wanted": wanted[name]} if faulty else {"exported": exported()}),
        **changed,
    }


@pytest.fixture
def graded(tmp_path: Path) -> Any:
    numbers = itertools.count()

    def run(**changed: dict[str, Any]) -> dict[str, Verdict]:
        """Verdicts where of a right submission's evidence these steps are otherwise."""
        seen = {name: replayed(name) for name in (*ALERTS.ORDINARY, *ALERTS.FAULTY)}
        seen["cardinality"] = {
            "before": 400,
            "after": 410,
            "rows": 1_200,
            "grown": {},
            "refused": "",
        }
        seen["latency"] = {"rounds": [{"submitted": 20.0, "pristine": 10.0}]}
        seen["lint"] = {"findings": []}
        truth = diagnosis.truth(TRUTH, variant.choose(SETTING, "1"))
        seen["diagnosis"] = {"findings": [], "notes": "", "problem": "", "truth": truth}
        writer = EvidenceWriter(tmp_path / f"evidence{next(numbers)}")
        for name, data in seen.items():
            recorded = {**data, **changed.get(name, {})}
            writer.write(Record(name, Outcome.RECORDED, recorded))
        verdicts, problem = grade(GRADERS, writer.freeze(), runtime="process")
        assert problem == ""
        assert all(verdict.outcome in {"passed", "failed"} for verdict in verdicts)
        return {verdict.check: verdict for verdict in verdicts}

    return run


def total(verdicts: dict[str, Verdict]) -> float:
    return round(sum(verdict.points for verdict in verdicts.values()), 2)


def test_points_add_up_to_a_hundred(graded: Any) -> None:
    verdicts = graded()
    assert sum(verdict.points_max for verdict in verdicts.values()) == 100
    # The diagnosis is empty here.
    assert total(verdicts) == 90


@pytest.mark.parametrize("answered", [0, 1])
def test_a_service_that_answers_nothing_fails_and_can_be_graded(graded: Any, answered: int) -> None:
    # One row may happen to lack nothing; counters that stand at zero are no telemetry.
    silent = {"exported": exported(answered, 0)}
    silent["exported"]["missing"]["wind_gust_ms"] = [0, 0]
    verdicts = graded(**dict.fromkeys(ALERTS.ORDINARY, silent))
    names = EXPORTS.EXPORTS
    assert all(verdicts[name].points == 0 for name in names if answered == 0)
    if answered == 0:
        assert "not one flight was answered" in verdicts["inputs_are_exported"].seen


@pytest.mark.parametrize("name", ANSWERS.REPLAYS)
def test_where_answers_are_not_the_model_s_only_the_diagnosis_counts(
    graded: Any, name: str
) -> None:
    assert total(graded(**{name: {"right": 0.985}})) == 90
    verdicts = graded(**{name: {"right": 0.97}})
    assert total(verdicts) == 0
    assert verdicts["answers_are_the_models"].seen == f"97.0% in {name}"


def test_every_replay_s_answers_are_looked_at() -> None:
    assert set(ANSWERS.REPLAYS) == {*ALERTS.ORDINARY, *ALERTS.FAULTY}


def test_a_missed_fault_is_told_with_the_rules_that_were_not_evaluated(graded: Any) -> None:
    seen = replayed("no_weather")
    seen["alerts"]["rules"][0]["firings"] = []
    seen["alerts"]["unrecorded"] = {"all:rate": "gives 1,001 series, more than 1,000"}
    said = graded(no_weather=seen)["grave_faults_are_paged"].seen
    assert said.startswith("all:rate: gives 1,001 series, more than 1,000; no_weather: nobody")
