"""Records: what a registry lacks of who moved the champion, when and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sandbox.grading.records import SLACK_S, missing

BEGAN, ENDED = 1_800_000_000.4, 1_800_000_003.9
COMMAND = {"to": "1", "by": "björn", "why": 'gates "held"', "began": BEGAN, "ended": ENDED}


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(BEGAN + seconds, UTC).isoformat(timespec="seconds")


def registry(champion: str = "1", **changed: str | None) -> dict[str, Any]:
    tags = {"by": "björn", "at": stamp(1), "why": 'gates "held"', "previous": "2", **changed}
    kept = {f"champion.{key}": value for key, value in tags.items() if value is not None}
    return {"champion": champion, "tags": {"1": kept, "2": {}}}


@pytest.mark.parametrize(
    "at",
    [
        stamp(0),
        stamp(ENDED - BEGAN),
        stamp(1).replace("+00:00", "Z"),
        datetime.fromtimestamp(BEGAN, timezone(timedelta(hours=-5))).isoformat(),
    ],
)
def test_a_whole_record_lacks_nothing(at: str) -> None:
    assert missing(registry(at=at), COMMAND, previous="2") == ""
    assert missing(registry(at=at, previous="7"), COMMAND) == ""


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (registry(champion="2"), "the champion is 2"),
        (registry(champion=""), "the champion is nobody"),
        (registry(by="root"), "champion.by is 'root'"),
        (registry(why=None), "no champion.why"),
        (registry(previous=None), "no champion.previous"),
        (registry(at=None), "no champion.at"),
        (registry(at="yesterday"), "champion.at is 'yesterday', not ISO 8601"),
        (registry(at="2027-01-15T08:00:01"), "without an offset"),
        (registry(at=stamp(ENDED - BEGAN + SLACK_S + 2)), "champion.at is +7 s from"),
        (registry(at=stamp(-60)), "champion.at is -60 s from"),
        ({"champion": "1", "tags": {}}, "no champion.by; no champion.why"),
    ],
)
def test_what_is_missing_is_named(seen: dict[str, Any], said: str) -> None:
    assert said in missing(seen, COMMAND, previous="2")
