"""Trains and registers the releases a scenario needs, once, with the healthy pipeline.

The result is a registry's folder that every stack gets a copy of. It is kept under the digest of
what it depends on: the pipeline, the data, and the versions of what trains and registers.

There are three: `releases` holds the champion alone; `catalogue` the same champion, and beside it
a model of each `Kind` that is not registered yet; `prepared` some of them as versions. A running
stack makes more of them versions by `register`, in an order that its seed chooses. Nobody finds out
there which is which: that is written down in the harness's own folder only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import sys
import tempfile
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import compose, flights, paths, registry
from sandbox.errors import HarnessFault
from sandbox.runtimes import open_runtime
from sandbox.runtimes.specs import CommandSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRAINING_WITHIN_S = 300.0
# Every registry here begins with it.
FIRST_VERSION = 1
AIRPORTS = ("EWR", "JFK", "LGA")
_REGISTRY = "registry"
_MODELS = "models.json"
_ARTIFACTS = "mlflow-artifacts:/"


class Kind(StrEnum):
    """What a release is like; figures beside the champion's, on July to November.

    good: trained in smaller steps; its mean prediction is within 0.02, at any hour of the day.
    better: trained with more care; the same, and a higher AUC.
    raising: fails for a request that holds a flight of one airport.
    slow: the champion's predictions, but every twelfth call takes 0.7 s.
    nan: NaN for every flight of one airport.
    shifted: mean prediction higher by 0.11 to 0.12, at any hour of the day, in the same order.
    wrong_airport: mean prediction of one airport higher by about 0.3, others as they were.
    crashing: cannot be loaded.
    signature: asks for a column that the service does not send, so every request fails.
    slow_to_load: the champion's predictions, but loading takes 10 s.
    """

    GOOD = "good"
    BETTER = "better"
    RAISING = "raising"
    SLOW = "slow"
    NAN = "nan"
    SHIFTED = "shifted"
    WRONG_AIRPORT = "wrong_airport"
    CRASHING = "crashing"
    SIGNATURE = "signature"
    SLOW_TO_LOAD = "slow_to_load"


# What is wrong with these is wrong at one airport: there is one model for each.
AT_ONE_AIRPORT = frozenset({Kind.RAISING, Kind.NAN, Kind.WRONG_AIRPORT})
ALL: list[tuple[Kind, str | None]] = [
    (kind, airport)
    for kind in Kind
    for airport in (AIRPORTS if kind in AT_ONE_AIRPORT else (None,))
]


def releases() -> Path:
    """The folder of the registry in which version 1, trained on January to June, is champion.

    Raises:
        HarnessFault: training failed.
    """
    return _kept(f"registry-{_digest()}", _train)


def catalogue() -> Path:
    """The same registry with one logged model of each kind that `register` can make a version.

    Raises:
        HarnessFault: training failed.
    """
    return _catalogue() / _REGISTRY


def prepared(kinds: Sequence[Kind], champion: int) -> Path:
    """The catalogue's registry with versions of these kinds after version 1.

    Args:
        kinds: of versions 2, 3 and so on.
        champion: the version that the champion's alias points at.

    Raises:
        HarnessFault: training failed.
    """

    def make(scratch: Path) -> Path:
        folder = shutil.copytree(catalogue(), scratch / _REGISTRY)
        with open_runtime("process") as runtime, runtime.start(registry.spec(folder)) as server:
            for kind in kinds:
                register(server.url, kind)
            registry.point_champion(server.url, str(champion))
        return folder

    return _kept("-".join((_catalogue().name, *kinds, str(champion))), make)


def register(url: str, kind: Kind, airport: str = "LGA") -> str:
    """Make a release of a kind the next version; returns its number.

    Args:
        url: of a registry that runs on a copy of the catalogue.
        kind: of the release.
        airport: the one that it is bad at, for those of `AT_ONE_AIRPORT`.
    """
    return registry.add_version(url, _model_id(kind, airport))


def release_folder(kind: Kind, airport: str = "LGA") -> Path:
    """The artifacts of a release in the catalogue; arguments as of `register`."""
    [found] = catalogue().glob(f"artifacts/*/models/{_model_id(kind, airport)}/artifacts")
    return found


def label(kind: Kind, airport: str | None) -> str:
    """What one of `ALL` is called."""
    return f"{kind}-{airport}" if airport else str(kind)


def version_folder(registry_folder: Path, version: int = FIRST_VERSION) -> Path:
    """The artifacts of a version, in a registry as this module makes them.

    Raises:
        HarnessFault: it is something else, or has no such version.
    """
    database = registry_folder / "registry.db"
    query = "SELECT storage_location FROM model_versions WHERE name = ? AND version = ?"
    try:
        with contextlib.closing(
            sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
        ) as opened:
            found = opened.execute(query, (registry.MODEL, version)).fetchone()
    except sqlite3.Error as error:
        raise HarnessFault(expected=f"a registry at {database}", seen=str(error)) from error
    if found is None:
        raise HarnessFault(expected=f"version {version} in {database}", seen="none")
    return registry_folder / "artifacts" / str(found[0]).removeprefix(_ARTIFACTS)


def _model_id(kind: Kind, airport: str) -> str:
    name = label(kind, airport if kind in AT_ONE_AIRPORT else None)
    ids: dict[str, str] = json.loads((_catalogue() / _MODELS).read_text("utf-8"))
    if name not in ids:
        raise HarnessFault(expected=f"one of {', '.join(ids)}", seen=name)
    return ids[name]


def _catalogue() -> Path:
    digest = hashlib.sha256(_digest().encode())
    for path in sorted(Path(__file__).with_name("releases").glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return _kept(f"catalogue-{digest.hexdigest()[:16]}", _make)


def _kept(name: str, make: Callable[[Path], Path]) -> Path:
    """A folder of the cache; `make` makes it in a scratch folder where it is not there yet."""
    kept = paths.CACHE / name
    if not kept.exists():
        paths.CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=paths.CACHE, prefix="registry-") as scratch:
            made = make(Path(scratch))
            with contextlib.suppress(OSError):  # another process was faster
                made.rename(kept)
    if not kept.exists():
        raise HarnessFault(expected=f"the trained registry at {kept}", seen="none")
    return kept


def _train(scratch: Path) -> Path:
    folder = scratch / _REGISTRY
    folder.mkdir()
    _run(scratch, folder, "pipeline.train", "--alias", registry.CHAMPION)
    return folder


def _make(scratch: Path) -> Path:
    made = scratch / "catalogue"
    folder = shutil.copytree(releases(), made / _REGISTRY)
    printed = _run(scratch, folder, "sandbox.releases.make")
    ids = printed.splitlines()[-1]
    (made / _MODELS).write_text(ids, "utf-8")
    return made


def _run(scratch: Path, registry_folder: Path, *module: str) -> str:
    """Run a Python module in a healthy workspace beside a registry; what it printed."""
    workdir = compose.compose_healthy(scratch / "healthy")
    # Ours trains ours: no isolation is needed, whichever runtime a submission gets.
    with (
        open_runtime("process") as runtime,
        runtime.start(registry.spec(registry_folder)) as server,
    ):
        done = runtime.run(
            CommandSpec(
                name=f"python -m {module[0]}",
                command=(sys.executable, "-m", *module),
                workdir=workdir,
                environment=registry.client_environment(server.url),
                trusted=True,
                timeout_s=TRAINING_WITHIN_S,
            )
        )
    if done.status != 0:
        raise HarnessFault(
            expected="the releases to be trained and registered",
            seen=f"exit status {done.status}: {done.stderr[-500:]}",
            hint="`sandbox doctor`",
        )
    return done.stdout


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted((paths.HEALTHY / "pipeline").glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for part in (flights.cache_file().name, *(metadata.version(n) for n in ("mlflow", "lightgbm"))):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]
