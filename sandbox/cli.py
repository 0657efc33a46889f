"""The `sandbox` command: arguments and exit statuses, no logic.

Exit status: 0 done (graded), 1 graded but below `--fail-under`, a check failed or results do not
verify, 2 wrong usage, 3 ungradable: the harness's fault.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox import integrity, paths
from sandbox.errors import SandboxError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from rich.console import Console

    from sandbox.grading.scorecard import Scorecard

BELOW, USAGE, UNGRADABLE = 1, 2, 3
DEFAULT_SEED = "1"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Practical take-home assessments of MLOps engineers.",
    pretty_exceptions_enable=False,
)

for command in (integrity.keygen, integrity.sign, integrity.verify):
    app.command()(command)

WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", help="The workspace folder; work/<scenario> if one.")
]
FormatOption = Annotated[
    str, typer.Option("--format", help="Any of json, junit, summary, html; json is always written.")
]
SecretOption = Annotated[
    Path | None,
    typer.Option(help="File with the hiring team's secret; SANDBOX_SECRET if missing."),
]
RuntimeOption = Annotated[str, typer.Option("--runtime", help="Where services run.")]


def main() -> None:
    """Run the command; an error of ours is one line and an exit status."""
    try:
        app()
    except SandboxError as error:
        first, _, rest = str(error).partition("\n")
        print(f"sandbox: {first}", file=sys.stderr)
        if rest:
            print(rest, file=sys.stderr)
        sys.exit(USAGE if isinstance(error, UsageError) else UNGRADABLE)
    except Exception as error:
        # A bug of ours: no submission is to blame, and the trace is kept for whoever mends it.
        paths.STATE.mkdir(parents=True, exist_ok=True)
        trace = paths.STATE / "crash.log"
        trace.write_text(traceback.format_exc(), encoding="utf-8")
        print(f"sandbox: a fault of ours: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"The trace is in {trace}; please report it.", file=sys.stderr)
        sys.exit(UNGRADABLE)


@app.command("list")
def list_() -> None:
    """List the scenarios."""
    from sandbox import scenario  # noqa: PLC0415

    for name in scenario.names():
        setting = scenario.load(name)
        typer.echo(f"{name}  ({setting.level}, {setting.time_limit_min} min)")
        typer.echo(f"    {setting.summary}")


@app.command()
def start(
    scenario: Annotated[str, typer.Argument(help="Which take-home, see `sandbox list`.")],
    seed: Annotated[str | None, typer.Option(help="Chooses the variant.")] = None,
    workspace: WorkspaceOption = None,
    runtime: RuntimeOption = "process",
) -> None:
    """Make the workspace if there is none yet, and start the broken service with live traffic."""
    from sandbox import session, welcome  # noqa: PLC0415

    folder = (workspace or paths.WORK / scenario).resolve()
    if session.running_on(folder) is None:  # refuses before anything is made
        typer.echo("Starting ... (the first time, the champion is trained as well)")
    # A kit brings its workspace along.
    made = welcome.ensure_workspace(scenario, seed, folder, DEFAULT_SEED) or session.first()
    state = session.start(folder, runtime)
    welcome.greet(_console(), state, new=made)


@app.command()
def status() -> None:
    """Tell what runs, with live figures."""
    from sandbox import session, welcome  # noqa: PLC0415

    state = session.running()
    if state is None:
        typer.echo("Nothing is running. Start with: make start")
        return
    welcome.show_status(_console(), state)


@app.command()
def logs(
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 60,
) -> None:
    """Show the service's last log lines."""
    from sandbox import session  # noqa: PLC0415

    if not session.SERVICE_LOG.exists():
        raise UsageError(expected="a take-home that was started", seen="none", hint="make start")
    for line in session.SERVICE_LOG.read_text("utf-8").splitlines()[-lines:]:
        typer.echo(line)


@app.command()
def release(
    version: Annotated[str, typer.Argument(help="Which version of the model, such as v2.")],
) -> None:
    """Ship a version through the workspace's manifest in what runs, and tell how it goes."""
    from sandbox import releasing  # noqa: PLC0415
    from sandbox.report.passages import lines, problems  # noqa: PLC0415

    console = _console()
    before: Mapping[str, Any] = {}
    for told in releasing.ask(version):
        for line in lines(before, told.rollout) if told.rollout else ():
            console.print(line)
        before = told.rollout or before
        if told.problem:
            for line in problems(told.problem):
                console.print(line)
            raise typer.Exit(BELOW)
    if before.get("outcome") != "promoted":
        raise typer.Exit(BELOW)


