"""Probe: test the candidate's own test, against stand-ins that answer rightly or wrongly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sandbox.proxy import proxy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.plan import Stage
    from sandbox.proxy import Answer

PARITY_TEST = "tests/test_parity.py"
WITHIN_S = 60.0
TAIL_CHARACTERS = 1_500
# Most of a run is imports; more at a time than the machine has processors gains nothing.
SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class Stand:
    """A stand-in for the service.

    Args:
        name: what is right or wrong about it.
        answer: what it predicts for a request's records.
        should: what a good test does against it.
    """

    name: str
    answer: Answer
    should: Literal["pass", "fail"]


def run_parity_test(stage: Stage, stands: Sequence[Stand]) -> list[dict[str, Any]]:
    """Run the submission's parity test against each stand-in, in the order given.

    Gives `service`, `should`, exit `status` (pytest's: 0 passed, 1 failed), `timed_out` and the
    output's `tail` for each.
    """

    def run(stand: Stand) -> dict[str, Any]:
        with proxy(stage.stack.model.url, stand.answer) as url:
            done = stage.stack.run_pipeline(
                *("pytest", "-x", "-q", "-p", "no:cacheprovider", PARITY_TEST),
                timeout_s=WITHIN_S,
                # Plugins that happen to be installed cost as much as everything else in a run.
                environment={"SERVICE_URL": url, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            )
        return {
            "service": stand.name,
            "should": stand.should,
            "status": done.status,
            "timed_out": done.timed_out,
            "tail": (done.stdout + done.stderr)[-TAIL_CHARACTERS:],
        }

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(run, stands))
