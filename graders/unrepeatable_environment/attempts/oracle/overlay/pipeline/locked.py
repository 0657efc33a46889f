"""What `requirements.lock` says, for the record of a model."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
HOST = ("lightgbm", "pandas")


def requirements() -> list[str]:
    """Exact versions: of the host's packages that a model needs, and of ours, from the lock.

    Raises:
        RuntimeError: something else is installed than the lock says.
    """
    locked = dict(PINNED.findall(LOCK.read_text("utf-8")))
    for name, version in locked.items():
        if (installed := metadata.version(name)) != version:
            raise RuntimeError(f"expected {name} {version} from {LOCK.name}; saw {installed}")
    ours = [f"{name}=={version}" for name, version in locked.items()]
    return [*(f"{name}=={metadata.version(name)}" for name in HOST), *ours]
