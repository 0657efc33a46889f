"""Kits of every scenario, made once and unpacked where nothing else is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from sandbox import kit
from tests.kit.handing import CANDIDATE, KEY, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def archive_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The archive by the scenario's name."""
    folder = tmp_path_factory.mktemp("kits")
    return cache(lambda name: kit.make(name, CANDIDATE, KEY, folder))


@pytest.fixture(scope="session")
def kit_of(
    archive_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The unpacked kit by the scenario's name; leave it as it is."""
    return cache(lambda name: unpacked(archive_of(name), tmp_path_factory.mktemp("unpacked")))
