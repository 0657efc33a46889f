"""What is dear to make and the same for everybody: real flights, the champion, a Prometheus."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from sandbox import flights as data
from sandbox import models, references
from sandbox.runtimes import open_runtime
from sandbox.telemetry.prometheus import Prometheus, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    from sandbox.references import Reference
    from sandbox.runtimes.base import Runtime

SCRAPE_INTERVAL_S = 60.0


@pytest.fixture(scope="session")
def all_flights() -> pd.DataFrame:
    """The whole data set; leave it as it is."""
    return data.load()


@pytest.fixture(scope="session")
def champion() -> Reference:
    """The champion that every stack starts with; trained where it is not kept yet."""
    return references.champion(models.releases())


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    with open_runtime("process") as opened:
        yield opened


@pytest.fixture
def start_prometheus(
    runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[float], Prometheus]]:
    """Starts servers with a scrape interval of so many seconds; they end with the test."""
    with ExitStack() as servers:

        def start(scrape_interval_s: float) -> Prometheus:
            folder: Path = tmp_path_factory.mktemp("prometheus")
            return servers.enter_context(running(runtime, folder, scrape_interval_s))

        yield start


@pytest.fixture
def prometheus(start_prometheus: Callable[[float], Prometheus]) -> Prometheus:
    """An empty server for targets scraped every minute of simulated time; it is there at once."""
    return start_prometheus(SCRAPE_INTERVAL_S)
