"""The healthy service keeps its contract: what every scenario breaks has to be right to begin with.

Its packages are called `service` and `pipeline`, like a candidate's, so it runs in processes of its
own: most tests ask its ASGI application over a pipe, one starts it with a real registry.
"""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sandbox import compose, flights, models, references, registry, scenario, stack
from sandbox.grading.statistics import auc
from sandbox.probes import inputs
from sandbox.runtimes import open_runtime
from sandbox.system.waiting import wait_for
from sandbox.traffic.client import Client, predictions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from sandbox.references import Reference

DRIVER = Path(__file__).with_name("asgi_driver.py")
Record = dict[str, Any]
REFUSALS = (400, 413, 415, 422)
WINDOW = 1_000
# How many labels the window of quality holds.
LABELS = 5_000


@dataclass
class Service:
    """The service behind a pipe."""

    process: subprocess.Popen[str]

    def ask(self, method: str, path: str, body: object = b"") -> tuple[int, dict[str, str], bytes]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        assert self.process.stdin
        assert self.process.stdout
        request = json.dumps([method, path, base64.b64encode(raw).decode()])
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        status, headers, said = json.loads(self.process.stdout.readline())
        return status, headers, base64.b64decode(said)

    def score(self, records: Sequence[Record]) -> list[float]:
        status, _, said = self.ask("POST", "/invocations", {"dataframe_records": list(records)})
        assert status == 200, said
        predictions: list[float] = json.loads(said)["predictions"]
        assert len(predictions) == len(records)
        assert all(0 < prediction < 1 for prediction in predictions)
        return predictions

    def metrics(self) -> dict[tuple[str, str], float]:
        """Every sample by name and its only label's value."""
        status, headers, said = self.ask("GET", "/metrics")
        assert status == 200
        assert headers["content-type"].startswith("text/plain")
        return {
            (sample.name, next(iter(sample.labels.values()), "")): sample.value
            for family in text_string_to_metric_families(said.decode())
            for sample in family.samples
        }

    def skew(self) -> dict[str, float]:
        return {
            label: value
            for (name, label), value in self.metrics().items()
            if name == "feature_skew_score"
        }


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compose.compose_healthy(tmp_path_factory.mktemp("healthy") / "workspace")


