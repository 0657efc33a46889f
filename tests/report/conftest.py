"""A realistic grading in a temporary folder: a submission that mended two of three skews."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sandbox import paths
from sandbox.evidence import Evidence, EvidenceWriter, Outcome, Record
from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GRADER = paths.GRADERS / "skewed_preprocessing"
PASSED, FAILED = VerdictOutcome.PASSED, VerdictOutcome.FAILED
PARITY, TESTING = "training-serving parity", "testing"
SKEWS = ("loud", "middle", "faint")
SUBSETS = ("none", "loud", "middle", "faint", "loud+middle", "loud+faint", "middle+faint")
FEATURES = (
    *("carrier", "origin", "dest", "departure_hour", "arrival_minute", "weekday", "distance_km"),
    *("temp_c", "dewp_c", "humid_fraction", "wind_sector", "wind_speed_ms", "wind_gust_ms"),
    *("precip_mm", "pressure_hpa", "visib_km"),
)
UNIFIED = "\n".join(
    (
        "--- before/service/preprocessing.py",
        "+++ after/service/preprocessing.py",
        "@@ -1,13 +1,9 @@",
        ' """Turn a scoring request into model input."""',
        " ",
        " from __future__ import annotations",
        " ",
        "-import numpy as np",
        " import pandas as pd",
        " ",
        "-CARRIERS = (",
        '-    "UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS", "F9", "YV",',
        "-)",
        "-",
        "+from pipeline import features",
        " ",
        " def preprocess(flights: pd.DataFrame, spec) -> pd.DataFrame:",
        "@@ -41,6 +37,3 @@",
        '-    out["temp_c"] = flights["temp"]',
        '+    out["temp_c"] = (flights["temp"] - 32) / 1.8',
        '     out["precip_mm"] = flights["precip"] * 25.4',
        "---- not a header, a removed SQL comment",
        "+++ nor is this one",
    )
)
NOTES = """I compared the features the service computes with those of the pipeline on 500 rows of
the holdout, column by column. Two columns were off by orders of magnitude.

