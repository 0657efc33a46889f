"""The commands about this machine: what it has, and what runs left on it."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.commands.shared import UNGRADABLE


def doctor() -> None:
    """Tell every tool, its version and what needs it."""
    from sandbox import upkeep  # noqa: PLC0415

    findings = upkeep.examine()
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.good else 'MISS'} {finding.name:<12} {finding.seen}")
        hint = "" if finding.good else f"; try: {finding.hint}"
        typer.echo(f"     needed for {finding.needed_for}{hint}")
    if any(finding.required and not finding.good for finding in findings):
        raise typer.Exit(UNGRADABLE)


def clean(
    cache: Annotated[
        bool, typer.Option("--cache", help="Also forget data and trained releases.")
    ] = False,
) -> None:
    """Stop and sweep what runs left behind. Workspaces, submissions and results stay."""
    from sandbox import upkeep  # noqa: PLC0415

    for line in upkeep.sweep(cache=cache):
        typer.echo(line)