@pytest.fixture(scope="module")
def service(workspace: Path) -> Iterator[Service]:
    with subprocess.Popen(
        [sys.executable, DRIVER],
        cwd=workspace,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield Service(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def held_out(all_flights: pd.DataFrame) -> pd.DataFrame:
    """Flights of the training's months, in no order, so that every window is alike."""
    return flights.holdout(all_flights).sample(frac=1, random_state=2).reset_index(drop=True)


@pytest.fixture(scope="module")
def rows(held_out: pd.DataFrame) -> list[Record]:
    return list(flights.records(held_out.head(40)))


# -- requests


def test_an_ordinary_request_is_answered(service: Service, rows: list[Record]) -> None:
    status, headers, said = service.ask("POST", "/invocations", {"dataframe_records": rows})
    assert (status, headers["x-model-version"]) == (200, "1")
    assert headers["content-type"] == "application/json"
    assert list(json.loads(said)) == ["predictions"]


def test_every_unusual_request_is_answered(service: Service, rows: list[Record]) -> None:
    for case in inputs.ordinary_cases(rows):
        status, _, said = service.ask("POST", "/invocations", case.body)
        assert status == 200, (case.name, said)
        predictions = json.loads(said)["predictions"]
        assert len(predictions) == len(case.rows)
        assert all(math.isfinite(prediction) for prediction in predictions)


def test_every_form_gives_the_same(service: Service, rows: list[Record]) -> None:
    columns = sorted(rows[0])
    split = {"columns": columns, "data": [[row[name] for name in columns] for row in rows]}
    bodies = [{"instances": rows}, {"dataframe_split": split}]
    wanted = service.score(rows)
    for body in bodies:
        assert json.loads(service.ask("POST", "/invocations", body)[2])["predictions"] == wanted


def test_a_row_is_answered_alike_alone_and_among_others(
    service: Service, rows: list[Record]
) -> None:
    assert [service.score([row])[0] for row in rows[:8]] == service.score(rows)[:8]


def more_malformed(row: Record) -> dict[str, bytes]:
    """What `inputs.malformed_bodies` leaves out."""

    def records(**changes: object) -> bytes:
        return json.dumps({"dataframe_records": [{**row, **changes}]}).encode()

    huge = records(distance=12345.5).replace(b"12345.5", b"1" + b"0" * 400)
    split = {"columns": ["temp", "temp"], "data": [[1, 2]]}
    return {
        "an integer beyond any float": huge,
        "a truth where a number belongs": records(distance=True),
        "a number as text": records(temp="71"),
        "a distance that is null": records(distance=None),
        "an origin that is null": records(origin=None),
        "NaN": records(temp=12345.5).replace(b"12345.5", b"NaN"),
        "minus infinity": records(temp=12345.5).replace(b"12345.5", b"-1e999"),
        **{
            f"the time {time!r}": records(scheduled_departure=time)
            for time in (
                *("", "NaT", "nan", "now", "today", "2013", "2013-07-01", "1372680000"),
                *("2013-02-30T12:00:00Z", "2013-07-01T25:00:00Z", "2013-07-01T12:00:00+99:99"),
                *("9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "\ud800"),
                *("2013-07-01T12:00:00\ud800", "٢٠١٣-07-01T12:00:00Z", "2013-07-01T12:00:00Z\n"),
            )
        },
        "a time that is a number": records(scheduled_departure=1372680000),
        "a nest": b"[" * 100_000,
        "a nest in a row": b'{"instances": [{"temp": ' + b"[" * 100_000,
        "bytes that are no text": b"\xff\xfe\xfa",
        "a list": json.dumps([row]).encode(),
        "null": b"null",
        "two forms at once": json.dumps({"instances": [row], "dataframe_records": [row]}).encode(),
        "a split with a column twice": json.dumps({"dataframe_split": split}).encode(),
        "a split that is a list": json.dumps({"dataframe_split": [row]}).encode(),
        "too many rows": json.dumps({"instances": [{}] * 10_001}).encode(),
        "rows that are lists": json.dumps({"instances": [list(row.values())]}).encode(),
    }


def test_every_malformed_request_is_refused_with_a_reason(
    service: Service, rows: list[Record]
) -> None:
    before = service.metrics()
    cases = inputs.malformed_bodies(rows[:3]) | more_malformed(rows[0])
    assert len(cases) > 40
    for case, body in cases.items():
        status, headers, said = service.ask("POST", "/invocations", body)
        assert status in REFUSALS, (case, status, said)
        assert headers["content-type"] == "application/json"
        assert len(json.loads(said)["detail"]) > 15, (case, said)
        assert len(said) < 500
    after = service.metrics()
    # A refused request counts as one, and nothing was scored.
    name = "inference_requests_total"
    assert sum(v - before.get(k, 0) for k, v in after.items() if k[0] == name) == len(cases)
    scored = ("prediction_probability_ratio_count", "")
    assert after[scored] == before[scored]


def test_a_second_row_is_looked_at_as_well(service: Service, rows: list[Record]) -> None:
    bad = {**rows[1], "humid": "wet"}
    status, _, said = service.ask("POST", "/invocations", {"instances": [rows[0], bad]})
    assert status == 422
    assert b"row 1: humid" in said


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([])


@settings(max_examples=100, deadline=None)
@given(column=st.sampled_from(flights.RAW), value=VALUES)
def test_no_value_is_too_much_for_it(
    service: Service, rows: list[Record], column: str, value: object
) -> None:
    status, _, said = service.ask(
        "POST", "/invocations", {"instances": [{**rows[0], column: value}]}
    )
    assert status in (200, *REFUSALS), said
    if status == 200:
        assert math.isfinite(json.loads(said)["predictions"][0])


@settings(max_examples=80, deadline=None)
@given(
    body=st.binary(max_size=30)
    | st.recursive(VALUES, st.lists).map(lambda x: json.dumps(x).encode())
)
def test_no_body_is_too_much_for_it(service: Service, body: bytes) -> None:
    assert service.ask("POST", "/invocations", body)[0] in REFUSALS


# -- who answers


def test_the_version_that_answers_is_told(service: Service, rows: list[Record]) -> None:
    assert service.ask("GET", "/readyz")[0] == 200
    before = service.score(rows[:3])
    service.ask("SWAP", "12")
    try:
        assert json.loads(service.ask("GET", "/version")[2]) == {
            "model": "flight-delay",
            "version": "12",
        }
        status, headers, _ = service.ask("POST", "/invocations", {"instances": rows[:3]})
        assert (status, headers["x-model-version"]) == (200, "12")
        assert service.score(rows[:3]) == before
    finally:
        service.ask("SWAP", "1")


def test_without_a_model_it_is_alive_and_not_ready(service: Service, rows: list[Record]) -> None:
    service.ask("AWAY", "")
    try:
        assert service.ask("GET", "/ping")[0] == 200
        assert service.ask("GET", "/readyz")[0] == 503
        assert json.loads(service.ask("GET", "/version")[2])["version"] is None
        assert service.ask("POST", "/invocations", {"instances": rows})[0] == 503
        service.metrics()
    finally:
        service.ask("SWAP", "1")


# -- metrics


def send(service: Service, frame: pd.DataFrame) -> None:
    records = flights.records(frame)
    for start in range(0, len(records), 250):
        service.score(records[start : start + 250])


def test_metrics_are_prometheus_and_count(service: Service, rows: list[Record]) -> None:
    before = service.metrics()
    service.score(rows[:7])
    after = service.metrics()

    def more(name: str, label: str = "") -> float:
        return after[name, label] - before.get((name, label), 0)

    assert more("inference_requests_total", "200") == 1
    assert more("inference_latency_seconds_count") == 1
    assert more("prediction_probability_ratio_count") == 7
    assert more("prediction_probability_ratio_bucket", "+Inf") == 7
    assert 0 < more("inference_latency_seconds_sum") < 1


def test_every_metric_has_help_and_few_samples(service: Service, held_out: pd.DataFrame) -> None:
    # Random ids, carriers and destinations must not become labels.
    odd = held_out.head(200).assign(
        carrier=[f"C{n}" for n in range(200)], dest=[f"D{n}" for n in range(200)]
    )
    # What needs a window is there from now on.
    send(service, held_out.head(WINDOW))
    before = set(service.metrics())
    send(service, odd)
    assert set(service.metrics()) == before
    text = service.ask("GET", "/metrics")[2].decode()
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for label in {name for sample in family.samples for name in sample.labels}:
            assert len({sample.labels.get(label) for sample in family.samples}) < 100


def test_metrics_do_not_tell_how_a_version_was_loaded(service: Service) -> None:
    # What Python's garbage collector did meanwhile is the same for a version on every machine, and
    # another for every kind of release: a canary could be judged by that and by nothing it does.
    text = service.ask("GET", "/metrics")[2].decode()
    assert "process_resident_memory_bytes" in text
    assert "python_gc" not in text


def test_the_skew_score_is_there_by_the_pipelines_names_and_steady(
    service: Service, held_out: pd.DataFrame
) -> None:
    names = references.pipeline_module("features").FEATURES
    windows = []
    for start in (0, WINDOW):
        send(service, held_out.iloc[start : start + WINDOW])
        windows.append(service.skew())
    assert tuple(windows[0]) == names
    # Ordinary traffic of the training's season: at the level of sampling.
    assert max(max(window.values()) for window in windows) < 0.2, windows


@pytest.mark.parametrize(
    ("column", "factor", "feature"),
    [
        ("distance", 1.609344, "distance_km"),
        ("humid", 0.01, "humid_fraction"),
        ("temp", 0.5, "temp_c"),
        ("pressure", 0.02953, "pressure_hpa"),
        ("wind_speed", 1.609344, "wind_speed_ms"),
        ("visib", np.nan, "visib_km"),
    ],
)
def test_the_skew_score_rises_for_the_feature_that_changed_and_only_there(
    service: Service, held_out: pd.DataFrame, column: str, factor: float, feature: str
) -> None:
    window = held_out.iloc[:WINDOW]
    send(service, window)
    before = service.skew()
    send(service, window.assign(**{column: window[column] * factor}))
    after = service.skew()
    risen = after.pop(feature)
    assert risen > 2 * before.pop(feature) + 0.2
    assert after == pytest.approx(before, abs=1e-9)


def test_the_skew_score_shows_other_categories(service: Service, held_out: pd.DataFrame) -> None:
    window = held_out.iloc[:WINDOW]
    send(service, window)
    before = service.skew()
    send(service, window.assign(carrier="ZZ"))
    after = service.skew()
    assert after["carrier"] > 1
    assert after["origin"] == pytest.approx(before["origin"], abs=1e-9)


def test_the_skew_score_waits_for_enough_rows_of_a_new_model(
    service: Service, held_out: pd.DataFrame
) -> None:
    send(service, held_out.iloc[:WINDOW].assign(distance=1.0))
    assert service.skew()["distance_km"] > 1
    # The window counts rows and not time: a thousand good ones push the bad ones out.
    send(service, held_out.iloc[:WINDOW])
    assert service.skew()["distance_km"] < 0.2


# -- late labels


def feedback(service: Service, *labels: tuple[str, bool]) -> int:
    body = [{"flight_id": flight_id, "late": late} for flight_id, late in labels]
    status, _, said = service.ask("POST", "/feedback", body)
    assert status == 200, said
    joined: int = json.loads(said)["joined"]
    return joined


def test_late_labels_are_joined_with_predictions_once(service: Service, rows: list[Record]) -> None:
    some = [{**row, "flight_id": f"L{n}"} for n, row in enumerate(rows[:20])]
    service.score(some)
    before = service.metrics()
    late = [n % 3 == 0 for n in range(20)]
    labels = [(f"L{n}", late[n]) for n in range(20)]
    assert feedback(service, *labels[:15], ("unknown", True)) == 15
    assert feedback(service, *labels) == 5
    assert feedback(service) == 0
    after = service.metrics()

    def more(found: str) -> float:
        key = ("feedback_labels_total", found)
        return after[key] - before.get(key, 0)

    assert (more("true"), more("false")) == (20, 16)


def test_quality_is_that_of_the_last_labels(service: Service, held_out: pd.DataFrame) -> None:
    before = service.metrics()
    assert ("prediction_bias_ratio", "") not in before
    assert ("prediction_auc_ratio", "") not in before
    rows_ = held_out.head(LABELS + 400).assign(
        flight_id=[f"Q{number}" for number in range(LABELS + 400)]
    )
    predictions = [
        prediction
        for start in range(0, len(rows_), 600)
        for prediction in service.score(flights.records(rows_.iloc[start : start + 600]))
    ]
    late = (rows_["late"] > 0).tolist()
    labels = list(zip(rows_["flight_id"], late, strict=True))
    # Twice, and some again later: each counts once, in the order of its first label.
    assert feedback(service, *labels[:1_000], *labels[:1_000]) == 1_000
    assert feedback(service, *labels[500:]) == len(labels) - 1_000
    after = service.metrics()
    last, truth = np.array(predictions[-LABELS:]), np.array(late[-LABELS:])
    assert after["feedback_window_labels", ""] == LABELS
    assert after["prediction_bias_ratio", ""] == pytest.approx(last.mean() - truth.mean())
    area = auc(truth.tolist(), last.tolist())
    assert 0.6 < area < 0.8
    assert after["prediction_auc_ratio", ""] == pytest.approx(area)


def test_an_answer_that_breaks_is_counted_as_an_error(workspace: Path) -> None:
    broken = """
        import asyncio, json, sys
        sys.path.insert(0, "")
        from prometheus_client import REGISTRY
        from service import app

        class Broken:
            spec = None

        class Request:
            async def body(self):
                return json.dumps({"dataframe_records": [json.loads(sys.argv[1])]}).encode()

        app.champion.model = Broken()
        try:
            asyncio.run(app.invocations(Request()))
        except AttributeError:
            print(REGISTRY.get_sample_value("inference_requests_total", {"status": "500"}))
    """
    [row] = flights.records(flights.load().head(1))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(broken), json.dumps(row)],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1.0\n", done.stderr


def test_a_label_belongs_to_the_last_prediction(service: Service, rows: list[Record]) -> None:
    service.score([{**rows[0], "flight_id": "twice"}])
    service.score([{**rows[1], "flight_id": "twice"}])
    assert feedback(service, ("twice", True)) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b'[{"flight_id": "a"}]', b'[{"flight_id": 1, "late": []}]', b"["]
)
def test_feedback_that_is_malformed_is_refused(service: Service, body: bytes) -> None:
    assert service.ask("POST", "/feedback", body)[0] == 422