What would have caught it earlier: one implementation instead of two, and a parity test that
runs before every promotion. I ran out of time on the wind columns."""


def replay(rows: int, seed: int, left_in: str, unanswered: int = 0) -> dict[str, Any]:
    """What the `parity` steps record, for a service in which some skews are left."""
    random = np.random.default_rng(seed)
    months = random.integers(7, 12, rows)
    logit = random.normal(-1.1, 0.8, rows)
    late = random.random(rows) < 1 / (1 + np.exp(-(logit * 1.15 + random.normal(0, 0.35, rows))))
    push = {
        "loud": 0.9 + random.normal(0, 0.7, rows),
        "middle": random.normal(0.25, 0.4, rows),
        "faint": np.where(random.random(rows) < 0.3, random.normal(0, 0.12, rows), 0),
    }
    references = {
        name: (
            1 / (1 + np.exp(-(logit + sum(push[s] for s in SKEWS if s in name.split("+")))))
        ).tolist()
        for name in (*SUBSETS, "+".join(SKEWS))
    }
    served: list[float | None] = list(references[left_in])
    served[:unanswered] = [None] * unanswered
    return {
        "rows": rows,
        "months": months.tolist(),
        "late": late.astype(float).tolist(),
        "served": served,
        "references": references,
    }


def speed(requests: int, unanswered: int = 0) -> dict[str, Any]:
    """What the step of that name records."""
    latencies = np.random.default_rng(1).lognormal(2.0, 0.35, requests)
    return {
        "requests": [
            {
                "rows": 50,
                "status": None if number < unanswered else 200,
                "version": "1",
                "latency_ms": float(latency),
                "problem": "",
            }
            for number, latency in enumerate(latencies)
        ]
    }


def documents() -> dict[str, dict[str, Any]]:
    random = np.random.default_rng(5)

    def scores(**changed: float) -> dict[str, float]:
        return {name: float(abs(random.normal(0.02, 0.012))) for name in FEATURES} | changed

    return {
        "case": {
            "scenario": "skewed_preprocessing",
            "seed": "4f1c",
            "variant": {
                "loud_skew": "utc_hour",
                "middle_skew": "temp_fahrenheit",
                "faint_skew": "wind_degrees",
            },
            "submission": {
                "digest": "b7" * 32,
                "added": ["tests/test_features.py"],
                "modified": ["diagnosis.yaml", "service/preprocessing.py", "tests/test_parity.py"],
                "removed": [],
                "protected_restored": ["pipeline/features.py"],
            },
            "diff": [
                {"path": "service/preprocessing.py", "kind": "modified", "unified": UNIFIED},
                {
                    "path": "tests/test_features.py",
                    "kind": "added",
                    "unified": "--- before/x\n+++ after/x\n@@ -0,0 +1,2 @@\n+import numpy\n+\n"
                    "… 12 more lines are not shown (limit 400)",
                },
                {"path": "data/x.bin", "kind": "added", "unified": "a binary file of 12 bytes"},
            ],
            "runtime": {"name": "process", "isolation": "bubblewrap"},
            "collected_at": "2026-02-03T10:11:12Z",
        },
        "speed": speed(60),
        "parity": replay(6000, 1, "faint"),
        "retraining": {"status": 0, "seconds": 4.1, "result": {"version": "2"}},
        "promotion": {"version": "2"},
        "parity_after_retraining": replay(2000, 2, "loud+faint"),
        "inputs": {"malformed": [], "ordinary": []},
        "skew_metric": {
            "metric": "feature_skew_score",
            "windows": [
                {
                    "name": "distance sent in kilometres",
                    "faulty_feature": "distance_km",
                    "scores": scores(distance_km=1.74),
                },
                {"name": "clean", "faulty_feature": None, "scores": scores()},
                {
                    "name": "humidity sent as a fraction",
                    "faulty_feature": "humid_fraction",
                    "scores": scores(humid_fraction=0.03),
                },
                {"name": "clean", "faulty_feature": None, "scores": scores()},
            ],
        },
        "parity_test": {
            "runs": [
                {"service": "middle skew", "should": "fail", "status": 1, "tail": "1 failed"},
                {"service": "faithful", "should": "pass", "status": 0, "tail": "3 passed"},
                {"service": "faint skew", "should": "fail", "status": 0, "tail": "3 passed"},
                {"service": "loud skew", "should": "fail", "status": 1, "tail": "1 failed"},
            ],
        },
        "diagnosis": {
            "findings": [
                {"component": "service.preprocessing", "subject": "temp_c", "kind": "unit"},
                {"component": "service.preprocessing", "subject": "visib_km", "kind": "unit"},
            ],
            "truth": [
                {
                    "component": "service.preprocessing",
                    "subject": ["departure_hour"],
                    "kind": "timezone",
                },
                {"component": "service.preprocessing", "subject": ["temp_c"], "kind": "unit"},
                {
                    "component": "service.preprocessing",
                    "subject": ["wind_gust_ms", "pressure_hpa"],
                    "kind": "missing_values",
                },
            ],
            "notes": NOTES,
            "problem": "",
        },
    }


def verdict(check: str, points: float, share: float, **changed: Any) -> Verdict:
    return dataclasses.replace(
        Verdict(
            check=check,
            title=check.replace("_", " ").capitalize(),
            competency=PARITY,
            outcome=PASSED if share else FAILED,
            points_max=points,
            share=share,
            points=points * share,
            expected="all of it",
            seen="some of it",
            where="parity.served",
        ),
        **changed,
    )


def verdicts() -> list[Verdict]:
    gone = "the {} skew gone from at least 99.5% of the rows it changes"
    return [
        verdict(
            "parity_test_catches_returning_skews",
            15,
            2 / 3,
            title="The candidate's parity test passes on a faithful service and fails on each skew",
            competency=TESTING,
            expected="passes on a faithful service and fails on a service with any one skew",
            seen="passes on the faithful service: yes; catches 2 of 3 skews, not: faint skew",
            where="parity_test.runs",
        ),
        verdict(
            "diagnosis_names_the_faults",
            6,
            0,
            title="The diagnosis names the faults and little else",
            competency="diagnosis",
            expected="3 findings, F1 above 0.5, at most 4 given",
            seen="2 findings, F1 0.40",
            where="diagnosis.findings",
        ),
        verdict(
            "malformed_input_is_refused",
            8,
            0,
            title="Malformed requests get a 4xx with a reason",
            competency="input contract",
            expected="13 malformed requests refused with one of (400, 413, 415, 422)",
            seen="a weather column is missing: 200; an infinity: 500; no rows: 200",
            where="inputs.malformed",
        ),
        verdict(
            "ordinary_input_is_answered",
            5,
            1,
            title="Null weather, unknown categories and every form of the protocol are answered",
            competency="input contract",
            seen="all answered",
            where="inputs.ordinary",
        ),
        verdict(
            "loud_skew_is_gone",
            12,
            1,
            title="The skew that changes predictions most is gone",
            expected=gone.format("loud"),
            seen="gone from 100.00% of them",
        ),
        verdict(
            "middle_skew_is_gone",
            12,
            1,
            title="The skew of middle size is gone",
            expected=gone.format("middle"),
            seen="gone from 100.00% of them",
        ),
        verdict(
            "faint_skew_is_gone",
            12,
            0,
            title="The skew that changes predictions least is gone",
            expected=gone.format("faint"),
            seen="gone from 0.00% of them",
        ),
        verdict(
            "parity_survives_retraining",
            20,
            0,
            title="Parity holds after retraining on other flights",
            expected="at least 99.5% of the rows as the pipeline predicts them",
            seen="3.15% of them",
            where="parity_after_retraining.served",
        ),
        verdict(
            "answers_in_time",
            0,
            1,
            title="Requests of 50 flights are answered in time",
            competency="service levels",
            expected="p95 of at most 300 ms",
            seen="p95 of 12.9 ms over 60 requests",
            where="speed.requests",
            guard=True,
        ),
        verdict(
            "skew_metric_moves",
            10,
            0.5,
            title="The exported skew score rises for the feature that went wrong, and only there",
            competency="monitoring",
            expected="feature_skew_score doubles for the feature that is wrong",
            seen="humidity sent as a fraction: humid_fraction goes from 0.034 to 0.03",
            where="skew_metric.windows",
        ),
    ]


def make_card(**changed: Any) -> Scorecard:
    card = Scorecard(
        scenario="skewed_preprocessing",
        title="Skewed preprocessing",
        seed="4f1c",
        runtime={"name": "process", "isolation": "bubblewrap"},
        verdicts=verdicts(),
        digests={
            name: (digit * 2) * 32
            for name, digit in zip(
                ("scenario", "graders", "submission", "evidence"), "1a7e", strict=True
            )
        },
        tools={"python": "3.11.9", "mlflow": "3.17.2", "sandbox": "0.1.0"},
        durations_s={"collect": 11.42, "grade": 0.31},
        collected_at="2026-02-03T10:11:12Z",
    )
    return dataclasses.replace(card, **changed)


def slowed(guarded: float = 0.0) -> list[Verdict]:
    """The verdicts of a service that answers too late."""
    return [
        dataclasses.replace(
            v, outcome=FAILED, share=guarded, seen="p95 of 812.0 ms over 120 requests"
        )
        if v.guard
        else dataclasses.replace(v, points=v.points * guarded, held_back_by=("answers_in_time",))
        if v.competency == PARITY
        else v
        for v in verdicts()
    ]


@pytest.fixture
def card() -> Scorecard:
    return make_card()


@pytest.fixture
def freeze(tmp_path: Path) -> Callable[..., Evidence]:
    """Makes evidence; a step can be given other data, left out (None), or made a fault."""

    def make(name: str = "evidence", **changed: dict[str, Any] | Record | None) -> Evidence:
        writer = EvidenceWriter(tmp_path / name)
        for step, data in (documents() | changed).items():
            if isinstance(data, Record):
                writer.write(data)
            elif data is not None:
                # A copy as JSON, as a plan's step would give it.
                plain = json.loads(json.dumps(data))
                writer.write(Record(step, Outcome.RECORDED, plain, duration_s=1.25))
        return writer.freeze()

    return make


@pytest.fixture
def evidence(freeze: Callable[..., Evidence]) -> Evidence:
    return freeze()


def fault(step: str, reason: str = "the service did not start", **changed: Any) -> Record:
    record = Record(step, Outcome.SUBMISSION_FAULT, {}, reason, "Traceback ...", 20.0)
    return dataclasses.replace(record, **changed)