@app.command()
def check(workspace: WorkspaceOption = None, runtime: RuntimeOption = "process") -> None:
    """Run the public checks on the workspace as it is now."""
    from sandbox import assessment, progress, scenario, welcome  # noqa: PLC0415
    from sandbox.evidence import Evidence  # noqa: PLC0415
    from sandbox.report.passages import print_passages  # noqa: PLC0415
    from sandbox.report.terminal import print_scorecard  # noqa: PLC0415
    from sandbox.report.timeline import print_timelines  # noqa: PLC0415

    folder = _workspace(workspace)
    welcome.warn_of_protected(_console(), folder)
    setting = scenario.load(welcome.scenario_of(folder))
    typer.echo(f"Checking {folder} ...")
    _tell_isolation(runtime)
    with paths.run_folder() as results:
        with progress.bars(_console()) as shown:
            card = assessment.assess(
                folder,
                results,
                runtime=runtime,
                course=assessment.public_course(setting),
                progress=shown,
            )
        evidence = Evidence(results / assessment.EVIDENCE)
        print_timelines(_console(), evidence)
        print_passages(_console(), evidence)
        print_scorecard(card, _console(), points=False)
        welcome.show_detail(_console(), evidence)
    if not card.gradable:
        raise typer.Exit(UNGRADABLE)
    if any(verdict.outcome == "failed" for verdict in card.verdicts):
        raise typer.Exit(BELOW)


@app.command()
def submit(workspace: WorkspaceOption = None) -> None:
    """Pack the workspace into submissions/, and say what was changed."""
    from sandbox import submission, welcome  # noqa: PLC0415

    folder = _workspace(workspace)
    archive = submission.pack(folder, paths.SUBMISSIONS)
    welcome.show_changes(_console(), submission.changes(folder))
    typer.echo(f"Packed into {_relative(archive)}")


@app.command()
def stop() -> None:
    """Stop everything that `start` started. The workspace stays."""
    from sandbox import session  # noqa: PLC0415

    typer.echo("Stopped." if session.stop() else "Nothing was running.")


@app.command()
def kit(
    scenario: Annotated[str, typer.Argument(help="Which take-home, see `sandbox list`.")],
    candidate: Annotated[str, typer.Option(help="Whom it is for: an ID, not twice the same.")],
    secret_file: SecretOption = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the archive goes; kits/ if missing.")
    ] = None,
) -> None:
    """Make the archive to hand to a candidate: a broken workspace, its checks and the harness."""
    from sandbox import identity  # noqa: PLC0415

    _needs_repository()
    key = identity.required_key(identity.read_key(secret_file))
    from sandbox import kit as kits  # noqa: PLC0415 - pandas, once all else is right

    archive = kits.make(scenario, candidate, key, folder or paths.KITS)
    typer.echo(f"Written: {_relative(archive)}")
    typer.echo(f"Grade what comes back with the same secret: --candidate {candidate}")


