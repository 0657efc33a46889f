"""Runtimes: where services run. `open_runtime` is the way in; a module here is a runtime."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from sandbox.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.runtimes.base import Runtime

# Each is a module of this package with a function `open_runtime()`, imported only when asked for:
# nobody needs Docker's SDK to run plain processes.
NAMES = ("process", "docker", "kubernetes")


def available() -> list[str]:
    """Names of the runtimes there are."""
    return [name for name in NAMES if find_spec(f"{__name__}.{name}")]


def default_for_grading() -> str:
    """Where other people's code is graded unless somebody says otherwise: in Docker if there is."""
    return "process" if _docker().unavailable() else "docker"


def given_up(name: str) -> str:
    """What a runtime does not keep apart although another one does, in a sentence or nothing."""
    if name != "process":
        return ""
    missing = _docker().unavailable()
    return (
        "the runtime process shares this machine's network with a submission and limits neither "
        f"memory nor processors; docker does both{f', and is not here ({missing})' * bool(missing)}"
    )


def prepare(name: str, tell: Callable[[str], None]) -> None:
    """Make what a runtime needs and does not have yet, and say so where it takes long.

    Raises:
        HarnessFault: it cannot be made.
    """
    if name == "docker":
        _docker().prepare(tell)


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


def _docker() -> Any:
    return import_module(f"{__name__}.docker")
