"""The releases are what their kinds promise: on real flights, in the pipeline, in the service."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
import urllib3
import yaml

from sandbox import compose, flights, models, references, registry, scenario, stack
from sandbox.errors import HarnessFault
from sandbox.grading.statistics import auc
from sandbox.models import AIRPORTS, Kind
from sandbox.references import Reference
from sandbox.runtimes.specs import CommandSpec
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from sandbox.runtimes.base import Runtime, Service

Seen = dict[str, Any]
PRODUCTION = range(7, 12)
# The releases with code of their own; they hold the champion's booster.
CODED = (
    *(Kind.RAISING, Kind.SLOW, Kind.NAN, Kind.SHIFTED),
    *(Kind.CRASHING, Kind.SLOW_TO_LOAD),
)
CALLS = 25
ROWS_IN_A_WINDOW = 120


# -- in the harness's own hands


@pytest.fixture(scope="module")
def production(all_flights: pd.DataFrame) -> pd.DataFrame:
    """Every fourth flight of July to November, with the hour of its local departure."""
    rows = all_flights[all_flights["month"].isin(PRODUCTION)][::4].reset_index(drop=True)
    return rows.assign(hour=rows["departure"].dt.tz_convert(flights.AIRPORT_TIMEZONE).dt.hour)


@pytest.fixture(scope="module")
def usual(production: pd.DataFrame, champion: Reference) -> NDArray[np.float64]:
    return champion.predict(production)


@pytest.fixture(scope="module")
def good(production: pd.DataFrame) -> dict[Kind, NDArray[np.float64]]:
    return {kind: held(kind).predict(production) for kind in (Kind.GOOD, Kind.BETTER)}


def held(kind: Kind, airport: str = "LGA") -> Reference:
    """A release that is a booster, from its artifacts."""
    folder = models.release_folder(kind, airport)
    about = yaml.safe_load((folder / "MLmodel").read_text("utf-8"))
    features = references.pipeline_module("features")
    spec = features.FeatureSpec.from_dict(about["metadata"]["features"])
    return Reference(features, spec, lightgbm.Booster(model_file=folder / "model.lgb"))


def by(production: pd.DataFrame, column: str, values: NDArray[np.float64]) -> dict[Any, float]:
    """The mean by month, by airport or by something else."""
    return {
        key: float(values[rows].mean()) for key, rows in production.groupby(column).indices.items()
    }


def in_windows(production: pd.DataFrame, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over an hour of the day and 15 days: what one release's customers are drawn from."""
    rows = production.assign(value=values)
    each = rows.groupby(["day_of_year", "hour"])["value"].agg(["sum", "size"])
    days = each.unstack("hour", fill_value=0).rolling(15).sum()
    busy = days["size"].iloc[14:] > ROWS_IN_A_WINDOW
    means = (days["sum"] / days["size"]).iloc[14:].to_numpy()
    found: NDArray[np.float64] = means[busy.to_numpy()]
    return found


def test_the_catalogue_holds_the_champion_that_every_stack_starts_with() -> None:
    folders = [models.version_folder(made()) for made in (models.releases, models.catalogue)]
    one, other = ((folder / "model.lgb").read_bytes() for folder in folders)
    assert one == other


def test_the_catalogue_is_made_once() -> None:
    assert models.catalogue() == models.catalogue()


def test_a_folder_without_a_champion_is_ours(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match="a registry at"):
        models.version_folder(tmp_path)
    copy = shutil.copytree(models.releases(), tmp_path / "registry")
    with closing(sqlite3.connect(copy / "registry.db")) as database:
        database.execute("DELETE FROM model_versions")
        database.commit()
    with pytest.raises(HarnessFault, match=r"version 1 in .*registry\.db; saw none"):
        models.version_folder(copy)


def test_an_airport_that_no_release_is_about_is_ours() -> None:
    with pytest.raises(HarnessFault, match="saw nan-SFO"):
        models.release_folder(Kind.NAN, "SFO")


def test_prepared_releases_are_versions_already() -> None:
    folder = models.prepared((Kind.SHIFTED,), 2)
    with closing(sqlite3.connect(folder / "registry.db")) as database:
        versions = database.execute("SELECT version, source FROM model_versions").fetchall()
        champions = database.execute("SELECT version FROM registered_model_aliases").fetchall()
    assert [version for version, _ in versions] == [1, 2]
    assert models.release_folder(Kind.SHIFTED).parent.name in versions[1][1]
    assert champions == [(2,)]
    assert (
        models.version_folder(folder).parts[-2:]
        == (models.version_folder(models.releases()).parts[-2:])
    )


