"""What a candidate reads in the terminal: the ticket, what is live, what to do next."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from sandbox import scenario as scenarios
from sandbox.errors import UsageError
from sandbox.live.session import REGISTRY_PORT, SERVICE_PORT
from sandbox.report.words import plain
from sandbox.variant import SEED
from sandbox.workspace import MARK, read_mark

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from sandbox.evidence import Evidence
    from sandbox.live.session import Alert, Figures, Monitoring, State
    from sandbox.scenario import Scenario
    from sandbox.submission import Changes

AUC_NOTEBOOK = "0.82 in the notebook, on training rows"


def ensure_workspace(scenario: str, seed: str | None, folder: Path, default_seed: str) -> bool:
    """Make the workspace unless it is there; whether it was made.

    Raises:
        UsageError: something else is there, or the workspace is of another scenario or seed.
    """
    setting = scenarios.load(scenario)
    if seed is not None and not SEED.fullmatch(seed):
        raise UsageError(
            expected="a seed of letters, digits and . _ @ + -, at most 64",
            seen=repr(seed),
            hint="choose another SEED=",
        )
    if (folder / MARK).exists():
        mark = read_mark(folder)
        if mark.scenario != scenario or seed not in {None, mark.seed}:
            raise UsageError(
                expected=f"a workspace of {scenario}{f' with seed {seed}' if seed else ''}",
                seen=f"{mark.scenario} with seed {mark.seed} at {folder}",
                hint="choose another WORKSPACE=",
            )
        return False
    from sandbox import compose, identity  # noqa: PLC0415 - pandas, only where one is made

    compose.compose(setting, identity.variant_of(setting, seed or default_seed), folder)
    return True


def scenario_of(folder: Path) -> str:
    """The scenario of a workspace."""
    return read_mark(folder).scenario


def greet(console: Console, state: State, *, new: bool) -> None:
    """What `start` prints: the ticket, the live service, what to edit, what to type."""
    setting = scenarios.load(state.scenario)
    if new:
        ticket = (setting.folder / "TICKET.md").read_text("utf-8")
        console.print(Markdown(ticket.partition("## Useful")[0]))
        console.rule()
    show_status(console, state)
    console.print(
        Text.assemble(
            ("Ticket    ", "bold"),
            f"{state.workspace}/TICKET.md, which ends with the words for diagnosis.yaml\n",
            ("Edit      ", "bold"),
            f"{', '.join(setting.editable)}\n",
            ("Next      ", "bold"),
            f"{', '.join(f'make {target}' for target in _targets(setting))}\n",
            ("Pipeline  ", "bold"),
            f"cd {state.workspace}; export MLFLOW_TRACKING_URI={state.registry_url} "
            f"SERVICE_URL={state.service_url}",
        )
    )


def _targets(setting: Scenario) -> tuple[str, ...]:
    release = ("release VERSION=v2",) if setting.manifest else ()
    return ("status", "logs", *release, "check", "submit", "stop")


def show_status(console: Console, state: State) -> None:
    """What `status` prints."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    figures = state.figures
    table.add_row("Take-home", f"{state.scenario}, seed {state.seed}")
    table.add_row("Workspace", state.workspace)
    table.add_row(
        "Service",
        _address(state.service_url, SERVICE_PORT, "POST /invocations, /version, /metrics"),
    )
    table.add_row("Registry", _address(state.registry_url, REGISTRY_PORT, "MLflow"))
    if state.monitoring is not None:
        table.add_row("Prometheus", _prometheus(state.monitoring))
    if state.phase == "running":
        table.add_row("State", Text("running", "green"))
    else:
        table.add_row("State", Text(f"{state.phase}: {state.problem}", "red"))
    if figures.now:
        table.add_row("Clock", f"{figures.now} (simulated)")
        table.add_row(
            "Traffic",
            f"{figures.requests_per_s:g} requests/s, a replay with an hour's flights in each, "
            f"p95 {figures.p95_ms:g} ms, {figures.errors:.1%} without a prediction",
        )
        table.add_row("Version", Text(plain(figures.version) or "the answers do not say"))
    if figures.auc is not None:
        table.add_row(
            "Customers",
            Text.assemble(
                (f"AUC {figures.auc:.2f}", "bold"),
                f" on the last {figures.labelled} flights with labels ({AUC_NOTEBOOK})\n"
                f"{_pipeline(figures)}"
                f"predicted {figures.mean_prediction:.0%} late, {figures.late_rate:.0%} were",
            ),
        )
    console.print(table)


def _address(url: str, wanted: int, what: str) -> str:
    """An address, and why it is not the one that the guide names."""
    elsewhere = url and not url.endswith(f":{wanted}")
    return f"{url}  ({what}{f'; another program has port {wanted}' if elsewhere else ''})"


def _prometheus(said: Monitoring) -> Text:
    """Where it is and what is loaded; below it, what a candidate has to know, a line each."""
    if not said.url:
        return Text(said.problem, "yellow")
    if said.problem:
        return Text.assemble(f"{said.url}  ", (said.problem, "red"))
    firing = [alert for alert in said.alerts if alert.firing]
    pending = [alert for alert in said.alerts if not alert.firing]
    names = ", ".join(dict.fromkeys(alert.name for alert in firing)) or "none"
    text = Text(f"{said.url}  ({said.rules} rules loaded, firing: {names})")
    for alert in firing:
        text.append(f"\nfiring   {_alert(alert)}", "red")
    for alert in pending:
        text.append(f"\npending  {_alert(alert)}", "yellow")
    if said.refused:
        text.append(
            f"\nthe rule file is refused, and what was loaded before goes on: {said.refused}", "red"
        )
    for trouble in said.troubles:
        text.append(f"\n{trouble}", "red")
    return text


def _alert(alert: Alert) -> str:
    since = datetime.fromisoformat(alert.since).astimezone()
    series = f", {alert.series} series" if alert.series > 1 else ""
    return f"{alert.name} ({alert.severity or 'no severity'}) since {since:%H:%M:%S}{series}"


def _pipeline(figures: Figures) -> str:
    if figures.pipeline_auc is None:
        return ""
    return f"AUC {figures.pipeline_auc:.2f} from the pipeline itself, on the same flights\n"


def show_detail(console: Console, evidence: Evidence) -> None:
    """The log lines of the first step that the submission broke, where there are any."""
    for step in evidence.steps:
        detail = evidence.record(step).detail
        if detail:
            console.print(Text(detail[-3_000:], "dim"))
            return


def show_changes(console: Console, changes: Changes) -> None:
    """What `submit` says was changed."""
    for word, files in (
        ("added", changes.added),
        ("changed", changes.modified),
        ("removed", changes.removed),
    ):
        for path in files:
            console.print(Text(f"  {word:<8} {path}"))
    if not (changes.submitted or changes.removed):
        console.print("  nothing was changed")
    _tell_protected(console, changes)


def warn_of_protected(console: Console, folder: Path) -> None:
    """Say which protected files differ, since they are put back before anything is judged."""
    from sandbox.submission import changes  # noqa: PLC0415

    _tell_protected(console, changes(folder))


def _tell_protected(console: Console, changes: Changes) -> None:
    for path in changes.protected_touched:
        console.print(Text(f"  protected, and put back before grading: {path}", "yellow"))
