"""Probe: install a submission's environment from its lock, on the index as it is and as it may be.

All of it happens where submissions run, by the workspace's own `deploy/run.py`, which is protected.
It installs wheels out of the folder `packages/` with uv, offline, and runs nothing of the
submission. An index is a list of wheels; replacing that folder gives a workspace another one.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from sandbox import registry
from sandbox.errors import SubmissionFault
from sandbox.runtimes.specs import CommandSpec
from sandbox.stack import service_spec
from sandbox.system.processes import TAIL_BYTES
from sandbox.traffic.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sandbox.plan import Stage
    from sandbox.runtimes.base import Service

INDEX = "packages"
RUN = "deploy/run.py"
LOCK = "requirements.lock"
INSTALLED_WITHIN_S = 60.0
TRAINED_WITHIN_S = 120.0
SAID_CHARACTERS = 1_500
LINES_MAX = 500
_ARTIFACTS = "mlflow-artifacts:/"
# What an installer writes down about itself; the listing of `deploy/run.py` leaves it out as well.
INSTALLERS_OWN = frozenset(
    {".lock", "INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"}
)
# What is installed has nothing to do with it, and copying it takes time.
_DATA = "data"


def workspace_on(stage: Stage, wheels: Sequence[Path] | None, *, data: bool = True) -> Path:
    """A copy of the submission beside an index; a name that says nothing is all that it sees.

    Args:
        stage: the stage.
        wheels: the index; None for the one that was handed out.
        data: whether the workspace's data come along.
    """
    left_out = shutil.ignore_patterns() if data else shutil.ignore_patterns(_DATA)
    workspace = stage.scratch / f"replica-{secrets.token_hex(4)}"
    shutil.copytree(stage.submitted, workspace, ignore=left_out)
    if wheels is not None:
        shutil.rmtree(workspace / INDEX)
        (workspace / INDEX).mkdir()
        for wheel in wheels:
            shutil.copyfile(wheel, workspace / INDEX / wheel.name)
    return workspace


def install(stage: Stage, wheels: Sequence[Path] | None = None) -> dict[str, Any]:
    """Install the environment from a clean start; nothing of the submission runs.

    Gives `status` (0 once it is installed), what was `said`, and of an environment that is there
    `locked`, `packages` (version by name), `requires` and `files` (SHA-256 by path).
    """
    workspace = workspace_on(stage, wheels, data=False)
    done = stage.runtime.run(
        CommandSpec(
            name=f"python {RUN} --install",
            command=(sys.executable, "-I", RUN, "--install"),
            workdir=workspace,
            environment={},
            trusted=False,
            timeout_s=INSTALLED_WITHIN_S,
        )
    )
    seen = {"status": done.status, "said": (done.stderr or done.stdout)[-SAID_CHARACTERS:]}
    return {**seen, **(_listing(done.stdout) if done.status == 0 else {})}


def _listing(stdout: str) -> dict[str, Any]:
    """The last line, which the workspace's `deploy/run.py` printed; that file is ours."""
    try:
        said = json.loads(stdout.strip().splitlines()[-1])
        return {key: said[key] for key in ("locked", "packages", "requires", "files")}
    except (ValueError, IndexError, KeyError, TypeError) as error:
        # Ours always ends with such a line; of one that is too long the beginning is lost.
        raise SubmissionFault(
            expected=f"an environment that can be listed in {TAIL_BYTES} bytes", seen=str(error)
        ) from error


@contextmanager
def replica_on(
    stage: Stage, wheels: Sequence[Path] | None, registry_url: str | None = None
) -> Iterator[Service]:
    """A replica of the submission's service that is installed from an index.

    Args:
        stage: the stage.
        wheels: the index; None for the one that was handed out.
        registry_url: where it finds its champion; None for the stack's registry.

    Raises:
        SubmissionFault: it does not get ready.
    """
    url = registry_url or stage.stack.registry.url
    workspace = workspace_on(stage, wheels)
    with stage.runtime.start(service_spec(stage.scenario, workspace, url)) as service:
        yield service


@dataclass(frozen=True)
class Host:
    """Where a training runs: what differs between any two hosts that do the same.

    Args:
        hash_seed: how Python salts the hashes of texts there.
        timezone: of its clock, as POSIX writes it, without a file of zones.
    """

    hash_seed: int
    timezone: str


# Twenty-six hours apart: it is never the same day on both.
HOSTS = (Host(1, "<+14>-14"), Host(2, "<-12>+12"))


@dataclass(frozen=True)
class Training:
    """One run of `pipeline.train`.

    Args:
        data: a parquet file of labelled flights.
        registry_url: where it registers the model.
        host: where it runs.
    """

    data: Path
    registry_url: str
    host: Host


def train(stage: Stage, training: Training) -> str:
    """Train in a workspace of its own; gives the version that was registered.

    Raises:
        SubmissionFault: it does not end in time, or not with 0, or registers nothing.
    """
    before = registry.newest_version(training.registry_url)
    done = stage.runtime.run(
        CommandSpec(
            name="pipeline.train",
            command=(sys.executable, "-I", RUN, "pipeline.train", "--data", str(training.data)),
            workdir=workspace_on(stage, None),
            environment={
                **registry.client_environment(training.registry_url),
                "OMP_NUM_THREADS": "1",
                "PYTHONHASHSEED": str(training.host.hash_seed),
                "TZ": training.host.timezone,
            },
            trusted=False,
            timeout_s=TRAINED_WITHIN_S,
            readable=(training.data,),
        )
    )
    # Ours first: no training can register anything while the registry is away.
    newest = registry.newest_version(training.registry_url)
    if done.timed_out or done.status != 0:
        seen = "no end" if done.timed_out else f"exit status {done.status}"
        raise SubmissionFault(
            expected=f"pipeline.train to exit with 0 within {TRAINED_WITHIN_S:g} s",
            seen=f"{seen}: {done.stderr.strip()[-400:]}",
        )
    if newest == before:
        raise SubmissionFault(
            expected="pipeline.train to register a new version", seen=f"still {before}"
        )
    return newest


def requirements(registry_url: str, version: str) -> list[str]:
    """The lines of a version's own `requirements.txt`, as the registry hands it out.

    Raises:
        SubmissionFault: the version has none, or none that can be read.
    """
    client = Client(registry_url)
    asked = urlencode({"name": registry.MODEL, "version": version})
    place = client.ask("GET", f"/api/2.0/mlflow/model-versions/get-download-uri?{asked}")
    try:
        uri = str(json.loads(place.body)["artifact_uri"])
        path = quote(uri.removeprefix(_ARTIFACTS))
        answer = client.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{path}/requirements.txt")
        text = answer.body.decode("utf-8") if answer.status == HTTPStatus.OK else ""
    except (ValueError, KeyError, TypeError) as error:
        raise SubmissionFault(
            expected=f"the registry to tell where version {version} lies", seen=str(error)
        ) from error
    if not text.strip():
        raise SubmissionFault(
            expected=f"a requirements.txt in version {version}",
            seen=f"status {answer.status} at {uri}",
        )
    return text.splitlines()[:LINES_MAX]