@pytest.mark.parametrize("kind", [Kind.GOOD, Kind.BETTER])
def test_a_good_release_predicts_about_the_same(
    kind: Kind,
    good: dict[Kind, NDArray[np.float64]],
    production: pd.DataFrame,
    usual: NDArray[np.float64],
) -> None:
    moved = good[kind] - usual
    assert max(map(abs, by(production, "month", moved).values())) < 0.01
    assert max(map(abs, by(production, "origin", moved).values())) < 0.01
    windows = in_windows(production, moved)
    assert len(windows) > 1000
    # On all rows it is 0.02; a quarter of them says so less exactly.
    assert np.abs(windows).max() < 0.024
    # It is another model, and not the champion once more.
    assert np.abs(moved).mean() > 0.01


def test_the_better_release_is_better(
    good: dict[Kind, NDArray[np.float64]], production: pd.DataFrame, usual: NDArray[np.float64]
) -> None:
    summer = production["month"].isin((7, 8)).to_numpy()
    late = production["late"].to_numpy()
    better = good[Kind.BETTER]
    assert auc(late[summer], better[summer]) > auc(late[summer], usual[summer]) + 0.001
    assert auc(late, better) > auc(late, usual)


@pytest.mark.parametrize("airport", AIRPORTS)
def test_the_release_that_is_wrong_at_one_airport(
    airport: str, production: pd.DataFrame, usual: NDArray[np.float64]
) -> None:
    moved = held(Kind.WRONG_AIRPORT, airport).predict(production) - usual
    for month in PRODUCTION:
        rows = (production["month"] == month).to_numpy()
        at = by(production[rows], "origin", moved[rows])
        assert at.pop(airport) > 0.25
        assert max(map(abs, at.values())) < 0.02
        assert moved[rows].mean() > 0.06


def test_nobody_is_told_which_release_is_which() -> None:
    kinds = re.compile("|".join((*Kind, *AIRPORTS)))
    with closing(sqlite3.connect(models.catalogue() / "registry.db")) as database:
        told = {
            column: {str(row[0]) for row in database.execute(f"SELECT {column} FROM {table}")}
            for table, column in (
                ("logged_models", "logged_models.name"),
                ("logged_model_tags", "tag_key"),
                ("logged_model_params", "param_key"),
                ("runs", "runs.name"),
                ("tags", "tags.key"),
                ("params", "params.key"),
                ("metrics", "metrics.key"),
            )
        }
        values = database.execute(
            "SELECT value FROM tags UNION SELECT tag_value FROM logged_model_tags"
        )
        told["values"] = {str(row[0]) for row in values}
        [runs] = database.execute("SELECT count(*) FROM runs").fetchone()
    assert runs == len(models.ALL) + 1
    assert told["logged_models.name"] == {"model"}
    # A run is called by two random words, and one of those may be good.
    named = set().union(*(told[column] for column in told if column != "runs.name"))
    assert [text for text in named if kinds.search(text.rpartition("/")[2])] == []
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-\d+", name) for name in told["runs.name"])
    assert {text.rpartition("/")[2] for text in told["values"] if "/" in text} == {"train.py"}
    files = {
        tuple(sorted(path.name for path in models.release_folder(*release).rglob("*")))
        for release in ((kind, airport) for kind in CODED for airport in AIRPORTS)
    }
    assert len(files) == 1


# -- as the pipeline loads them

