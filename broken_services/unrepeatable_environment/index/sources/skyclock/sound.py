"""Instants: whatever an airport's system writes, in UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("America/New_York")


def instant(text):
    """An ISO 8601 instant in UTC, to the second."""
    if text.endswith("Z"):
        return text
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        read = read.replace(tzinfo=LOCAL)
    return read.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
