"""The hidden plan: releases, good and bad, each shipped through the submission's manifest.

Every step gives plain JSON; what it means is decided by the checks.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, models, script
from sandbox.models import Kind
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import releases
from sandbox.shipping import Replica

if TYPE_CHECKING:
    from sandbox.runtimes.base import Service
    from sandbox.script import Script

TRUTH = Path(__file__).with_name("truth.yaml")
TICK_S = 10
# A minute of the stable version alone, then the ticket's fifteen.
RELEASED_AT, WINDOW_TICKS = 6, 90
REQUESTS_PER_TICK, ROWS_PER_REQUEST = 50, 10
ASKED = WINDOW_TICKS * REQUESTS_PER_TICK
# Beyond that share a bad release earns nothing any more, and the rest of it need not be replayed.
EXPOSED_MAX = round(0.34 * ASKED)
STABLE = "1"
# Local dates on which releases come; dates move by whole weeks besides.
DATES = ("2013-07-01", "2013-11-23")
HOURS = range(7, 20)
WEEKS = (-2, -1, 0, 1, 2)
# Step by what is shipped in it. The seed chooses their order, and which of the good ones comes.
BAD = {
    "erring_release": Kind.RAISING,
    "slow_release": Kind.SLOW,
    "release_without_scores": Kind.NAN,
    "shifted_release": Kind.SHIFTED,
}
GOOD = (Kind.GOOD, Kind.BETTER)


def plan(stage: Stage) -> Plan:
    """Two lanes with about as many requests."""
    bad = list(BAD)
    random.Random(stage.variant.number("order")).shuffle(bad)
    return [
        (
            [_release(name) for name in ("good_release", *bad[:2])],
            [Step("unseen_release", _unseen), *(_release(name) for name in bad[2:])],
        ),
        Step("diagnosis", diagnosed),
    ]


def _release(name: str) -> Step:
    def run(stage: Stage) -> dict[str, Any]:
        # One of its own: what a stable replica has answered since its start would say how many
        # releases came before.
        with stage.replica(version=STABLE, ready=False) as stable:
            return _shipped(stage, name, stable)

    return Step(name, run)


def _unseen(stage: Stage) -> dict[str, Any]:
    """The stack's service is the stable one: that it is older tells nothing that is not seen."""
    return _shipped(stage, "unseen_release", stage.stack.model, dark=True)


def _shipped(stage: Stage, name: str, stable: Service, *, dark: bool = False) -> dict[str, Any]:
    chance = random.Random(stage.variant.number(name))
    kind = BAD.get(name) or chance.choice(GOOD)
    return releases.run(
        stage,
        name,
        _customers(stage, chance),
        _versions(stage)[kind],
        Replica(stable, STABLE),
        released_at=RELEASED_AT,
        rows_per_request=ROWS_PER_REQUEST,
        exposed_max=EXPOSED_MAX if name in BAD else None,
        dark=dark,
    )


def _customers(stage: Stage, chance: random.Random) -> Script:
    import pandas as pd  # noqa: PLC0415 - plans are imported while the services start

    day = chance.choice(pd.date_range(*DATES).strftime("%Y-%m-%d").tolist())
    return script.requested(
        stage.flights,
        f"{day} {chance.choice(HOURS):02}:00",
        RELEASED_AT + 1 + WINDOW_TICKS,
        tick_s=TICK_S,
        requests_per_tick=REQUESTS_PER_TICK,
        rows_per_request=ROWS_PER_REQUEST,
        seed=chance.getrandbits(32),
        weeks=chance.choice(WEEKS),
    )


def _versions(stage: Stage) -> dict[Kind, str]:
    """Every kind under a number that nobody has seen, in the seed's order."""

    def register() -> dict[Kind, str]:
        kinds = [*BAD.values(), *GOOD]
        chance = random.Random(stage.variant.number("numbers"))
        chance.shuffle(kinds)
        url = stage.stack.registry.url
        return {kind: models.register(url, kind, chance.choice(models.AIRPORTS)) for kind in kinds}

    return stage.once("versions", register)


def diagnosed(stage: Stage) -> dict[str, Any]:
    """What the candidate says is wrong with the manifest, beside what is."""
    truth = diagnosis.truth(TRUTH, stage.variant)
    return {**diagnosis.read(stage.submitted), "truth": truth}
