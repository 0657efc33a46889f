"""A release in the live session: asked for by one process, shipped by the supervisor.

    .sandbox/live/release.json     what was asked for, and how its rollout stands

`sandbox release v2` writes what it wants and reads on; the supervisor ships it through the
candidate's manifest, with dense traffic on a simulated clock of its own, through the router that
the live session's customers ask, too.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import shipping
from sandbox.errors import SandboxError, UsageError
from sandbox.live import session
from sandbox.rollout.manifest import ManifestError, read
from sandbox.rollout.state import PROMOTED, facts
from sandbox.script import requested
from sandbox.shipping import Replica
from sandbox.stack import service_spec
from sandbox.system.waiting import wait_for
from sandbox.telemetry import prometheus
from sandbox.traffic.router import STABLE, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

    from sandbox.rollout.spec import Delivery
    from sandbox.rollout.state import State
    from sandbox.runtimes.base import Runtime
    from sandbox.scenario import Scenario
    from sandbox.script import Script
    from sandbox.traffic.router import Router

FILE = session.FOLDER / "release.json"
TAKEN_UP_WITHIN_S = 15.0
# Far longer than any release takes.
TOLD_WITHIN_S = 60.0
# A minute before, and fifteen after; five requests a second.
TICK_S, RELEASED_AT, TICKS = 10, 6, 97
REQUESTS_PER_TICK, ROWS_PER_REQUEST = 50, 10
WAITED = "after fifteen minutes it still goes on, or waits for somebody: it is taken back"
# The hours at which all airports have flights, first and last.
BY_DAY = (7, 19)


@dataclass(frozen=True)
class Told:
    """How a release stands.

    Args:
        version: what was asked for.
        phase: `asked`, `shipping` or `over`.
        problem: why it could not be shipped.
        now_s: seconds since it was shipped, on the simulated clock.
        rollout: as `rollout.state.facts` gives it; empty before it begins.
    """

    version: str
    phase: str
    problem: str = ""
    now_s: float = 0.0
    rollout: Mapping[str, Any] = field(default_factory=dict)


def ask(version: str) -> Iterator[Told]:
    """Ask the live session for a release, and give how it stands, again and again, to the end.

    Args:
        version: its number, with or without a `v` before it.

    Raises:
        UsageError: nothing runs, nothing is rolled out in it, or another release is on its way.
        HarnessFault: the supervisor does not answer.
    """
    state = session.running()
    if state is None:
        raise UsageError(
            expected="a take-home that runs", seen="none", hint="make start SCENARIO=..."
        )
    number = version.removeprefix("v")
    if number not in state.releases:
        there = ", ".join(f"v{each}" for each in state.releases) or "none"
        raise UsageError(
            expected=f"a release of {state.scenario}, of which there are: {there}",
            seen=version,
            hint="`sandbox list` says which scenarios are about releases",
        )
    if number == state.version:
        raise UsageError(
            expected="another version than the one in production", seen=version, hint="try another"
        )
    before = _read()
    if before is not None and before.phase != "over":
        raise UsageError(
            expected="no release on its way",
            seen=f"v{before.version}, which is {before.phase}",
            hint="wait for its end",
        )
    _write(Told(number, "asked"))
    last = Told(number, "asked")
    within_s = TAKEN_UP_WITHIN_S
    while last.phase != "over":
        previous = last
        last = wait_for(
            lambda previous=previous: _news(previous),  # type: ignore[misc]
            what=f"the supervisor to go on with v{number}",
            within_s=within_s,
            stop_when=lambda: None if session.running() else "the end of the live session",
        )
        within_s = TOLD_WITHIN_S
        yield last


def customers(everything: pd.DataFrame, now: pd.Timestamp, seed: int) -> Script:
    """What customers ask while a release is shipped at a simulated local time.

    At night there is next to nobody: then it is shipped in the morning of that day.
    """
    hour = min(max(now.hour, BY_DAY[0]), BY_DAY[1])
    return requested(
        everything,
        f"{now:%Y-%m-%d} {hour:02}:00",
        TICKS,
        tick_s=TICK_S,
        requests_per_tick=REQUESTS_PER_TICK,
        rows_per_request=ROWS_PER_REQUEST,
        seed=seed,
    )


def forget() -> None:
    """Forget what a session before was asked for."""
    FILE.unlink(missing_ok=True)


def asked_for() -> str:
    """The version that somebody waits for; empty for nobody."""
    told = _read()
    return told.version if told is not None and told.phase == "asked" else ""


@dataclass(frozen=True)
class Site:
    """Where the live session ships releases.

    Args:
        setting: the scenario.
        workspace: the candidate's, with the manifest.
        runtime: where canaries and Prometheus run.
        router: what customers ask.
        registry_url: where models come from.
        scratch: a folder for what a release needs.
        stopped: whether the session is to end.
    """

    setting: Scenario
    workspace: Path
    runtime: Runtime
    router: Router
    registry_url: str
    scratch: Path
    stopped: Callable[[], bool]


class _StoppedError(Exception):
    """The session is to end."""


def ship(site: Site, version: str, script: Script, stable: Replica) -> Replica | None:
    """Ship a release as the workspace's manifest says, and tell how it goes.

    Args:
        site: where.
        version: which.
        script: the customers.
        stable: the replica in production.

    Returns:
        The replica that took over; None where the release was not promoted, and nothing of it runs
        any more.
    """
    told = Told(version, "shipping")
    _write(told)
    spec = service_spec(site.setting, site.workspace, site.registry_url, version=version)
    with ExitStack() as canary_ends:
        try:
            delivery = _manifest(site)
            canary = Replica(canary_ends.enter_context(site.runtime.launch(spec)), version)
            state, now_s = _rolled_out(site, delivery, script, stable, canary)
            problem = "" if state.outcome else WAITED
            told = Told(version, "over", problem, now_s, facts(state))
            if state.outcome == PROMOTED:
                canary_ends.pop_all()
                return canary
        except ManifestError as error:
            told = Told(version, "over", error.listing)
        except (OSError, UnicodeDecodeError, SandboxError) as error:
            told = Told(version, "over", str(error))
        except _StoppedError:
            told = Told(version, "over", "the live session ended")
        finally:
            _write(told)
        site.router.route({STABLE: Share(stable.service.url, 100)})
    return None


def _manifest(site: Site) -> Delivery:
    assert site.setting.manifest is not None
    return read((site.workspace / site.setting.manifest).read_text("utf-8"))


def _rolled_out(
    site: Site, delivery: Delivery, script: Script, stable: Replica, canary: Replica
) -> tuple[State, float]:
    """The rollout as it was left, and when that was."""

    def tell(state: State | None, now_s: float) -> None:
        if site.stopped():
            raise _StoppedError
        if state is not None:
            _write(Told(canary.version, "shipping", "", now_s, facts(state)))

    with (
        tempfile.TemporaryDirectory(dir=site.scratch) as folder,
        prometheus.running(site.runtime, Path(folder), script.tick_s) as server,
    ):
        passage = shipping.ship(
            script,
            delivery,
            shipping.Way(site.router, stable, canary),
            server,
            name=f"v{canary.version}",
            released_at=RELEASED_AT,
            rows_per_request=ROWS_PER_REQUEST,
            watched=tell,
        )
    now_s = (passage.ticks - 1 - RELEASED_AT) * script.tick_s
    state = passage.state
    assert state is not None
    return state, now_s


def _news(before: Told) -> Told | None:
    now = _read()
    return now if now is not None and now != before else None


def _read() -> Told | None:
    try:
        return Told(**json.loads(FILE.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(told: Told) -> None:
    aside = FILE.with_suffix(".partial")
    aside.write_text(json.dumps(asdict(told)), encoding="utf-8")
    aside.replace(FILE)
