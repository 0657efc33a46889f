"""Probe: test the candidate's own test, against stand-ins that answer rightly or wrongly."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox import registry
from sandbox.traffic.proxy import proxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.plan import Stage
    from sandbox.system.processes import Completed
    from sandbox.traffic.proxy import Answer

PARITY_TEST = "tests/test_parity.py"
# The ticket promises two minutes. A busy machine is no fault of a test: hypothesis takes hundreds
# of requests to make a failure small, on the services that the test is right about.
WITHIN_S = 300.0
# Of pytest: tests passed, or tests failed. Anything else is no verdict of a test.
PASSED, FAILED = 0, 1
TAIL_CHARACTERS = 1_500
# Most of a run is imports; more at a time than the machine has processors gains nothing.
SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class Stand:
    """A stand-in for the service.

    Args:
        name: what is right or wrong about it.
        answer: what it predicts for a request's records.
        faulty: whether a good test fails against it.
        files: the workspace's files as they would be, had the fault come back; only those that the
            submission still has are replaced. A test that takes the server's code for the truth
            finds the fault there, too; one that cannot be run with them is run without.
    """

    name: str
    answer: Answer
    faulty: bool
    files: Mapping[str, str] = field(default_factory=dict)


def run_parity_test(stage: Stage, stands: Sequence[Stand]) -> list[dict[str, Any]]:
    """Run the submission's parity test against each stand-in, in the order given.

    Each run has a copy of the workspace of its own, so that none knows of another. Gives `service`,
    `should`, exit `status` (pytest's: 0 passed, 1 failed), `timed_out` and the output's `tail`.
    """

    version = registry.champion_version(stage.stack.registry.url)
    address = stage.stack.runtime.harness_address

    def tested(name: str, answer: Answer, files: Mapping[str, str]) -> Completed:
        workspace = shutil.copytree(stage.submitted, stage.scratch / name)
        for path, text in files.items():
            if (workspace / path).is_file():
                (workspace / path).write_text(text, encoding="utf-8")
        with proxy(stage.stack.model.url, answer, version, address) as url:
            return stage.stack.run_pipeline(
                *("pytest", "-x", "-q", "-o", "cache_dir=/tmp/pytest"),
                # It costs half a second to import, and hypothesis works without it.
                *("-p", "no:hypothesispytest"),
                PARITY_TEST,
                timeout_s=WITHIN_S,
                # By `CI`, hypothesis asks the same every time and sets no request a deadline.
                environment={"SERVICE_URL": url, "CI": "1"},
                workspace=workspace,
            )

    def run(numbered: tuple[int, Stand]) -> dict[str, Any]:
        number, stand = numbered
        done = tested(f"test-{number}", stand.answer, stand.files)
        if stand.files and not done.timed_out and done.status not in (PASSED, FAILED):
            # It wants of these files what only the submission's own have.
            done = tested(f"test-{number}-again", stand.answer, {})
        return {
            "service": stand.name,
            "should": "fail" if stand.faulty else "pass",
            "status": done.status,
            "timed_out": done.timed_out,
            "tail": (done.stdout + done.stderr)[-TAIL_CHARACTERS:],
        }

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(run, enumerate(stands)))
