import json
import os
import urllib.request

import numpy as np
import pandas as pd

from pipeline import features, model

COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]


def test_parity():
    champion = model.load()
    flights = pd.read_parquet("data/holdout.parquet", columns=COLUMNS).sample(600, random_state=5)
    wanted = champion.predict(features.build(flights, champion.spec))
    # json writes a missing wind gust as NaN
    body = json.dumps({"dataframe_records": flights.to_dict("records")}).encode()
    request = urllib.request.Request(
        os.environ["SERVICE_URL"] + "/invocations", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        said = np.array(json.load(answer)["predictions"])
    assert np.abs(said - wanted).max() <= 1e-6
