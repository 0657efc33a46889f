"""The hidden plan: replay unseen flights, retrain on other data, test the candidate's test.

Every step gives plain JSON; what it means is decided by the checks.
"""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import diagnosis, flights, overlay, references, registry
from sandbox.plan import Plan, Stage, Step
from sandbox.probes import inputs, metrics, testing, training
from sandbox.system.modules import module_from
from sandbox.traffic.client import Client, Exchange, predictions_of

if TYPE_CHECKING:
    import pandas as pd

    from sandbox.references import Reference

TRUTH = Path(__file__).with_name("truth.yaml")
SERVER = "service/preprocessing.py"
# The broken server fails on an unknown category; a server that only skews does not.
TOLERANT_CODES = """

def codes(values, known):
    return values.map({value: float(code) for code, value in enumerate(known)})
"""
# What a submission calls its function now, and asks of it, the server had under another name and
# asked otherwise. A test that cannot call it would fail for that alone.
AS_CALLED = """

_built = preprocess


def preprocess(*given, **named):
    found = [*given, *named.values()]
    rows = [each for each in found if isinstance(each, pd.DataFrame | list)]
    specs = [spec for each in found if hasattr(spec := getattr(each, "spec", each), "categories")]
    if not specs:
        from pipeline import model

        specs = [model.load().spec]
    return _built(pd.DataFrame(rows[0]), specs[0])


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return preprocess
"""
HANDED_OUT = "loud+middle+faint"
TIERS = ("loud", "middle", "faint")
SUBSETS = [
    subset for size in range(len(TIERS) + 1) for subset in itertools.combinations(TIERS, size)
]
PRODUCTION_MONTHS = (7, 8, 9, 10, 11)
MALFORMED_ROWS = 3
SPEED_ROWS = 3_000
PARITY_ROWS = 5_000
RETRAINED_ROWS = 2_000
WINDOW_ROWS = 1_050
FAULTY_WINDOWS, CLEAN_WINDOWS_EACH = 2, 2

# What an upstream feed may do to one column, and the feature in which it has to show. The values
# stay possible ones: a strict service refuses impossible ones before any metric sees them.
FEED_FAULTS = {
    "distance_km": ("distance sent in kilometres", "distance", lambda miles: miles * 1.609344),
    "humid_fraction": ("humidity sent as a fraction", "humid", lambda percent: percent / 100),
    "origin": ("every flight sent from one airport", "origin", lambda airports: "EWR"),
    "carrier": ("every flight sent with one carrier", "carrier", lambda carriers: "UA"),
}


def plan(stage: Stage) -> Plan:
    """What concerns the shipped champion while the submission retrains, then the retrained one."""
    return [
        # While nothing else runs: it is the service's time, not the machine's.
        Step("speed", speed),
        (
            [
                Step("parity", parity),
                Step("inputs", input_contract),
                Step("skew_metric", skew_metric),
            ],
            Step("retraining", retraining),
        ),
        Step("promotion", training.promote_newest),
        (
            Step("parity_after_retraining", parity_after_retraining),
            Step("parity_test", parity_test),
        ),
        Step("diagnosis", diagnosed),
    ]


def speed(stage: Stage) -> dict[str, Any]:
    """How long requests of the usual size take."""
    rows = hidden_flights(stage, "speed", SPEED_ROWS, stage.champion)
    exchanges = Client(stage.stack.model.url).score_all(flights.records(rows))
    return {"requests": [exchange.summary() for exchange in exchanges]}


def parity(stage: Stage) -> dict[str, Any]:
    """Hidden flights: served predictions beside references under every subset of the skews."""
    rows = hidden_flights(stage, "parity", PARITY_ROWS, stage.champion)
    client = Client(stage.stack.model.url)
    return replay(stage, rows, stage.champion, client)


def retraining(stage: Stage) -> dict[str, Any]:
    """The submission's own training on other data; the new version is registered, not promoted."""
    with ThreadPoolExecutor(1) as pool:
        # The reference learns from the same rows meanwhile.
        reference = pool.submit(retrained, stage)
        seen = training.train(stage, other_data(stage))
        reference.result()
    return seen


def retrained(stage: Stage) -> Reference:
    """What the healthy pipeline learns from the other data."""
    return stage.once("retrained", lambda: references.retrained(other_data(stage)))


def parity_after_retraining(stage: Stage) -> dict[str, Any]:
    """The same comparison once the retrained version is champion."""
    reference = retrained(stage)
    rows = hidden_flights(stage, "parity after retraining", RETRAINED_ROWS, reference)
    return replay(stage, rows, reference, Client(stage.stack.model.url))


def input_contract(stage: Stage) -> dict[str, Any]:
    """Malformed bodies, and ordinary ones that look unusual."""
    rows = hidden_flights(stage, "inputs", 40, stage.champion)
    client = Client(stage.stack.model.url)
    cases = inputs.ordinary_cases(flights.records(rows))
    sound = flights.records(rows)[:MALFORMED_ROWS]
    # All cases in one frame: most of a prediction's cost is the same for one row as for forty.
    frame = inputs.frame([row for case in cases for row in case.rows])
    predicted = {
        subset: iter(stage.champion.predict(frame, server).tolist())
        for subset, server in skewed_servers(stage).items()
    }
    return {
        "malformed": inputs.send_malformed(client, sound),
        "control": client.score(sound).summary(),
        "ordinary": [
            {
                **inputs.send_ordinary(client, case),
                "references": {
                    subset: list(itertools.islice(values, len(case.rows)))
                    for subset, values in predicted.items()
                },
            }
            for case in cases
        ],
    }


