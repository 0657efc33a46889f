"""Flights as the airports' systems send them, to flights as the features are defined on."""

from __future__ import annotations

import pandas as pd
import skyfeed


def cleaned(flights: pd.DataFrame) -> pd.DataFrame:
    """The same flights, read; columns and index stay, and so do columns beyond the contract."""
    records = [skyfeed.clean(flight) for flight in flights.to_dict("records")]
    return pd.DataFrame(records, columns=flights.columns, index=flights.index)
