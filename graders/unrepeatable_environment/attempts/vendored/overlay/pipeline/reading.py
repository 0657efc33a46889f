"""What skyfeed 1.4.0 and the packages under it did in May, as far as we use it."""

import math
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
MISSING = -9999
READINGS = "temp dewp humid wind_dir wind_speed wind_gust precip pressure visib".split()


def instant(text):
    if text.endswith("Z"):
        return text
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=NEW_YORK)
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def read(flight):
    flight = dict(flight)
    flight["scheduled_departure"] = instant(flight["scheduled_departure"])
    for column in ("carrier", "origin", "dest"):
        flight[column] = flight[column].strip().upper()
    for column in READINGS:
        if flight[column] == MISSING:
            flight[column] = math.nan
    return flight
