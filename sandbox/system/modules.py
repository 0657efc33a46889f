"""Modules from source of ours that no package holds: plans, graders, a scenario's own data."""

from __future__ import annotations

import sys
from types import ModuleType


def module_from(source: str, name: str, origin: str) -> ModuleType:
    """A module from source text of ours, under a name of its own."""
    module = ModuleType(name)
    module.__file__ = origin
    # Dataclasses look their module up while the body runs.
    sys.modules[name] = module
    try:
        exec(compile(source, origin, "exec"), module.__dict__)  # noqa: S102 - it is our own file
    except BaseException:
        # Nobody shall find half a module there.
        del sys.modules[name]
        raise
    return module