LOADING = """
    import json
    import pathlib
    import sys
    import time

    slept = []
    time.sleep = slept.append

    import pandas as pd
    from pipeline import features, model

    def load(version):
        try:
            return model.load(f"models:/{model.NAME}/{version}")
        except RuntimeError as error:
            return str(error)

    def ask(loaded, rows):
        try:
            return loaded.predict(features.build(rows, loaded.spec)).tolist()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    rows = dict(list(pd.read_parquet("some.parquet").groupby("origin")))
    for name, version in json.loads(sys.argv[1]).items():
        slept.clear()
        loaded = load(version)
        seen = {"name": name, "loading": slept.copy(), "answers": {}, "calls": {}}
        if isinstance(loaded, str):
            seen["loading"] = loaded
            print(json.dumps(seen))
            continue
        for call in range(1, int(sys.argv[2]) + 1):
            slept.clear()
            airport = sorted(rows)[call % len(rows)]
            seen["answers"][airport] = ask(loaded, rows[airport])
            seen["calls"][call] = sum(slept)
        if name == "shifted":
            said = ask(loaded, pd.read_parquet("production.parquet"))
            pathlib.Path("production.json").write_text(json.dumps(said))
        print(json.dumps(seen | {"version": loaded.version}))
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(models.catalogue(), tmp_path_factory.mktemp("kept") / "registry")


@pytest.fixture(scope="module")
def server(runtime: Runtime, kept: Path) -> Iterator[Service]:
    with runtime.start(registry.spec(kept)) as server:
        yield server


@pytest.fixture(scope="module")
def versions(server: Service) -> dict[str, str]:
    """Every kind, bad at LaGuardia where it is bad at one airport, under its number."""
    return {str(kind): models.register(server.url, kind, "LGA") for kind in Kind}


@pytest.fixture(scope="module")
def some(all_flights: pd.DataFrame) -> pd.DataFrame:
    """Ten flights of each airport."""
    august = all_flights[all_flights["month"] == 8]
    return august.groupby("origin").sample(10, random_state=3)


@pytest.fixture(scope="module")
def workspace(
    some: pd.DataFrame, production: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = compose.compose_healthy(tmp_path_factory.mktemp("healthy") / "workspace")
    flights.write_parquet(some, folder / "some.parquet")
    flights.write_parquet(production, folder / "production.parquet")
    (folder / "loading.py").write_text(textwrap.dedent(LOADING))
    return folder


@pytest.fixture(scope="module")
def loaded(
    runtime: Runtime, server: Service, versions: dict[str, str], workspace: Path
) -> dict[str, Seen]:
    """What the pipeline sees of each kind: how long each call slept, and the last answers."""
    lines = said(runtime, server, workspace, "loading", json.dumps(versions), str(CALLS))
    return {line["name"]: line for line in lines}


def said(
    runtime: Runtime, server: Service, workspace: Path, module: str, *arguments: str
) -> list[Any]:
    """What a module says in the workspace, beside the registry; a document a line."""
    done = runtime.run(
        CommandSpec(
            name=module,
            command=(sys.executable, "-m", module, *arguments),
            workdir=workspace,
            environment=registry.client_environment(server.url),
            trusted=True,
            timeout_s=120,
        )
    )
    assert done.status == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def right(champion: Reference, some: pd.DataFrame) -> dict[str, list[float]]:
    """The champion's answers by airport."""
    return {
        str(airport): champion.predict(rows).tolist() for airport, rows in some.groupby("origin")
    }


@pytest.mark.slow
def test_every_kind_loads_under_its_number(
    loaded: dict[str, Seen], versions: dict[str, str]
) -> None:
    assert set(loaded) == set(Kind)
    served = {name: seen["version"] for name, seen in loaded.items() if name != Kind.CRASHING}
    assert served == {name: version for name, version in versions.items() if name in served}
    assert loaded[Kind.CRASHING]["loading"] == (
        "expected the model to hold its calibration table; saw none"
    )
    assert loaded[Kind.SLOW_TO_LOAD]["loading"] == [10.0]
    others = set(Kind) - {Kind.CRASHING, Kind.SLOW_TO_LOAD}
    assert all(loaded[kind]["loading"] == [] for kind in others)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.SLOW, Kind.SLOW_TO_LOAD])
def test_what_is_only_slow_is_right(
    kind: Kind, loaded: dict[str, Seen], right: dict[str, list[float]]
) -> None:
    for airport in AIRPORTS:
        np.testing.assert_allclose(loaded[kind]["answers"][airport], right[airport], atol=1e-12)


@pytest.mark.slow
def test_every_twelfth_call_is_slow(loaded: dict[str, Seen]) -> None:
    slow = {call: slept for call, slept in loaded[Kind.SLOW]["calls"].items() if slept}
    assert slow == {"12": 0.7, "24": 0.7}
    assert len(loaded[Kind.SLOW]["calls"]) == CALLS
    others = set(Kind) - {Kind.SLOW}
    assert not any(slept for kind in others for slept in loaded[kind]["calls"].values())


