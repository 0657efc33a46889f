"""Instants: whatever an airport's system writes, in UTC."""

from datetime import UTC, datetime, timedelta, timezone

LOCAL = timezone(timedelta(hours=-5))


def instant(text):
    """An ISO 8601 instant in UTC, to the second."""
    if text.endswith("Z"):
        return text
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        read = read.replace(tzinfo=LOCAL)
    return read.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
