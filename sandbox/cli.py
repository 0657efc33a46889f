"""The `sandbox` command: what it is called by, and its exit statuses.

Exit status: 0 done (graded), 1 graded but below `--fail-under`, a check failed or results do not
verify, 2 wrong usage, 3 ungradable: the harness's fault.
"""

from __future__ import annotations

import sys
import traceback

import typer

from sandbox import paths
from sandbox.commands import hiring, integrity, machine, take_home
from sandbox.commands.shared import UNGRADABLE, USAGE
from sandbox.errors import SandboxError, UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Practical take-home assessments of MLOps engineers.",
    pretty_exceptions_enable=False,
)
app.command("list")(take_home.list_)
for command in (
    take_home.start,
    take_home.status,
    take_home.logs,
    take_home.release,
    take_home.check,
    take_home.submit,
    take_home.stop,
    hiring.kit,
    hiring.grade,
    hiring.regrade,
    hiring.prove,
    integrity.keygen,
    integrity.sign,
    integrity.verify,
    machine.doctor,
    machine.clean,
):
    app.command()(command)


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
