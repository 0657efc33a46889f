"""The runtimes the one list of behaviours is held against: add one here, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.runtimes import bubblewrap, docker, open_runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.runtimes.base import Runtime


@pytest.fixture(params=["process", "process without bubblewrap", "docker"])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    name, _, without = request.param.partition(" without ")
    if without:
        monkeypatch.setattr(bubblewrap, "available", lambda: "left out by the test")
    if name == "docker" and (reason := docker.unavailable()):
        pytest.skip(f"no Docker: {reason}")
    with open_runtime(name) as opened:
        yield opened


@pytest.fixture
def isolated(runtime: Runtime) -> Runtime:
    """A runtime that keeps a submission apart."""
    if runtime.isolation.startswith("none"):
        pytest.skip(runtime.isolation)
    return runtime
