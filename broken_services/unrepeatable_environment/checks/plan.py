"""The public plan: install, serve the flights of the recording, and train twice on a few."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, flights, registry
from sandbox.errors import SubmissionFault
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import environments, images, inputs, training
from sandbox.probes.environments import HOSTS, Training
from sandbox.system.modules import module_from
from sandbox.traffic.client import Client, predictions_of

if TYPE_CHECKING:
    from pathlib import Path

NOTE = b"\n# not what it was\n"
RECORDING = "data/recorded_in_may.json"
TRAINING_ROWS = 12_000


def plan(stage: Stage) -> Plan:
    """Serve and install while it trains; then serve what was trained, which moves the alias."""
    return [
        (
            [Step("recording", recording), Step("environments", installed)],
            Step("training", trained),
        ),
        Step("retrained", retrained),
        Step("dockerfile", dockerfile),
        Step("diagnosis", lambda stage: diagnosis.read(stage.submitted)),
    ]


def recording(stage: Stage) -> dict[str, Any]:
    """The flights of the recording as they were sent, beside the champion's answers in May."""
    known = recorded(stage)
    exchanges = Client(stage.stack.model.url).score_all([each["sent"] for each in known])
    read = inputs.frame([each["read"] for each in known])
    return {
        "expected": stage.champion.predict(read).tolist(),
        "served": predictions_of(exchanges),
        "problems": sorted({each.problem for each in exchanges if each.problem}),
    }


def installed(stage: Stage) -> dict[str, Any]:
    """The environment, twice; and once with something else in one of the wheels."""
    first = environments.install(stage)
    wheels = sorted((stage.pristine / environments.INDEX).glob("*.whl"))
    # One that is installed; the first of the index where it cannot be told.
    chosen = [wheel for wheel in wheels if is_of(wheel, first.get("packages", {}))] or wheels
    tampered = with_a_note(chosen[0], stage.scratch)
    others = [wheel for wheel in wheels if wheel.name != tampered.name]
    return {
        "first": first,
        "again": environments.install(stage),
        "changed": tampered.name,
        "tampered": environments.install(stage, [*others, tampered]),
    }


def trained(stage: Stage) -> dict[str, Any]:
    """Train twice on the same flights."""
    rows = flights.training(stage.flights).sample(TRAINING_ROWS, random_state=1).sort_index()
    path = stage.scratch / "flights.parquet"
    feed = stage.scenario.folder / "live.py"
    sent = module_from(feed.read_text("utf-8"), "feed_in_checks", str(feed)).as_sent(rows)
    flights.write_parquet(sent, path)
    url = stage.stack.registry.url
    first, again = (environments.train(stage, Training(path, url, host)) for host in HOSTS)
    return {
        "first": first,
        "again": again,
        "requirements": environments.requirements(url, first),
    }


def retrained(stage: Stage) -> dict[str, Any]:
    """What the two newest versions answer."""
    url = stage.stack.registry.url
    newest = int(registry.newest_version(url))
    if newest < 3:
        raise SubmissionFault(expected="two models that were trained", seen=f"{newest - 1}")
    records = [each["sent"] for each in recorded(stage)]
    served = {}
    for name, version in (("first", newest - 1), ("again", newest)):
        registry.point_champion(url, str(version))
        training.answers_with(stage.stack.model.url, str(version))
        served[name] = predictions_of(Client(stage.stack.model.url).score_all(records))
    return served


def dockerfile(stage: Stage) -> dict[str, Any]:
    """What the image would be built on; nothing is built."""
    return images.read(stage, images.Published("flight-base"))


def recorded(stage: Stage) -> list[dict[str, Any]]:
    """The recording; it is protected."""
    found: list[dict[str, Any]] = json.loads((stage.pristine / RECORDING).read_text("utf-8"))
    return found


def is_of(wheel: Path, packages: dict[str, str]) -> bool:
    name, version, *_ = wheel.name.split("-")
    return packages.get(name) == version


def with_a_note(wheel: Path, folder: Path) -> Path:
    """The same wheel with a comment in its modules: other files, and works as before."""
    changed = folder / wheel.name
    with zipfile.ZipFile(wheel) as found, zipfile.ZipFile(changed, "w") as archive:
        for entry in found.infolist():
            note = NOTE if entry.filename.endswith(".py") else b""
            archive.writestr(entry, found.read(entry) + note)
    return changed
