"""What a seed chooses inside a scenario, so that no two candidates share an answer key."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.scenario import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.scenario import Scenario

Value = str | int

# What a seed may look like: it becomes part of file names.
SEED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


@dataclass(frozen=True)
class Variant:
    """A scenario's parameters as one seed chose them.

    Args:
        scenario: the scenario's name.
        seed: any text.
        parameters: value by parameter.
        label: what stands for a seed that has to stay secret; empty for the others.
    """

    scenario: str
    seed: str
    parameters: Mapping[str, Value]
    label: str = ""

    @property
    def marked(self) -> str:
        """What the workspace says about itself: the seed, or the label that stands for it."""
        return self.label or self.seed

    def number(self, purpose: str) -> int:
        """A 32-bit seed for one purpose, the same whenever scenario and seed are."""
        return _number(self.scenario, self.seed, purpose)


def choose(scenario: Scenario, seed: str, label: str = "") -> Variant:
    """Draw every parameter, each from its own stream: adding one leaves the others alone."""
    parameters: dict[str, Value] = {}
    for name, space in scenario.variant.items():
        # Which value a seed gives need not resist an attacker: the seed is what is kept secret.
        stream = random.Random(_number(scenario.name, seed, name))  # noqa: S311
        parameters[name] = (
            stream.choice(space.choice)
            if isinstance(space, Choice)
            else stream.randint(space.low, space.high)
        )
    return Variant(scenario.name, seed, parameters, label)


def _number(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:4], "big")
