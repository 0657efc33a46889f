"""A real registry on a copy of the catalogue, and what the harness asks it."""

from __future__ import annotations

import shutil
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from sandbox import models, registry
from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.models import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.runtimes.base import Runtime

pytestmark = pytest.mark.slow
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def url(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Tests go on in their order."""
    folder = shutil.copytree(models.catalogue(), tmp_path_factory.mktemp("kept") / "registry")
    with runtime.start(registry.spec(folder)) as server:
        yield server.url


def asked(url: str, path: str, **fields: str) -> dict[str, Any]:
    answer = urllib3.request("GET", f"{url}/api/2.0/mlflow{path}", fields=fields)
    assert answer.status == 200, answer.data
    content: dict[str, Any] = answer.json()
    return content


def test_it_begins_with_the_champion_alone(url: str) -> None:
    assert registry.newest_version(url) == "1"
    assert registry.champion_version(url) == "1"


def test_releases_are_numbered_as_they_come(url: str) -> None:
    order = [(Kind.SHIFTED, "LGA"), (Kind.NAN, "EWR"), (Kind.GOOD, "LGA"), (Kind.NAN, "JFK")]
    assert [models.register(url, *release) for release in order] == ["2", "3", "4", "5"]
    assert registry.newest_version(url) == "5"
    assert registry.champion_version(url) == "1"


def test_one_release_may_come_twice(url: str) -> None:
    assert models.register(url, Kind.SLOW) == "6"
    assert models.register(url, Kind.SLOW) == "7"


def test_a_version_knows_its_run_and_its_artifacts(url: str) -> None:
    version = models.register(url, Kind.GOOD)
    seen = asked(url, "/model-versions/get", name=registry.MODEL, version=version)["model_version"]
    assert seen["status"] == "READY"
    run = asked(url, "/runs/get", run_id=seen["run_id"])["run"]
    assert run["info"]["status"] == "FINISHED"
    found = asked(url, "/model-versions/get-download-uri", name=registry.MODEL, version=version)
    assert found["artifact_uri"].split("/")[-2] == models.release_folder(Kind.GOOD).parent.name


def test_the_champion_is_pointed_at_any_version(url: str) -> None:
    registry.point_champion(url, "3")
    assert registry.champion_version(url) == "3"
    registry.point_champion(url, "1")
    assert registry.champion_version(url) == "1"


def test_what_the_submission_deleted_is_its_fault(url: str) -> None:
    with pytest.raises(SubmissionFault, match="RESOURCE_DOES_NOT_EXIST"):
        registry.add_version(url, "m-0123456789abcdef0123456789abcdef")
    deleted = models.release_folder(Kind.CRASHING).parent.name
    urllib3.request("DELETE", f"{url}/api/2.0/mlflow/logged-models/{deleted}")
    with pytest.raises(SubmissionFault, match=deleted):
        models.register(url, Kind.CRASHING)


def test_a_model_that_the_submission_deleted_is_its_fault(url: str) -> None:
    fields = {"name": registry.MODEL}
    gone = urllib3.request("DELETE", f"{url}/api/2.0/mlflow/registered-models/delete", json=fields)
    assert gone.status == 200, gone.data
    with pytest.raises(SubmissionFault, match=r"the registry to keep .*registered-models/get"):
        registry.entries(url)


def test_nobody_takes_the_port_of_one_that_is_still_starting(
    runtime: Runtime, tmp_path: Path
) -> None:
    folder = shutil.copytree(models.catalogue(), tmp_path / "registry")
    with registry.launch(runtime, folder) as server:
        address = urllib3.util.parse_url(server.url)
        with pytest.raises(OSError, match=r"in use|assign"):
            socket.create_server((address.host or "", address.port or 0))
        # It is asked before it is ready, and answers once it is.
        assert registry.champion_version(server.url) == "1"


def test_one_that_ends_before_it_listens_is_ours(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(HarnessFault, match=r"registry to answer 200 .*; saw an end with status 1"):
        registry.launch(runtime, tmp_path)


def test_a_database_that_cannot_be_read_is_ours(runtime: Runtime, tmp_path: Path) -> None:
    folder = shutil.copytree(models.catalogue(), tmp_path / "registry")
    with runtime.start(registry.spec(folder)) as server:
        with (folder / "registry.db").open("r+b") as database:
            database.truncate(20_000)
        with pytest.raises(HarnessFault, match="registered-models/alias"):
            registry.champion_version(server.url)


def test_a_registry_that_is_away_is_ours() -> None:
    with pytest.raises(HarnessFault, match="logged-models"):
        models.register(NOBODY, Kind.GOOD)
    with pytest.raises(HarnessFault, match="registered-models/alias"):
        registry.champion_version(NOBODY)
