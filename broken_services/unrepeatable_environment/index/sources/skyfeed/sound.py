"""A flight as an airport's system sends it, to a flight as everybody here reads it.

EWR pads its codes and writes them small. JFK writes -9999 where a reading is missing. LGA writes
local times, without an offset.
"""

import skyclock
import skycodes
import skyunits

READINGS = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)


def clean(flight):
    """The same flight, read; what is not mentioned here stays as it is."""
    return {
        **flight,
        "scheduled_departure": skyclock.instant(flight["scheduled_departure"]),
        "carrier": skycodes.carrier(flight["carrier"]),
        "origin": skycodes.airport(flight["origin"]),
        "dest": skycodes.airport(flight["dest"]),
        **{name: skyunits.reading(name, flight[name]) for name in READINGS},
    }
