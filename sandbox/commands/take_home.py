"""The commands of a take-home: from `start` to `submit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox import paths
from sandbox.commands.shared import (
    BELOW,
    UNGRADABLE,
    RuntimeOption,
    WorkspaceOption,
    console,
    relative,
    tell_isolation,
)
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT_SEED = "1"


def list_() -> None:
    """List the scenarios."""
    from sandbox import scenario  # noqa: PLC0415

    for name in scenario.names():
        setting = scenario.load(name)
        typer.echo(f"{name}  ({setting.level}, {setting.time_limit_min} min)")
        typer.echo(f"    {setting.summary}")


def start(
    scenario: Annotated[str, typer.Argument(help="Which take-home, see `sandbox list`.")],
    seed: Annotated[str | None, typer.Option(help="Chooses the variant.")] = None,
    workspace: WorkspaceOption = None,
    runtime: RuntimeOption = "process",
) -> None:
    """Make the workspace if there is none yet, and start the broken service with live traffic."""
    from sandbox import runtimes  # noqa: PLC0415
    from sandbox import scenario as scenarios  # noqa: PLC0415
    from sandbox.live import session, welcome  # noqa: PLC0415

    folder = (workspace or paths.WORK / scenario).resolve()
    runtimes.prepare(runtime, typer.echo)
    if session.running_on(folder) is None:  # refuses before anything is made
        # A kit brings its models along, and its workspace.
        kit = scenarios.load(scenario).handed_out is not None
        typer.echo("Starting ..." if kit else "Starting ... (the first time, models are trained)")
    made = welcome.ensure_workspace(scenario, seed, folder, DEFAULT_SEED) or session.first()
    state = session.start(folder, runtime)
    welcome.greet(console(), state, new=made)


def status() -> None:
    """Tell what runs, with live figures."""
    from sandbox.live import session, welcome  # noqa: PLC0415

    state = session.running()
    if state is None:
        typer.echo("Nothing is running. Start with: make start")
        return
    welcome.show_status(console(), state)


def logs(
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 60,
) -> None:
    """Show the service's last log lines."""
    from sandbox.live import session  # noqa: PLC0415

    if not session.SERVICE_LOG.exists():
        raise UsageError(expected="a take-home that was started", seen="none", hint="make start")
    for line in session.SERVICE_LOG.read_text("utf-8").splitlines()[-lines:]:
        typer.echo(line)


def release(
    version: Annotated[str, typer.Argument(help="Which version of the model, such as v2.")],
) -> None:
    """Ship a version through the workspace's manifest in what runs, and tell how it goes.

    An abort is no error of the command: of a bad release it is what the manifest is for.
    """
    from sandbox.live import releasing  # noqa: PLC0415
    from sandbox.report.passages import closing, lines, problems  # noqa: PLC0415

    terminal = console()
    before: Mapping[str, Any] = {}
    for told in releasing.ask(version):
        for line in lines(before, told.rollout) if told.rollout else ():
            terminal.print(line)
        before = told.rollout or before
        if told.problem:
            for line in problems(told.problem):
                terminal.print(line)
            raise typer.Exit(BELOW)
    terminal.print(closing(version, before["outcome"]))


def check(workspace: WorkspaceOption = None, runtime: RuntimeOption = "process") -> None:
    """Run the public checks on the workspace as it is now."""
    from sandbox import assessment, progress, scenario  # noqa: PLC0415
    from sandbox.evidence import Evidence  # noqa: PLC0415
    from sandbox.live import welcome  # noqa: PLC0415
    from sandbox.report.passages import print_passages  # noqa: PLC0415
    from sandbox.report.terminal import print_scorecard  # noqa: PLC0415
    from sandbox.report.timeline import print_timelines  # noqa: PLC0415

    folder = picked_workspace(workspace)
    welcome.warn_of_protected(console(), folder)
    setting = scenario.load(welcome.scenario_of(folder))
    typer.echo(f"Checking {folder} ...")
    tell_isolation(runtime)
    with paths.run_folder() as results:
        with progress.bars(console()) as shown:
            card = assessment.assess(
                folder,
                results,
                runtime=runtime,
                course=assessment.public_course(setting),
                progress=shown,
            )
        evidence = Evidence(results / assessment.EVIDENCE)
        print_timelines(console(), evidence)
        print_passages(console(), evidence)
        print_scorecard(card, console(), points=False)
        welcome.show_detail(console(), evidence)
    if not card.gradable:
        raise typer.Exit(UNGRADABLE)
    if any(verdict.outcome == "failed" for verdict in card.verdicts):
        raise typer.Exit(BELOW)


def submit(workspace: WorkspaceOption = None) -> None:
    """Pack the workspace into submissions/, and say what was changed."""
    from sandbox import submission  # noqa: PLC0415
    from sandbox.live import welcome  # noqa: PLC0415

    folder = picked_workspace(workspace)
    archive = submission.pack(folder, paths.SUBMISSIONS)
    welcome.show_changes(console(), submission.changes(folder))
    typer.echo(f"Packed into {relative(archive)}")


def stop() -> None:
    """Stop everything that `start` started. The workspace stays."""
    from sandbox.live import session  # noqa: PLC0415

    typer.echo("Stopped." if session.stop() else "Nothing was running.")


def picked_workspace(given: Path | None) -> Path:
    """The workspace that is meant: given, running, or the only one there is."""
    from sandbox.live import session  # noqa: PLC0415

    if given is not None:
        return given.resolve()
    if (state := session.running()) is not None:
        return Path(state.workspace)
    found = sorted(path for path in paths.WORK.glob("[!.]*") if path.is_dir())
    if len(found) != 1:
        raise UsageError(
            expected="one workspace under work/",
            seen=f"{len(found)}",
            hint="make start, or name one with WORKSPACE=",
        )
    return found[0]
