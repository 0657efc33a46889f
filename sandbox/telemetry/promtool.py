"""promtool: whether Prometheus would load a rule file, and what it says of a page of metrics.

What is checked is a candidate's, and data: promtool parses it, and opens no other file.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from sandbox.system import tools

if TYPE_CHECKING:
    from pathlib import Path

_WITHIN_S = 20.0
_FINDINGS_MAX = 50
_CHARACTERS_MAX = 500


def check_rules(path: Path) -> str:
    """Why Prometheus would refuse a rule file, in one line; empty if it would load it.

    What is merely poor style (two rules alike, say) is no problem here.

    Raises:
        UsageError: promtool is not installed.
    """
    # Named from the root, so that no name is taken for an option.
    file = path.resolve()
    done = _promtool("check", "rules", "--lint=none", str(file))
    if done is None:
        return f"promtool takes more than {_WITHIN_S:g} s to check {path.name}"
    if done.returncode == 0:
        return ""
    said = done.stderr.replace(f"{file}: ", "").replace(str(file), path.name)
    lines = [" ".join(line.split()) for line in said.splitlines()]
    problem = "; ".join(line for line in lines if line not in ("", "FAILED:"))
    return (problem or f"promtool refuses {path.name}")[:_CHARACTERS_MAX]


def check_metrics(text: str) -> list[str]:
    """What promtool finds wrong with a page of metrics, one line each; none if it likes it.

    A page that it cannot read is one finding, which says so.

    Args:
        text: the page, in Prometheus' text format.

    Raises:
        UsageError: promtool is not installed.
    """
    done = _promtool("check", "metrics", standard_input=text)
    if done is None:
        return [f"promtool takes more than {_WITHIN_S:g} s to check the metrics"]
    if done.returncode == 0:
        return []
    lines = [line.removeprefix("error while linting: ") for line in done.stderr.splitlines()]
    findings = [line[:_CHARACTERS_MAX] for line in lines if line.strip()][:_FINDINGS_MAX]
    return findings or [f"promtool refuses the metrics (status {done.returncode})"]


def _promtool(*arguments: str, standard_input: str = "") -> subprocess.CompletedProcess[str] | None:
    """Run promtool to its end; None when it takes too long. It starts no processes of its own."""
    try:
        return subprocess.run(
            [str(tools.find("promtool")), *arguments],
            input=standard_input,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        return None
