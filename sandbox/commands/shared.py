"""What several commands share: options, exit statuses, and how they speak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

BELOW, USAGE, UNGRADABLE = 1, 2, 3

WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", help="The workspace folder; work/<scenario> if one.")
]
RuntimeOption = Annotated[str, typer.Option("--runtime", help="Where services run.")]


def tell_isolation(runtime: str) -> None:
    """Say what keeps the submission apart from this machine, before any of it runs."""
    from sandbox.runtimes import open_runtime, prepare  # noqa: PLC0415

    prepare(runtime, lambda line: typer.echo(line, err=True))
    with open_runtime(runtime) as opened:
        if opened.isolation.startswith("none"):
            typer.echo(f"Isolation: {opened.isolation}", err=True)


def console() -> Console:
    """Where commands print."""
    from rich.console import Console  # noqa: PLC0415

    return Console()


def relative(path: Path) -> Path:
    """A path as it is shown: from where the command was typed, if it lies below."""
    return path.resolve().relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