# -- the whole of it


@pytest.fixture(scope="module")
def running(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    """The service, started beside a registry. Tests go on in their order."""
    setting = scenario.load("skewed_preprocessing")
    folder = stack.copy_registry(models.releases(), tmp_path_factory.mktemp("kept") / "registry")
    with (
        open_runtime("process") as runtime,
        stack.running_stack(runtime, setting, workspace, folder) as running,
    ):
        yield running


@pytest.mark.slow
def test_it_serves_the_champion_row_by_row(
    running: stack.Stack, all_flights: pd.DataFrame, champion: Reference
) -> None:
    some = all_flights[all_flights["month"] == 8].sample(500, random_state=1)
    client = Client(running.model.url)
    served = predictions_of(client.score_all(flights.records(some)))
    np.testing.assert_allclose(
        np.array(served, dtype=float), champion.predict(some), rtol=0, atol=1e-9
    )
    for case in inputs.ordinary_cases(flights.records(some)):
        seen = inputs.send_ordinary(client, case)
        assert seen["problem"] == "", seen
        wanted = champion.predict(inputs.frame(case.rows))
        np.testing.assert_allclose(seen["served"], wanted, rtol=0, atol=1e-9)
    refused = inputs.send_malformed(client, flights.records(some)[:3])
    assert {answer["status"] for answer in refused} <= set(REFUSALS)


@pytest.mark.slow
def test_its_own_parity_test_passes(running: stack.Stack) -> None:
    tested = running.run_pipeline(
        *("pytest", "-q", "-p", "no:cacheprovider", "tests/test_parity.py"),
        timeout_s=60,
        environment={"SERVICE_URL": running.model.url},
    )
    assert tested.status == 0, tested.stdout


@pytest.mark.slow
def test_it_swaps_with_the_alias_and_outlives_the_registry(
    running: stack.Stack, tmp_path: Path, all_flights: pd.DataFrame
) -> None:
    records = list(flights.records(all_flights.iloc[200_000:200_010]))
    client = Client(running.model.url)
    before = client.score(records)
    other = all_flights[all_flights["month"].isin((2, 3))]
    path = tmp_path / "other.parquet"
    flights.write_parquet(other, path)
    done = running.run_pipeline(
        "pipeline.train", "--data", str(path), timeout_s=60, readable=(path,)
    )
    assert done.status == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["version"] == "2"
    # Registered is not promoted.
    assert client.score(records).version == before.version == "1"
    registry.point_champion(running.registry.url, "2")

    def swapped() -> Any:
        seen = client.score(records)
        # Nobody waits and nobody is turned away while it swaps.
        assert seen.problem == ""
        return seen if seen.version == "2" else None

    after = wait_for(swapped, what="version 2 to answer", within_s=20)
    assert after.predictions != before.predictions
    wanted = references.retrained(flights.labelled(other)).predict(inputs.frame(records))
    np.testing.assert_allclose(after.predictions, wanted, rtol=0, atol=1e-9)

    running.registry.stop()
    assert client.ask("GET", "/readyz").status == 200
    again = client.score(records)
    assert (again.version, again.predictions) == ("2", after.predictions)