@app.command()
def grade(
    submission: Annotated[
        Path | None, typer.Argument(help="Archive or workspace; the last submission if missing.")
    ] = None,
    *,
    runtime: RuntimeOption = "process",
    fail_under: Annotated[
        float, typer.Option(min=0, max=100, help="Exit with 1 below so many points.")
    ] = 0,
    results: Annotated[
        Path | None, typer.Option(help="Folder for the results; results/<id> if missing.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="The seed that was handed out; another is refused.")
    ] = None,
    candidate: Annotated[
        str | None, typer.Option(help="Whose kit it is from; another's is refused.")
    ] = None,
    secret_file: SecretOption = None,
    format_: FormatOption = "json,junit,html",
) -> None:
    """Run the hidden plan and the graders on a submission, and write scorecard and report."""
    from sandbox import assessment, identity, progress  # noqa: PLC0415
    from sandbox.report.formats import read_formats, told  # noqa: PLC0415

    formats = read_formats(format_)
    key = identity.read_key(secret_file)
    path = submission or _last_submission()
    if not path.exists():
        raise UsageError(expected="an archive or a workspace folder", seen=f"nothing at {path}")
    folder = results or _free_results(path)
    typer.echo(f"Grading {path} ...")
    _tell_isolation(runtime)
    with progress.bars(_console()) as shown:
        card = assessment.assess(
            path,
            folder,
            runtime=runtime,
            seed=seed,
            key=key,
            candidate=candidate,
            progress=shown,
        )
    typer.echo(f"{card.title}, seed {card.seed}")
    written = assessment.publish(card, folder, formats)
    _finish(card, fail_under, told(_relative(folder), written, formats))


@app.command()
def regrade(
    results: Annotated[Path, typer.Argument(help="A folder that `grade` wrote.")],
    fail_under: Annotated[
        float, typer.Option(min=0, max=100, help="Exit with 1 below so many points.")
    ] = 0,
    report: Annotated[bool, typer.Option(help="The same as html among the formats.")] = False,
    format_: FormatOption = "json,junit",
) -> None:
    """Grade again from evidence alone."""
    from sandbox import assessment  # noqa: PLC0415
    from sandbox.report.formats import read_formats, told  # noqa: PLC0415

    formats = read_formats(f"{format_},html" if report else format_)
    card = assessment.judge(results)
    written = assessment.publish(card, results, formats)
    _finish(card, fail_under, told(_relative(results), written, formats))


@app.command()
def prove(
    scenario: Annotated[str | None, typer.Argument(help="All scenarios if missing.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Variants of each attempt.")] = 5,
    attempt: Annotated[list[str] | None, typer.Option(help="Only this one; repeatable.")] = None,
    runtime: RuntimeOption = "process",
) -> None:
    """Grade every attempt and compare with what it has to earn."""
    _needs_repository()
    from sandbox import prove as proof  # noqa: PLC0415
    from sandbox import scenario as scenarios  # noqa: PLC0415

    names = [scenario] if scenario else scenarios.names()
    kept = paths.RESULTS / "prove"
    trials = []
    for name in names:
        scenarios.load(name)
        for trial in proof.prove(name, seeds=seeds, only=attempt or [], runtime=runtime, keep=kept):
            trials.append(trial)
            mark = "ok " if trial.proven else "NOT"
            seen = "ungradable" if trial.observed is None else f"{trial.observed:g}"
            typer.echo(
                f"{mark} {trial.scenario} {trial.attempt:<18} {trial.seed:<9} "
                f"expected {trial.expected:g}, observed {seen}  ({trial.seconds:g} s)"
            )
            for difference in trial.differences:
                typer.echo(f"      {difference}")
    if not trials:
        raise UsageError(expected="attempts to grade", seen=f"none named {attempt}")
    proof.write_matrix(trials, kept / "matrix.json")
    wrong = sum(not trial.proven for trial in trials)
    typer.echo(f"{len(trials) - wrong} of {len(trials)} as expected")
    if wrong:
        raise typer.Exit(BELOW)


@app.command()
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


@app.command()
def clean(
    cache: Annotated[
        bool, typer.Option("--cache", help="Also forget data and trained releases.")
    ] = False,
) -> None:
    """Stop and sweep what runs left behind. Workspaces, submissions and results stay."""
    from sandbox import upkeep  # noqa: PLC0415

    for line in upkeep.sweep(cache=cache):
        typer.echo(line)


def _needs_repository() -> None:
    """Refuse where there are no graders: in a kit, which lacks the rest of it, too."""
    if not paths.GRADERS.is_dir():
        raise UsageError(
            expected=f"the hiring team's repository, with graders at {paths.GRADERS}",
            seen="none",
            hint="a candidate has `sandbox check`",
        )


def _tell_isolation(runtime: str) -> None:
    """Say what keeps the submission apart from this machine, before any of it runs."""
    from sandbox.runtimes import open_runtime  # noqa: PLC0415

    with open_runtime(runtime) as opened:
        if opened.isolation.startswith("none"):
            typer.echo(f"Isolation: {opened.isolation}", err=True)


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console()


def _workspace(given: Path | None) -> Path:
    """The workspace that is meant: given, running, or the only one there is."""
    from sandbox import session  # noqa: PLC0415

    if given is not None:
        return given.resolve()
    if (state := session.running()) is not None:
        return Path(state.workspace)
    found = sorted(path for path in paths.WORK.glob("*") if path.is_dir())
    if len(found) != 1:
        raise UsageError(
            expected="one workspace under work/",
            seen=f"{len(found)}",
            hint="make start, or name one with WORKSPACE=",
        )
    return found[0]


def _last_submission() -> Path:
    archives = sorted(paths.SUBMISSIONS.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not archives:
        raise UsageError(
            expected="a submission under submissions/",
            seen="none",
            hint="make submit, or name one with SUBMISSION=",
        )
    return archives[-1]


def _free_results(submission: Path) -> Path:
    stem = submission.name.removesuffix(".tar.gz")
    number = 1
    while (folder := paths.RESULTS / f"{stem}.{number}").exists():
        number += 1
    return folder


def _relative(path: Path) -> Path:
    return path.resolve().relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _finish(card: Scorecard, fail_under: float, told: Iterable[str]) -> None:
    from sandbox.report.terminal import print_scorecard  # noqa: PLC0415

    print_scorecard(card, _console())
    for line in told:
        typer.echo(line)
    if not card.gradable:
        raise typer.Exit(UNGRADABLE)
    if card.points < fail_under:
        raise typer.Exit(BELOW)
