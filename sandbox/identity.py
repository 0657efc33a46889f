"""Whose kit it is: seeds that only the hiring team can find, and the labels that stand for them.

    seed     HMAC(secret, "seed", scenario, candidate): chooses the variant, and is written nowhere
    label    kit+<candidate>+HMAC(secret, "label", scenario, candidate): what a kit's mark says

A label shows that whoever has the secret made a kit for that candidate. It tells nothing about the
seed, and nobody without the secret can make one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox import variant
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.scenario import Scenario
    from sandbox.variant import Variant

VARIABLE = "SANDBOX_SECRET"
SECRET_BYTES_MIN = 32
HINT = 'make one with: python3 -c "import secrets; print(secrets.token_hex(32))"'
_SEED_CHARACTERS, _TAG_CHARACTERS = 40, 20
# A label has to fit `variant.SEED`, which stands where it stands.
CANDIDATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,38}")
LABEL = re.compile(rf"kit\+({CANDIDATE.pattern})\+([0-9a-f]{{{_TAG_CHARACTERS}}})")


@dataclass(frozen=True)
class Key:
    """The hiring team's secret.

    Args:
        secret: at least `SECRET_BYTES_MIN` bytes; never shown, and never written.
    """

    secret: bytes = field(repr=False)

    def seed(self, scenario: str, candidate: str) -> str:
        """What chooses a candidate's variant."""
        return self._code("seed", scenario, candidate)[:_SEED_CHARACTERS]

    def label(self, scenario: str, candidate: str) -> str:
        """What stands for that seed in whatever the candidate sees.

        Raises:
            UsageError: the candidate's ID cannot be a part of a file's name.
        """
        if not CANDIDATE.fullmatch(candidate):
            raise UsageError(
                expected="a candidate's ID of letters, digits and . _ @ -, at most 39",
                seen=repr(candidate),
                hint="give another --candidate",
            )
        return f"kit+{candidate}+{self._code('label', scenario, candidate)[:_TAG_CHARACTERS]}"

    def _code(self, *parts: str) -> str:
        return hmac.new(self.secret, "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def read_key(file: Path | None = None) -> Key | None:
    """The secret from a file, else from the environment; None where neither is given.

    The variable is gone from the environment afterwards: no program that we start inherits it.

    Raises:
        UsageError: the file cannot be read, or the secret is too short.
    """
    secret = os.environb.pop(VARIABLE.encode(), b"").strip()
    where = VARIABLE
    if file is not None:
        where = str(file)
        try:
            secret = file.read_bytes().strip()
        except OSError as error:
            raise UsageError(
                expected=f"the hiring team's secret in {file}",
                seen=error.strerror or type(error).__name__,
                hint=HINT,
            ) from error
    elif not secret:
        return None
    if len(secret) < SECRET_BYTES_MIN:
        raise UsageError(
            expected=f"a secret of at least {SECRET_BYTES_MIN} bytes in {where}",
            seen=f"{len(secret)}",
            hint=HINT,
        )
    return Key(secret)


def required_key(key: Key | None) -> Key:
    """The key.

    Raises:
        UsageError: there is none.
    """
    if key is None:
        raise UsageError(
            expected="the hiring team's secret, which kits are made and graded with",
            seen="none",
            hint=f"set {VARIABLE} or give --secret-file",
        )
    return key


def kit_variant(setting: Scenario, candidate: str, key: Key) -> Variant:
    """The variant of a candidate's kit.

    Raises:
        UsageError: the candidate's ID is none.
    """
    label = key.label(setting.name, candidate)
    return variant.choose(setting, key.seed(setting.name, candidate), label)


def variant_of(
    setting: Scenario, marked: str, key: Key | None = None, candidate: str | None = None
) -> Variant:
    """The variant of a workspace or a submission.

    Args:
        setting: its scenario.
        marked: what it says about itself: a seed, or the label of a kit.
        key: the hiring team's secret; needed for a kit, except inside of it.
        candidate: whose it has to be; None believes the label, which only the secret can make.

    Raises:
        UsageError: it is of a kit and there is no secret, or of a kit that was made with another
            one or for somebody else; or it is of no kit, and a candidate is given.
    """
    kit = LABEL.fullmatch(marked)
    if kit is None:
        if candidate is not None:
            raise UsageError(
                expected=f"a submission from the kit of candidate {candidate}",
                seen=f"one of a workspace that was made with the seed {marked!r}",
                hint="grade it with --seed",
            )
        return variant.choose(setting, marked)
    if setting.handed_out is not None:
        # Inside a kit everything has been chosen.
        return variant.choose(setting, marked)
    if candidate not in {None, kit[1]}:
        raise UsageError(
            expected=f"a submission of candidate {candidate}",
            seen=f"one of {kit[1]}",
            hint="ask the candidate for the work in the kit that was handed out",
        )
    chosen = kit_variant(setting, kit[1], required_key(key))
    if not hmac.compare_digest(chosen.marked, marked):
        raise UsageError(
            expected=f"a submission from a kit for {setting.name}, made with this secret",
            seen=f"{marked}, which was not",
            hint="give the secret that the kit was made with",
        )
    return chosen
