"""Instants: whatever an airport's system writes, in UTC."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("America/New_York")
WRITTEN = "%Y-%m-%dT%H:%M:%SZ"


@lru_cache(maxsize=10_000)
def instant(text):
    """An ISO 8601 instant in UTC, to the second."""
    if text.endswith("Z"):
        return text
    read = datetime.fromisoformat(text)
    aware = read if read.tzinfo else read.replace(tzinfo=LOCAL)
    return aware.astimezone(UTC).strftime(WRITTEN)
