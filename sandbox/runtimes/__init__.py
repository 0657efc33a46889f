"""Runtimes: where services run. `open_runtime` is the way in; a module here is a runtime."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from sandbox.errors import UsageError

if TYPE_CHECKING:
    from sandbox.runtimes.base import Runtime

# Each is a module of this package with a function `open_runtime()`, imported only when asked for:
# nobody needs Docker's SDK to run plain processes.
NAMES = ("process", "docker", "kubernetes")


def available() -> list[str]:
    """Names of the runtimes there are."""
    return [name for name in NAMES if find_spec(f"{__name__}.{name}")]


def open_runtime(name: str) -> Runtime:
    """A runtime, for use in a `with` statement.

    Raises:
        UsageError: there is no runtime of that name.
    """
    if name not in available():
        raise UsageError(
            expected=f"a runtime out of {', '.join(available())}",
            seen=repr(name),
            hint=f"choose {available()[0]}",
        )
    return cast("Runtime", import_module(f"{__name__}.{name}").open_runtime())
