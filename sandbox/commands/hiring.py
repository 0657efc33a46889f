"""The hiring team's commands: hand out, grade, and prove the graders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox import paths
from sandbox.commands.shared import (
    BELOW,
    UNGRADABLE,
    RuntimeOption,
    console,
    relative,
    tell_isolation,
)
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.grading.scorecard import Scorecard

FormatOption = Annotated[
    str, typer.Option("--format", help="Any of json, junit, summary, html; json is always written.")
]
FailUnderOption = Annotated[
    float,
    typer.Option(
        "--fail-under",
        min=0,
        max=100,
        help="Exit with 1 below so many points of 100, or percent of what could run here.",
    ),
]
SecretOption = Annotated[
    Path | None,
    typer.Option(help="File with the hiring team's secret; SANDBOX_SECRET if missing."),
]


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

    needs_repository()
    key = identity.required_key(identity.read_key(secret_file))
    from sandbox import kit as kits  # noqa: PLC0415 - pandas, once all else is right

    archive = kits.make(scenario, candidate, key, folder or paths.KITS)
    typer.echo(f"Written: {relative(archive)}")
    typer.echo(f"Grade what comes back with the same secret: --candidate {candidate}")


def grade(
    submission: Annotated[
        Path | None, typer.Argument(help="Archive or workspace; the last submission if missing.")
    ] = None,
    *,
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", help="Where services run; docker where it is, else process."),
    ] = None,
    fail_under: FailUnderOption = 0,
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
    from sandbox import assessment, identity, progress, runtimes  # noqa: PLC0415
    from sandbox.report.formats import read_formats, told  # noqa: PLC0415

    formats = read_formats(format_)
    key = identity.read_key(secret_file)
    path = submission or _last_submission()
    if not path.exists():
        raise UsageError(expected="an archive or a workspace folder", seen=f"nothing at {path}")
    folder = results or _free_results(path)
    typer.echo(f"Grading {path} ...")
    runtime = runtime or runtimes.default_for_grading()
    tell_isolation(runtime)
    if given_up := runtimes.given_up(runtime):
        typer.echo(f"Isolation: {given_up}", err=True)
    with progress.bars(console()) as shown:
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
    _finish(card, fail_under, told(relative(folder), written, formats))


def regrade(
    results: Annotated[Path, typer.Argument(help="A folder that `grade` wrote.")],
    fail_under: FailUnderOption = 0,
    report: Annotated[bool, typer.Option(help="The same as html among the formats.")] = False,
    format_: FormatOption = "json,junit",
) -> None:
    """Grade again from evidence alone."""
    from sandbox import assessment  # noqa: PLC0415
    from sandbox.report.formats import read_formats, told  # noqa: PLC0415

    formats = read_formats(f"{format_},html" if report else format_)
    card = assessment.judge(results)
    written = assessment.publish(card, results, formats)
    _finish(card, fail_under, told(relative(results), written, formats))


def prove(
    scenario: Annotated[str | None, typer.Argument(help="All scenarios if missing.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Variants of each attempt.")] = 5,
    attempt: Annotated[list[str] | None, typer.Option(help="Only this one; repeatable.")] = None,
    runtime: RuntimeOption = "process",
    jobs: Annotated[int, typer.Option(min=1, help="How many to grade side by side.")] = 1,
) -> None:
    """Grade every attempt and compare with what it has to earn."""
    needs_repository()
    from sandbox import prove as proof  # noqa: PLC0415
    from sandbox import scenario as scenarios  # noqa: PLC0415

    names = [scenario] if scenario else scenarios.names()
    kept = paths.RESULTS / "prove"
    trials = []
    for name in names:
        scenarios.load(name)
        for trial in proof.prove(
            name, seeds=seeds, only=attempt or [], runtime=runtime, jobs=jobs, keep=kept
        ):
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


def needs_repository() -> None:
    """Refuse where there are no graders: in a kit, which lacks the rest of it, too."""
    if not paths.GRADERS.is_dir():
        raise UsageError(
            expected=f"the hiring team's repository, with graders at {paths.GRADERS}",
            seen="none",
            hint="a candidate has `sandbox check`",
        )


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


def _finish(card: Scorecard, fail_under: float, told: Iterable[str]) -> None:
    from sandbox.report.terminal import print_scorecard  # noqa: PLC0415

    print_scorecard(card, console())
    for line in told:
        typer.echo(line)
    if not card.gradable:
        raise typer.Exit(UNGRADABLE)
    if card.percent < fail_under:
        raise typer.Exit(BELOW)
