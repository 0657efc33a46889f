"""The hidden plan: install the environment on an index that goes on, serve and train with it.

Every step gives plain JSON; what it means is decided by the checks.
"""

from __future__ import annotations

import random
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, flights, references, registry
from sandbox.errors import HarnessFault, SandboxError, SubmissionFault
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import environments, images, inputs, training
from sandbox.probes.environments import HOSTS, Training
from sandbox.probes.images import Published
from sandbox.stack import copy_registry
from sandbox.system.modules import module_from
from sandbox.traffic.client import Client, predictions_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import pandas as pd

HERE = Path(__file__).resolve().parent
TRUTH, HOSTILE = HERE / "truth.yaml", HERE / "index"
MONTHS = (7, 8, 9, 10, 11)
ROWS, RETRAINED_ROWS, TAMPERED_ROWS = 3_000, 3_000, 600
TRAINING_SHARE = 0.2
IMAGE_ROWS = 500
# The ticket: a dated tag never moves, every other one does.
BASE_STAYS = re.compile(r"2013\.(0[1-9]|1[0-2])")


def plan(stage: Stage) -> Plan:
    """Serve and install while it trains, then serve what was trained."""
    trained = Trained()
    return [
        (
            [
                Step("parity", parity),
                Step("inputs", input_contract),
                Step("environments", installed),
                Step("tampering", tampering),
                Step("later", later),
            ],
            Step("training", trained.train),
        ),
        Step("retrained", trained.serve),
        *([Step("image", image)] if stage.runtime.builder else []),
        Step("diagnosis", diagnosed),
    ]


# -- serving


def parity(stage: Stage) -> dict[str, Any]:
    """Hidden flights as they are sent: what is served, beside what was served in May, and beside
    what the service answers as it was handed out.
    """
    rows = hidden_flights(stage, "parity", ROWS)
    exchanges = Client(stage.stack.model.url).score_all(sent(stage, rows))
    with stage.replica(pristine=True) as handed_out:
        before = Client(handed_out.url).score_all(sent(stage, rows))
    return {
        "origins": rows["origin"].tolist(),
        "expected": stage.champion.predict(rows).tolist(),
        "served": predictions_of(exchanges),
        "handed_out": predictions_of(before),
        "requests": [exchange.summary() for exchange in exchanges],
    }


def later(stage: Stage) -> dict[str, Any]:
    """The same flights, by a service that is installed when the index has gone on."""
    rows = hidden_flights(stage, "parity", ROWS)
    with environments.replica_on(stage, gone_on(stage)) as service:
        exchanges = Client(service.url).score_all(sent(stage, rows))
    return {
        "expected": stage.champion.predict(rows).tolist(),
        "served": predictions_of(exchanges),
    }


def input_contract(stage: Stage) -> dict[str, Any]:
    """What the service does anyway."""
    records = flights.records(hidden_flights(stage, "inputs", 40))
    client = Client(stage.stack.model.url)
    return {
        "ordinary": [inputs.send_ordinary(client, case) for case in inputs.ordinary_cases(records)],
        "malformed": inputs.send_malformed(client, records[:3]),
    }


# -- installing


def installed(stage: Stage) -> dict[str, Any]:
    """The environment from the lock: twice today, and once when there are newer releases."""
    return {
        "ours": sorted(index_module(stage).releases(stage.variant)),
        "first": environments.install(stage),
        "again": environments.install(stage),
        "grown": environments.install(stage, grown(stage)),
    }


def tampering(stage: Stage) -> dict[str, Any]:
    """The same with one wheel after the other replaced: same name, same version, other content."""
    clean = environments.install(stage)
    of_may = index_module(stage).releases(stage.variant)
    tried = []
    for package, version in sorted(clean.get("packages", {}).items()):
        hit = [
            flavour
            for flavour, wheel in of_may.get(package, {}).items()
            if wheel.name.startswith(f"{package}-{version}-")
        ]
        for flavour in hit:
            [bad] = (HOSTILE / "tampered" / flavour).glob(f"{package}-*.whl")
            others = [wheel for wheel in todays(stage) if wheel.name != bad.name]
            seen = environments.install(stage, [*others, bad])
            tried.append({"package": package, "version": version, "environment": seen})
    return {"clean": clean, "tried": tried, **served_tampered(stage)}


def served_tampered(stage: Stage) -> dict[str, Any]:
    """What a service answers that is started while every wheel is another one; None where it does
    not start. Whoever reads wheels without installing them has to look at them as well.
    """
    rows = hidden_flights(stage, "tampering", TAMPERED_ROWS)
    wheels = index_module(stage).releases(stage.variant)
    bad = [
        wheel
        for package, flavours in wheels.items()
        for flavour in flavours
        for wheel in (HOSTILE / "tampered" / flavour).glob(f"{package}-*.whl")
    ]
    try:
        with environments.replica_on(stage, bad) as service:
            served = predictions_of(Client(service.url).score_all(sent(stage, rows)))
    except SubmissionFault:
        served = None
    return {"served": served, "expected": stage.champion.predict(rows).tolist()}


def todays(stage: Stage) -> list[Path]:
    """The index that was handed out."""
    return list(index_module(stage).wheels(stage.variant))


def grown(stage: Stage) -> list[Path]:
    """That, and a newer release of each package."""
    return [*todays(stage), *sorted((HOSTILE / "newer").glob("*.whl"))]


def gone_on(stage: Stage) -> list[Path]:
    """That, after a release that the lock does not need was withdrawn: the one that changed what it
    does, or where that is installed, the one before it.
    """
    own = index_module(stage)
    package = own.changed_package(stage.variant)
    before, changed = own.releases(stage.variant)[package].values()
    installed = environments.install(stage).get("packages", {}).get(package)
    withdrawn = before if changed.name.startswith(f"{package}-{installed}-") else changed
    return [wheel for wheel in grown(stage) if wheel != withdrawn]


