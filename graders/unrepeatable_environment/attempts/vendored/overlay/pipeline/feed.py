"""Flights as the airports' systems send them, to flights as the features are defined on."""

from __future__ import annotations

import pandas as pd

from pipeline.reading import read


def cleaned(flights: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        [read(flight) for flight in flights.to_dict("records")],
        columns=flights.columns,
        index=flights.index,
    )
