"""The model registry: a real MLflow server on SQLite, and the few questions the harness asks it.

Artifacts go through the server, so that a registry can be copied to another folder and a submission
needs nothing but the address.
"""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.runtimes.specs import HOST, PORT, ServiceSpec
from sandbox.system.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.runtimes.base import Runtime, Service

MODEL = "flight-delay"
CHAMPION = "champion"
READY_WITHIN_S = 60.0
_API = "/api/2.0/mlflow"
# How MLflow says that there is no such model or version, and no such alias.
_GONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
# Takes the port first and imports MLflow then, for seconds: a submission that runs beside it cannot
# take the port meanwhile, and what it asks is answered late instead of refused.
_LISTENS = "the registry listens"
_SERVE = f"""
import socket, sys
listening = socket.create_server((sys.argv[1], int(sys.argv[2])))
print({_LISTENS!r})
import uvicorn
config = uvicorn.Config("mlflow.server.fastapi_app:app", log_level="warning")
uvicorn.Server(config).run(sockets=[listening])
"""


def spec(folder: Path, port: int | None = None) -> ServiceSpec:
    """The server on the registry kept in a folder (`registry.db` and `artifacts/`).

    The `mlflow server` command would import MLflow once to parse its options and again to serve;
    the variables are how it tells its own workers, and halve the time to start.
    """
    return ServiceSpec(
        name="registry",
        command=(
            sys.executable,
            *("-W", "ignore"),
            *("-c", _SERVE, HOST, PORT),
        ),
        workdir=folder,
        environment={
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/registry.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SGI_NAME": "uvicorn",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        ready_path="/health",
        ready_within_s=READY_WITHIN_S,
        trusted=True,
        port=port,
        # Anybody may tell MLflow to take a model from a path; it must not see what we see.
        confined=True,
    )


def launch(runtime: Runtime, folder: Path, port: int | None = None) -> Service:
    """Start the server and wait until the port is its own, but not until it is ready.

    Raises:
        HarnessFault: it ended, or does not get that far.
    """
    server = runtime.launch(spec(folder, port))
    try:
        wait_for(
            lambda: (_LISTENS in server.logs() or not server.alive()) or None,
            what="the registry to listen",
            within_s=READY_WITHIN_S,
        )
        if not server.alive():
            server.wait_ready()  # says why
    except BaseException:
        server.kill()
        raise
    return server


def client_environment(url: str) -> dict[str, str]:
    """What a program needs to use the registry."""
    return {"MLFLOW_TRACKING_URI": url}


def point_champion(url: str, version: str) -> None:
    """Point the champion's alias at a version."""
    fields = {"name": MODEL, "alias": CHAMPION, "version": version}
    _ask(url, "POST", "/registered-models/alias", fields)


def champion_version(url: str) -> str:
    """The version the champion's alias points at.

    Raises:
        SubmissionFault: the model or its alias was deleted.
        HarnessFault: the registry does not answer.
    """
    answer = _ask(url, "GET", "/registered-models/alias", {"name": MODEL, "alias": CHAMPION})
    return str(answer["model_version"]["version"])


def add_version(url: str, model_id: str) -> str:
    """Make a logged model the next version; returns its number. Nothing is copied.

    Args:
        url: the registry's address.
        model_id: of a model that is logged there, as `m-...`.

    Raises:
        SubmissionFault: the model was deleted.
        HarnessFault: the registry does not answer.
    """
    # Where it lies, and not `models:/...`, which the server would ask another registry for.
    logged = _ask(url, "GET", f"/logged-models/{model_id}", {})
    source = str(logged["model"]["info"]["artifact_uri"])
    fields = {"name": MODEL, "source": source, "model_id": model_id}
    answer = _ask(url, "POST", "/model-versions/create", fields)
    return str(answer["model_version"]["version"])


def newest_version(url: str) -> str:
    """The highest version that is registered."""
    answer = _ask(url, "GET", "/registered-models/get", {"name": MODEL})
    versions = answer["registered_model"].get("latest_versions", [])
    return str(max((int(version["version"]) for version in versions), default=0))


def entries(url: str) -> dict[str, Any]:
    """Who is champion, and the tags of every version.

    Returns:
        `champion`: the version, empty where there is none; `tags`: by version.

    Raises:
        SubmissionFault: the model was deleted.
        HarnessFault: the registry does not answer.
    """
    found = _ask(url, "GET", "/registered-models/get", {"name": MODEL})["registered_model"]
    aliases = {alias["alias"]: str(alias["version"]) for alias in found.get("aliases", [])}
    wanted = {"filter": f"name = '{MODEL}'", "max_results": "100"}
    versions = _ask(url, "GET", "/model-versions/search", wanted).get("model_versions", [])
    return {
        "champion": aliases.get(CHAMPION, ""),
        "tags": {
            str(version["version"]): {tag["key"]: tag["value"] for tag in version.get("tags", [])}
            for version in versions
        },
    }


def _ask(url: str, method: str, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
    # What a submission may make the registry answer sends nobody elsewhere.
    options: dict[str, Any] = {"timeout": 10, "redirect": False}
    options["fields" if method == "GET" else "json"] = dict(fields)
    try:
        answer = urllib3.request(method, f"{url}{_API}{path}", **options)
        if answer.status == HTTPStatus.OK:
            content: dict[str, Any] = answer.json()
            return content
        seen = f"{answer.status} {answer.data[:200].decode(errors='replace')}"
        if _error_code(answer.data) in _GONE:
            # Every registry starts with a champion, and nobody but the submission writes to it.
            raise SubmissionFault(expected=f"the registry to keep what {path} asks for", seen=seen)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        seen = str(error)
    raise HarnessFault(expected=f"the registry to answer {method} {path}", seen=seen)


def _error_code(said: bytes) -> str:
    """What MLflow calls its error; its statuses also stand for faults of its database."""
    try:
        return str(json.loads(said)["error_code"])
    except (ValueError, KeyError, TypeError):
        return ""