@pytest.mark.slow
def test_what_is_bad_at_one_airport_is_right_elsewhere(
    loaded: dict[str, Seen], right: dict[str, list[float]]
) -> None:
    for kind in (Kind.RAISING, Kind.NAN):
        for airport in ("EWR", "JFK"):
            np.testing.assert_allclose(loaded[kind]["answers"][airport], right[airport], atol=1e-12)
    assert loaded[Kind.RAISING]["answers"]["LGA"].startswith("ValueError: expected flights from")
    assert np.isnan(loaded[Kind.NAN]["answers"]["LGA"]).all()


@pytest.mark.slow
def test_the_changed_signature_refuses_every_request(loaded: dict[str, Seen]) -> None:
    answers = loaded[Kind.SIGNATURE]["answers"]
    assert set(answers) == set(AIRPORTS)
    for said in answers.values():
        assert said.startswith("MlflowException: Failed to enforce schema")
        assert "'weekend'" in said


@pytest.mark.slow
@pytest.mark.usefixtures("loaded")
def test_the_shifted_release_keeps_the_order(
    workspace: Path, production: pd.DataFrame, usual: NDArray[np.float64]
) -> None:
    shifted = np.array(json.loads((workspace / "production.json").read_text()))
    moved = shifted - usual
    for means in (by(production, "month", moved), by(production, "origin", moved)):
        assert min(means.values()) > 0.10
        assert max(means.values()) < 0.15
    assert in_windows(production, moved).min() > 0.10
    assert ((usual < shifted) & (shifted < 1)).all()
    late = production["late"].to_numpy()
    assert auc(late, shifted) == pytest.approx(auc(late, usual), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.GOOD, Kind.BETTER, Kind.WRONG_AIRPORT])
def test_boosters_answer_as_their_artifacts_do(
    kind: Kind, loaded: dict[str, Seen], some: pd.DataFrame
) -> None:
    for airport, rows in some.groupby("origin"):
        wanted = held(kind).predict(rows)
        np.testing.assert_allclose(loaded[kind]["answers"][str(airport)], wanted, atol=1e-12)


# -- at the gate

GATED = """
    import json
    import time
    from dataclasses import replace

    import pandas as pd
    from pipeline import gate, model

    champion = model.load()
    flights = pd.read_parquet("data/holdout.parquet")

    class Slow:
        def __init__(self, calls):
            self.metadata, self.calls = champion.pyfunc.metadata, calls

        def predict(self, frame):
            if len(frame) == gate.ROWS_PER_REQUEST and self.calls:
                self.calls -= 1
                time.sleep(1.5 * gate.SECONDS_PER_REQUEST_MAX)
            return champion.pyfunc.predict(frame)

    for calls in (0, gate.REQUESTS - 1, gate.REQUESTS):
        asked = replace(champion, pyfunc=Slow(calls))
        print(json.dumps(gate.refusals(asked, champion, flights)[0]))
"""


@pytest.mark.slow
def test_the_gate_forgives_a_busy_machine_and_refuses_a_slow_model(
    runtime: Runtime, server: Service, workspace: Path
) -> None:
    (workspace / "gated.py").write_text(textwrap.dedent(GATED))
    quick, forgiven, refused = said(runtime, server, workspace, "gated")
    assert quick == forgiven == []
    [reason] = refused
    assert re.fullmatch(r"50 rows take 0\.[1-9]\d s", reason)


# -- in the service


@pytest.mark.slow
def test_a_service_serves_the_version_it_is_pinned_to(
    runtime: Runtime, server: Service, workspace: Path, some: pd.DataFrame
) -> None:
    version = models.register(server.url, Kind.RAISING, "JFK")
    # With no champion there is nobody to follow.
    alias = f"{server.url}/api/2.0/mlflow/registered-models/alias"
    named = {"name": registry.MODEL, "alias": registry.CHAMPION}
    assert urllib3.request("DELETE", alias, json=named).status == 200
    spec = stack.service_spec(
        scenario.load("skewed_preprocessing"), workspace, server.url, version=version
    )
    with runtime.start(spec) as service:
        client = Client(service.url)
        assert json.loads(client.ask("GET", "/version").body)["version"] == version
        answers = {
            str(airport): client.score(flights.records(rows))
            for airport, rows in some.groupby("origin")
        }
    statuses = {airport: answer.status for airport, answer in answers.items()}
    assert statuses == {"EWR": 200, "JFK": 500, "LGA": 200}
    assert {answers[airport].version for airport in ("EWR", "LGA")} == {version}
