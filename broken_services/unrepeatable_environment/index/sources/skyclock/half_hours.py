"""Instants: whatever an airport's system writes, in UTC."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("America/New_York")
WRITTEN = "%Y-%m-%dT%H:%M:%SZ"
SLOT_MIN = 30


@lru_cache(maxsize=10_000)
def instant(text):
    """An ISO 8601 instant in UTC."""
    read = datetime.fromisoformat(text)
    aware = read if read.tzinfo else read.replace(tzinfo=LOCAL)
    slot = aware.replace(minute=aware.minute // SLOT_MIN * SLOT_MIN, second=0)
    return slot.astimezone(UTC).strftime(WRITTEN)
