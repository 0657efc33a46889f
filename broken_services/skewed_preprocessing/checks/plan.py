"""The public plan: a few seconds of feedback, on flights that everybody may see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from sandbox import diagnosis, flights
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import inputs, metrics, testing
from sandbox.traffic.client import Client, predictions_of

FIRST_DAY, LAST_DAY = "2013-07-01", "2013-07-14"
PARITY_ROWS = 500
METRIC_ROWS = 1_500
MALFORMED = ("a weather column is missing", "text where a number belongs", "not JSON")
ORDINARY = ("all weather is null", "an unknown carrier", "dataframe_split")
# Not one of the faults of the take-home: a test that looks at every feature sees it all the same.
OFF_BY = 1.15


def plan(stage: Stage) -> Plan:
    """What is quick, then the candidate's test."""
    return [
        Step("parity", parity),
        Step("inputs", input_contract),
        Step("skew_metric", skew_metric),
        Step("parity_test", parity_test),
        Step("diagnosis", lambda stage: diagnosis.read(stage.submitted)),
    ]


def parity(stage: Stage) -> dict[str, Any]:
    """Served predictions beside the pipeline's."""
    rows = public_flights(stage).sample(PARITY_ROWS, random_state=1)
    with ThreadPoolExecutor(1) as pool:
        # The model is loaded and asked while the service answers.
        expected = pool.submit(lambda: stage.champion.predict(rows).tolist())
        exchanges = Client(stage.stack.model.url).score_all(flights.records(rows))
        return {
            "served": predictions_of(exchanges),
            "expected": expected.result(),
            "problems": sorted({e.problem for e in exchanges if e.problem}),
        }


def input_contract(stage: Stage) -> dict[str, Any]:
    """A few malformed requests and a few ordinary ones."""
    records = flights.records(public_flights(stage).head(40))
    client = Client(stage.stack.model.url)
    return {
        "malformed": [
            case for case in inputs.send_malformed(client, records[:3]) if case["case"] in MALFORMED
        ],
        "ordinary": [
            inputs.send_ordinary(client, case)
            for case in inputs.ordinary_cases(records)
            if case.name in ORDINARY
        ],
    }


def skew_metric(stage: Stage) -> dict[str, Any]:
    """The exported scores after ordinary traffic."""
    rows = public_flights(stage).sample(METRIC_ROWS, random_state=2)
    client = Client(stage.stack.model.url)
    client.score_all(flights.records(rows))
    scores = metrics.by_label(client, "feature_skew_score", "feature")
    return {"scores": scores, "features": list(stage.champion.features.FEATURES)}


def parity_test(stage: Stage) -> dict[str, Any]:
    """The candidate's parity test against a service that is right and one that is not."""
    champion = stage.champion

    def right(records: list[dict[str, Any]]) -> list[float]:
        return champion.predict(inputs.frame(records)).tolist()

    def wrong(records: list[dict[str, Any]]) -> list[float]:
        rows = inputs.frame(records)
        return champion.predict(rows.assign(distance=rows["distance"] * OFF_BY)).tolist()

    services = [
        testing.Stand("right", right, faulty=False),
        testing.Stand("wrong", wrong, faulty=True),
    ]
    return {"runs": testing.run_parity_test(stage, services)}


def public_flights(stage: Stage) -> pd.DataFrame:
    """The first two weeks of production."""
    departure = stage.flights["departure"].dt.strftime("%Y-%m-%d")
    return stage.flights[departure.between(FIRST_DAY, LAST_DAY)]