def skew_metric(stage: Stage) -> dict[str, Any]:
    """The exported score by window: for each fault one in which a column is wrong, then clean ones.

    A faulty window is the first that a fresh replica is asked about: what it is compared with has
    to be what the model was trained on, for a service may be wrong from its first row on.
    """
    # Not a feature that the handed-out server skews: two wrongs in one feature may cancel.
    truth = diagnosis.truth(TRUTH, stage.variant)
    skewed = {subject for fact in truth for subject in fact["subject"]}
    possible = sorted(set(FEED_FAULTS) - skewed)
    faults = random.Random(stage.variant.number("feed faults")).sample(possible, FAULTY_WINDOWS)
    windows_in_all = FAULTY_WINDOWS * (1 + CLEAN_WINDOWS_EACH)
    rows = hidden_flights(stage, "skew metric", windows_in_all * WINDOW_ROWS, stage.champion)
    # Shuffled: each window has the same seasons, weekdays and hours in it.
    rows = rows.sample(frac=1, random_state=stage.variant.number("windows"))
    starts = iter(range(0, len(rows), WINDOW_ROWS))
    windows = []
    for faulty in faults:
        with stage.replica() as replica:
            client = Client(replica.url)
            for feature in [faulty, *[None] * CLEAN_WINDOWS_EACH]:
                start = next(starts)
                window = rows.iloc[start : start + WINDOW_ROWS]
                name = "clean"
                if feature is not None:
                    name, column, change = FEED_FAULTS[feature]
                    window = window.assign(**{column: change(window[column])})
                client.score_all(flights.records(window))
                scores = metrics.by_label(client, "feature_skew_score", "feature")
                windows.append({"name": name, "faulty_feature": feature, "scores": scores})
    return {"metric": "feature_skew_score", "windows": windows}


def parity_test(stage: Stage) -> dict[str, Any]:
    """The submission's own parity test, against services that are right or wrong in one way.

    They answer as the champion of the moment would: the retrained one, or where retraining failed,
    the shipped one. The order is the seed's.
    """
    shipped = registry.champion_version(stage.stack.registry.url) == training.SHIPPED
    reference = stage.champion if shipped else retrained(stage)
    servers = skewed_servers(stage)

    def stand(name: str, subset: str) -> testing.Stand:
        def answer(records: list[dict[str, Any]]) -> list[float]:
            return reference.predict(inputs.frame(records), servers[subset]).tolist()

        # Here the server's code is wrong, too: a test that takes it for the truth agrees with it.
        wrong = server_source(stage, subset) + AS_CALLED
        files = {SERVER: wrong} if subset == HANDED_OUT else {}
        return testing.Stand(name, answer, faulty=subset != "none", files=files)

    stands = [
        stand("faithful", "none"),
        stand("as handed out", HANDED_OUT),
        stand("middle skew", "middle"),
        stand("faint skew", "faint"),
    ]
    # An order that no seed tells; it is in the evidence.
    random.SystemRandom().shuffle(stands)
    return {"shipped": shipped, "runs": testing.run_parity_test(stage, stands)}


def diagnosed(stage: Stage) -> dict[str, Any]:
    """What the candidate says broke, beside what did."""
    truth = diagnosis.truth(TRUTH, stage.variant)
    return {**diagnosis.read(stage.submitted), "truth": truth}


def hidden_flights(stage: Stage, purpose: str, rows: int, reference: Reference) -> pd.DataFrame:
    """Production flights drawn anew and moved in time, with categories the model knows."""
    everything = stage.flights
    known = everything["month"].isin(PRODUCTION_MONTHS)
    for column, values in reference.spec.categories.items():
        known &= everything[column].isin(values)
    number = stage.variant.number(purpose)
    weeks = random.Random(number).choice([-3, -2, -1, 1, 2, 3])
    return flights.resample(everything[known], rows=rows, weeks=weeks, seed=number)


def other_data(stage: Stage) -> pd.DataFrame:
    """What the harness retrains on: a third of the training flights, without three carriers: so
    category codes and every threshold differ from the shipped model's.
    """
    rows = flights.training(stage.flights)
    number = stage.variant.number("other data")
    carriers = sorted(rows["carrier"].unique())
    dropped = random.Random(number).sample(carriers[1:-1], 3)
    rows = rows[~rows["carrier"].isin(dropped)]
    return flights.labelled(rows.sample(frac=0.3, random_state=number).sort_index())


def skewed_servers(stage: Stage) -> dict[str, Any]:
    """The preprocessing of a server with each subset of the variant's skews, by name."""
    servers = {}
    for subset in SUBSETS:
        name = "+".join(subset) or "none"
        module = module_from(server_source(stage, name), f"server_with_{name}", SERVER)
        servers[name] = module.preprocess
    return servers


def server_source(stage: Stage, subset: str) -> str:
    """The server's own copy of the features with a subset of the variant's skews."""
    template = (stage.scenario.folder / f"overlay/{SERVER}.j2").read_text("utf-8")
    context = {
        f"{tier}_skew": stage.variant.parameters[f"{tier}_skew"]
        if tier in subset.split("+")
        else ""
        for tier in TIERS
    }
    return overlay.render(template, context, stage.scenario.folder) + TOLERANT_CODES


def replay(
    stage: Stage, rows: pd.DataFrame, reference: Reference, client: Client
) -> dict[str, Any]:
    """Send flights and put what was served beside every reference."""
    with ThreadPoolExecutor(1) as pool:
        # References are computed while the service answers.
        predicted = pool.submit(
            lambda: {
                name: reference.predict(rows, server).tolist()
                for name, server in skewed_servers(stage).items()
            }
        )
        exchanges: list[Exchange] = client.score_all(flights.records(rows))
        by_subset = predicted.result()
    return {
        "rows": len(rows),
        "months": rows["month"].tolist(),
        "late": rows["late"].tolist(),
        "served": predictions_of(exchanges),
        "references": by_subset,
    }
