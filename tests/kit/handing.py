"""What kits are handed out in these tests, and how they are unpacked."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from sandbox import identity, scenario
from sandbox.identity import Key

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.variant import Variant

SECRET = b"known to these tests and to nobody else"
KEY = Key(SECRET)
CANDIDATE = "alice"


def chosen(name: str) -> Variant:
    """What the candidate's kit of a scenario is made from."""
    return identity.kit_variant(scenario.load(name), CANDIDATE, KEY)


def unpacked(archive: Path, destination: Path) -> Path:
    """The kit's folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(destination, filter="data")
    (folder,) = destination.iterdir()
    return folder