# -- the image


def image(stage: Stage) -> dict[str, Any]:
    """What `deploy/Dockerfile` makes; only where the runtime can build images."""
    builder = stage.runtime.builder
    if builder is None:
        raise HarnessFault(expected="a runtime that builds images", seen=stage.runtime.name)
    ours = index_module(stage).releases(stage.variant)
    listed = environments.install(stage).get("files", {})
    # What was trained has been champion since.
    registry.point_champion(stage.stack.registry.url, training.SHIPPED)
    # The first of the flights that the service itself was asked about.
    rows = hidden_flights(stage, "parity", ROWS).head(IMAGE_ROWS)
    return images.look(
        stage,
        builder,
        Published("flight-base", BASE_STAYS),
        tops={*ours, *(path.partition("/")[0] for path in listed)},
        records=sent(stage, rows),
    )


# -- training


class Trained:
    """What was trained in one step and is served in another."""

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        self._fault: SandboxError | None = None

    def train(self, stage: Stage) -> dict[str, Any]:
        """Train twice on the same flights and once on others."""
        try:
            self._versions = trained_versions(stage)
        except SandboxError as fault:
            self._fault = fault
            raise
        lines = environments.requirements(stage.stack.registry.url, self._versions["first"])
        host = {each.name: each.version for each in metadata.distributions()}
        return {**self._versions, "requirements": lines, "host": host}

    def serve(self, stage: Stage) -> dict[str, Any]:
        """Each of the three as champion, asked about the same flights; and what the healthy
        pipeline learns from the first ones.
        """
        if self._fault is not None:
            raise self._fault
        rows = hidden_flights(stage, "retrained", RETRAINED_ROWS)
        reference = references.retrained(flights.labelled(training_rows(stage, "training")))
        return {
            **served_by(stage, self._versions, sent(stage, rows)),
            "late": rows["late"].tolist(),
            "reference": reference.predict(rows).tolist(),
        }


def trained_versions(stage: Stage) -> dict[str, str]:
    """Train; gives the versions, and where the last of them is registered.

    The second time is on another host, in a registry of its own: what the first one registered
    cannot be found.
    """
    same, others = (training_file(stage, purpose) for purpose in ("training", "other training"))
    url = stage.stack.registry.url
    folder = copy_registry(stage.releases, stage.scratch / "registry")
    # It ends with the runtime: what was trained is asked for later.
    server = registry.launch(stage.runtime, folder)
    here, elsewhere = HOSTS
    first = environments.train(stage, Training(same, url, here))
    other = environments.train(stage, Training(others, url, here))
    server.wait_ready()
    again = environments.train(stage, Training(same, server.url, elsewhere))
    return {"first": first, "other": other, "again": again, "again_in": server.url}


def served_by(
    stage: Stage, versions: dict[str, str], records: Sequence[dict[str, object]]
) -> dict[str, list[float | None]]:
    """What each of the trained versions answers."""
    url = stage.stack.registry.url
    served = {}
    for name in ("first", "other"):
        registry.point_champion(url, versions[name])
        training.answers_with(stage.stack.model.url, versions[name])
        served[name] = predictions_of(Client(stage.stack.model.url).score_all(records))
    registry.point_champion(versions["again_in"], versions["again"])
    with environments.replica_on(stage, None, versions["again_in"]) as service:
        training.answers_with(service.url, versions["again"])
        served["again"] = predictions_of(Client(service.url).score_all(records))
    return served


# -- what all of them need


def hidden_flights(stage: Stage, purpose: str, rows: int) -> pd.DataFrame:
    """Production flights drawn anew and moved in time, read."""
    number = stage.variant.number(purpose)
    production = stage.flights[stage.flights["month"].isin(MONTHS)]
    weeks = random.Random(number).choice([-3, -2, -1, 1, 2, 3])
    return flights.resample(production, rows=rows, weeks=weeks, seed=number)


def sent(stage: Stage, rows: pd.DataFrame) -> Sequence[dict[str, object]]:
    """Flights as the airports' systems send them."""
    return flights.records(scenario_module(stage, "live").as_sent(rows))


def training_rows(stage: Stage, purpose: str) -> pd.DataFrame:
    """A part of the flights that the champion was trained on, read."""
    number = stage.variant.number(purpose)
    rows = flights.training(stage.flights)
    return rows.sample(frac=TRAINING_SHARE, random_state=number).sort_index()


def training_file(stage: Stage, purpose: str) -> Path:
    """The same as they are sent, in a file. Its name says nothing."""
    path = stage.scratch / f"flights-{stage.variant.number(purpose)}.parquet"
    rows = scenario_module(stage, "live").as_sent(training_rows(stage, purpose))
    flights.write_parquet(rows, path)
    return path


def scenario_module(stage: Stage, name: str) -> ModuleType:
    """A module of the scenario's folder."""
    path = stage.scenario.folder / f"{name}.py"
    return stage.once(
        f"module {name}",
        lambda: module_from(path.read_text("utf-8"), f"{name}_of_{stage.scenario.name}", str(path)),
    )


def index_module(stage: Stage) -> ModuleType:
    """What is on a variant's index."""
    return scenario_module(stage, "data")


def diagnosed(stage: Stage) -> dict[str, Any]:
    """What the candidate says broke, beside what did."""
    truth = diagnosis.truth(TRUTH, stage.variant)
    return {**diagnosis.read(stage.submitted), "truth": truth}
