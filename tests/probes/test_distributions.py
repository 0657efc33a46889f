"""Exported distributions beside the true ones: any buckets that are right, and no others."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from sandbox.episode import Recording
from sandbox.grading.histograms import fault_of
from sandbox.probes import distributions
from sandbox.telemetry.series import series
from sandbox.traffic.client import Exchange
from tests.replays import scripted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.telemetry.series import Labels

ROWS = 400
INF = math.inf
BUCKETS = {
    "few": (20.0, 40.0, 60.0, 80.0, 100.0),
    "many": tuple(np.linspace(-20, 120, 57)),
    "uneven and beyond": (-1e6, 15.5, 16.25, 40.1, 77.77, 1e9),
}


def build(events: pd.DataFrame, _: object) -> pd.DataFrame:
    """Features of a model: two numbers, of which one is missing where gusts are, and a category."""
    return pd.DataFrame(
        {
            "temp": events["temp"].astype(float),
            "gust": events["wind_gust"].astype(float),
            "carrier": events["carrier"].map({"UA": 0.0, "AA": 1.0}),
        }
    )


FEATURES = SimpleNamespace(build=build, CATEGORICAL=("carrier",))
STAGE = SimpleNamespace(champion=SimpleNamespace(features=FEATURES, spec=None))


def histogram(
    metric: str, values: Sequence[float], bounds: Sequence[float], **labels: str
) -> dict[Labels, float]:
    """As a client library exports it: cumulative counts, +Inf last."""
    values = [value for value in values if value == value]  # noqa: PLR0124 - NaN
    return {
        series(
            f"{metric}_bucket", {**labels, "le": "+Inf" if bound == INF else f"{bound:g}"}
        ): float(sum(value <= bound for value in values))
        for bound in (*bounds, INF)
    }


@pytest.fixture(scope="module")
def events(all_flights: pd.DataFrame) -> pd.DataFrame:
    return all_flights.sample(ROWS, random_state=3)


@pytest.fixture(scope="module")
def frame(events: pd.DataFrame) -> pd.DataFrame:
    return build(events, None)


@pytest.fixture(scope="module")
def predictions() -> list[float]:
    return np.random.default_rng(5).uniform(size=ROWS).round(3).tolist()


@pytest.fixture
def sound(frame: pd.DataFrame, predictions: list[float]) -> dict[Labels, float]:
    """What a right service exports."""
    found = {}
    for name in ("temp", "gust"):
        bounds = BUCKETS["few"]
        found |= histogram("feature_value", frame[name].tolist(), bounds, feature=name)
    for name in frame:
        missing = float(frame[name].isna().sum())
        found[series("feature_missing_total", {"feature": str(name)})] = missing
    bounds = (0.1, 0.2, 0.3, 0.5, 0.9)
    return found | histogram("prediction_probability_ratio", predictions, bounds)


def exported(
    events: pd.DataFrame,
    predictions: Sequence[float],
    samples: Mapping[Labels, float],
    unanswered: int = 0,
) -> dict[str, Any]:
    script = scripted(events, ticks=ROWS // 40, rows_per_tick=40)
    exchanges = [
        (tick, Exchange(40, 200, list(predictions[40 * tick : 40 * tick + 40]), "1", 1.0, ""))
        for tick in range(ROWS // 40)
    ]
    for tick in range(unanswered):
        exchanges[tick] = (tick, Exchange(40, 500, None, "", 1.0, "status 500"))
    recording = Recording(script, exchanges, last_scrape=samples)
    seen: dict[str, Any] = distributions.exported(STAGE, recording)["exported"]  # type: ignore[arg-type]
    return seen


def is_right(buckets: Sequence[Sequence[float | None]]) -> bool:
    """As the checks judge it, but without any tolerance."""
    return (
        bool(buckets)
        and buckets[-1][0] is None
        and all(
            count is not None and least <= count <= most  # type: ignore[operator]
            for _, count, least, most in buckets
        )
    )


def test_what_a_right_service_exports_is_right(
    events: pd.DataFrame, predictions: list[float], sound: dict[Labels, float]
) -> None:
    seen = exported(events, predictions, sound)
    assert seen["rows"] == ROWS
    assert sorted(seen["values"]) == ["gust", "temp"]
    assert all(is_right(buckets) for buckets in seen["values"].values())
    assert is_right(seen["predictions"])
    assert set(seen["missing"]) == {"temp", "gust", "carrier"}
    assert all(told == true for told, true in seen["missing"].values())
    assert seen["missing"]["gust"][1] > ROWS / 2


@pytest.mark.parametrize("bounds", BUCKETS.values(), ids=BUCKETS)
def test_any_buckets_will_do(
    events: pd.DataFrame,
    frame: pd.DataFrame,
    predictions: list[float],
    bounds: Sequence[float],
) -> None:
    samples = histogram("feature_value", frame["temp"].tolist(), bounds, feature="temp")
    temp = exported(events, predictions, samples)["values"]["temp"]
    assert is_right(temp)
    written = [float(f"{bound:g}") for bound in bounds]
    assert [bound for bound, *_ in temp] == [*written, None]
    assert temp[-1][2:] == [int(frame["temp"].notna().sum())] * 2


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("bucket", [0, 2, 5])
def test_one_row_too_many_or_too_few_shows(
    events: pd.DataFrame,
    frame: pd.DataFrame,
    predictions: list[float],
    by: int,
    bucket: int,
) -> None:
    # Bounds between values: no tie gives the count any room.
    bounds = [20.005, 40.005, 60.005, 80.005, 100.005]
    assert not np.isclose(frame["temp"].to_numpy()[:, None], bounds, atol=0.02).any()
    samples = histogram("feature_value", frame["temp"].tolist(), bounds, feature="temp")
    key = list(samples)[bucket]
    assert is_right(exported(events, predictions, samples)["values"]["temp"])
    samples[key] += by
    assert not is_right(exported(events, predictions, samples)["values"]["temp"])


@pytest.mark.parametrize("below", [True, False])
def test_a_value_on_a_bound_may_count_on_either_side(
    events: pd.DataFrame, frame: pd.DataFrame, predictions: list[float], below: bool
) -> None:
    # Half of the values of a float32 are a little above what they are written as.
    bound = float(frame["temp"].mode()[0])
    tied = int((frame["temp"] == bound).sum())
    assert tied > 1
    strictly = int((frame["temp"] < bound).sum())
    whole = int(frame["temp"].notna().sum())
    samples = {
        series("feature_value_bucket", {"feature": "temp", "le": f"{bound:g}"}): float(
            strictly + (tied if below else 0)
        ),
        series("feature_value_bucket", {"feature": "temp", "le": "+Inf"}): float(whole),
    }
    temp = exported(events, predictions, samples)["values"]["temp"]
    assert is_right(temp)
    assert temp[0][2:] == [strictly, strictly + tied]


def test_a_histogram_of_other_values_is_not_right(
    events: pd.DataFrame, frame: pd.DataFrame, predictions: list[float]
) -> None:
    celsius = ((frame["temp"] - 32) / 1.8).tolist()
    samples = histogram("feature_value", celsius, BUCKETS["few"], feature="temp")
    temp = exported(events, predictions, samples)["values"]["temp"]
    assert not is_right(temp)
    # As many as there should be, though.
    assert temp[-1][1] == temp[-1][2]


def test_without_a_last_bucket_the_last_is_not_infinite(
    events: pd.DataFrame,
    predictions: list[float],
    sound: dict[Labels, float],
) -> None:
    cut = {labels: value for labels, value in sound.items() if ("le", "+Inf") not in labels}
    seen = exported(events, predictions, cut)
    for buckets in (*seen["values"].values(), seen["predictions"]):
        assert buckets[-1][0] is not None
        assert not is_right(buckets)


def test_features_that_are_not_exported_are_there_without_buckets(
    events: pd.DataFrame, predictions: list[float], sound: dict[Labels, float]
) -> None:
    some = {labels: v for labels, v in sound.items() if ("feature", "gust") not in labels}
    seen = exported(events, predictions, some)
    assert seen["values"]["gust"] == []
    assert seen["missing"]["gust"][0] is None
    assert is_right(seen["values"]["temp"])
    nothing = exported(events, predictions, {})
    assert nothing["values"] == {"temp": [], "gust": []}
    assert nothing["predictions"] == []


@pytest.mark.parametrize("le", ["", "nan", "wide", "1e400", "-Inf"])
def test_bounds_that_are_none_spoil_nothing(
    events: pd.DataFrame, predictions: list[float], sound: dict[Labels, float], le: str
) -> None:
    odd = {series("feature_value_bucket", {"feature": "temp", "le": le}): float("nan")}
    temp = exported(events, predictions, {**odd, **sound})["values"]["temp"]
    finite = [entry for entry in temp if entry[0] is not None]
    assert [entry[0] for entry in finite] == list(BUCKETS["few"])
    assert all(count is None or math.isfinite(count) for _, count, *_ in temp)


@pytest.mark.parametrize("count", [math.nan, INF, -INF])
def test_a_count_that_is_no_number_is_none(
    events: pd.DataFrame, predictions: list[float], sound: dict[Labels, float], count: float
) -> None:
    seen = exported(events, predictions, dict.fromkeys(sound, count))
    assert {entry[1] for entry in seen["values"]["temp"]} == {None}
    assert seen["missing"]["temp"][0] is None


def test_rows_without_an_answer_belong_into_no_bucket(
    events: pd.DataFrame,
    frame: pd.DataFrame,
    predictions: list[float],
) -> None:
    rest = frame.iloc[80:]
    samples = histogram("feature_value", rest["temp"].tolist(), BUCKETS["few"], feature="temp")
    samples |= histogram("prediction_probability_ratio", predictions[80:], [0.5])
    samples[series("feature_missing_total", {"feature": "carrier"})] = float(
        rest["carrier"].isna().sum()
    )
    seen = exported(events, predictions, samples, unanswered=2)
    assert seen["rows"] == ROWS - 80
    assert is_right(seen["values"]["temp"])
    assert is_right(seen["predictions"])
    assert seen["missing"]["carrier"][0] == seen["missing"]["carrier"][1]


def test_where_nothing_was_answered_there_is_nothing_to_compare_with(
    events: pd.DataFrame, predictions: list[float], sound: dict[Labels, float]
) -> None:
    seen = exported(events, predictions, sound, unanswered=ROWS // 40)
    assert seen["rows"] == 0
    assert {expected for _, expected in seen["missing"].values()} == {0}
    assert {tuple(bucket[2:]) for bucket in seen["predictions"]} == {(0, 0)}


def test_a_bucket_that_can_hold_nothing_is_none(
    events: pd.DataFrame, predictions: list[float]
) -> None:
    never = {series("feature_value_bucket", {"feature": "gust", "le": "-Inf"}): 0.0}
    assert exported(events, predictions, never)["values"]["gust"] == []


def test_the_checks_find_what_is_right_right_and_what_is_wrong_wrong(
    events: pd.DataFrame, predictions: list[float], sound: dict[Labels, float]
) -> None:
    seen = exported(events, predictions, sound)["values"]["temp"]
    assert fault_of(seen, ROWS, 5) == ""
    assert "fewer than 7" in fault_of(seen, ROWS, 7)
    assert fault_of([], ROWS, 1) == "not exported"
    assert fault_of(seen[:-1], ROWS, 5) == "no bucket +Inf"
    # Half a percent of the rows is forgiven, which is two of 400.
    for by, right in ((2, True), (3, False), (-2, True), (-3, False)):
        off = [[bound, count + by, count, count] for bound, count, _, _ in seen]
        assert (fault_of(off, ROWS, 5) == "") is right
