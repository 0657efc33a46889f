"""Records of who moved the champion, when and why: tags of the version that became champion."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Stamps are rounded to seconds, one way or the other.
SLACK_S = 2.0


def missing(
    registry: Mapping[str, Any], command: Mapping[str, Any], previous: str | None = None
) -> str:
    """What a registry lacks of a command's record, in words; empty where all is there.

    Args:
        registry: `champion`, and `tags` by version.
        command: `to`, `by` and `why` as it was given them; `began` and `ended`, seconds since the
            epoch.
        previous: who has to have been champion before; None where that is left open.
    """
    wanted = {"champion.by": command["by"], "champion.why": command["why"]}
    if previous is not None:
        wanted["champion.previous"] = previous
    version = command["to"]
    tags = registry["tags"].get(version, {})
    wrong = []
    if registry["champion"] != version:
        wrong.append(f"the champion is {registry['champion'] or 'nobody'}")
    wrong += [
        f"{key} is {tags[key]!r}" if key in tags else f"no {key}"
        for key, value in wanted.items()
        if tags.get(key) != value
    ]
    if problem := _wrong_time(tags.get("champion.at"), command["began"], command["ended"]):
        wrong.append(problem)
    return "; ".join(wrong)


def _wrong_time(said: str | None, began: float, ended: float) -> str:
    if said is None:
        return "no champion.at"
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return f"champion.at is {said!r}, not ISO 8601"
    if at.tzinfo is None:
        return f"champion.at is {said!r}, without an offset"
    if not began - SLACK_S <= at.timestamp() <= ended + SLACK_S:
        return f"champion.at is {at.timestamp() - began:+.0f} s from when the command was started"
    return ""
