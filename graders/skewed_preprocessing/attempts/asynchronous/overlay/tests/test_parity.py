import os

import aiohttp
import numpy as np
import pandas as pd
import pytest

from pipeline import features, model

pytestmark = pytest.mark.anyio
URL = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")
COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_parity():
    flights = pd.read_parquet("data/holdout.parquet", columns=COLUMNS).sample(400, random_state=3)
    rows = flights.astype(object).where(flights.notna(), None).to_dict("records")
    champion = model.load()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{URL}/invocations", json={"dataframe_records": rows}) as answer,
    ):
        assert answer.status == 200
        said = (await answer.json())["predictions"]
    wanted = champion.predict(features.build(flights, champion.spec))
    np.testing.assert_allclose(said, wanted, rtol=0, atol=1e-6)
