"""Trains and registers the releases a scenario needs, once, with the healthy pipeline.

The result is a registry's folder that every stack gets a copy of. It is kept under the digest of
what it depends on: the pipeline, the data, and the versions of what trains and registers.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from sandbox import compose, flights, paths, registry
from sandbox.errors import HarnessFault
from sandbox.runtimes import open_runtime
from sandbox.runtimes.base import CommandSpec

TRAINING_WITHIN_S = 300.0


def releases() -> Path:
    """The folder of the registry in which version 1, trained on January to June, is champion.

    Raises:
        HarnessFault: training failed.
    """
    kept = paths.CACHE / f"registry-{_digest()}"
    if not kept.exists():
        paths.CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=paths.CACHE, prefix="registry-") as scratch:
            trained = _train(Path(scratch))
            with contextlib.suppress(OSError):  # another process was faster
                trained.rename(kept)
    if not kept.exists():
        raise HarnessFault(expected=f"the trained registry at {kept}", seen="none")
    return kept


def champion_folder(registry_folder: Path) -> Path:
    """The artifacts of the only model in a registry made by `releases`."""
    found = [path.parent for path in registry_folder.glob("artifacts/**/MLmodel")]
    if len(found) != 1:
        raise HarnessFault(expected="one model in the registry", seen=f"{len(found)}")
    return found[0]


def _train(scratch: Path) -> Path:
    folder = scratch / "registry"
    folder.mkdir()
    workdir = compose.compose_healthy(scratch / "healthy")
    # Ours trains ours: no isolation is needed, whichever runtime a submission gets.
    with open_runtime("process") as runtime, runtime.start(registry.spec(folder)) as server:
        done = runtime.run(
            CommandSpec(
                name="training the champion",
                command=(sys.executable, "-m", "pipeline.train", "--alias", registry.CHAMPION),
                workdir=workdir,
                environment=registry.client_environment(server.url),
                trusted=True,
                timeout_s=TRAINING_WITHIN_S,
            )
        )
    if done.status != 0:
        raise HarnessFault(
            expected="the champion to be trained and registered",
            seen=f"exit status {done.status}: {done.stderr[-500:]}",
            hint="`sandbox doctor`",
        )
    return folder


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted((paths.HEALTHY / "pipeline").glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for part in (flights.cache_file().name, *(metadata.version(n) for n in ("mlflow", "lightgbm"))):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]
