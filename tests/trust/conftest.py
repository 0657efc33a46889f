"""The runtimes that keep a submission apart, each in turn, where it can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.runtimes import bubblewrap, docker, open_runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.runtimes.base import Runtime

# What hostile submissions ship is never ours to collect.
collect_ignore = ["submissions"]
MISSING = {"process": bubblewrap.available, "docker": docker.unavailable}


@pytest.fixture(scope="module", params=MISSING)
def name(request: pytest.FixtureRequest) -> str:
    """The name of a runtime that isolates here."""
    if reason := MISSING[request.param]():
        pytest.skip(f"no isolation by {request.param}: {reason}")
    return str(request.param)


@pytest.fixture(scope="module")
def runtime(name: str) -> Iterator[Runtime]:
    """It. Hardly anything lasts from one program to the next, and that is tested elsewhere."""
    with open_runtime(name) as opened:
        yield opened


@pytest.fixture(scope="module")
def in_docker(runtime: Runtime) -> Runtime:
    """It, where it limits what `process` does not."""
    if runtime.name != "docker":
        pytest.skip("process has no such limit, as docs/security.md says and `make grade` repeats")
    return runtime
