"""Values nobody knows: does a service that makes series of them show, and only such a one?"""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.errors import SubmissionFault
from sandbox.probes import strangers
from sandbox.telemetry.exposition import SAMPLES_MAX
from tests.replays import Service, predicted, says

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from sandbox.traffic.client import Answer, Exchange

ROWS = 120


class Counting(Service):
    """Exports a series for each value that a column ever had."""

    column = "carrier"

    def __init__(self) -> None:
        super().__init__()
        self.values: Counter[object] = Counter()
        self.records: list[dict[str, Any]] = []

    def score_all(self, records: Sequence[dict[str, Any]]) -> list[Exchange]:
        self.records.extend(records)
        self.values.update(record[self.column] for record in records)
        json.dumps(list(records), allow_nan=False)
        assert all(0 <= predicted(record) <= 1 for record in records)
        return []

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        return says(
            f"rows_total {sum(self.values.values())}\n"
            + "".join(f'seen{{value="{v}"}} {n}\n' for v, n in self.values.items())
        )


@pytest.fixture
def stage(all_flights: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr(strangers, "ROWS", ROWS)
    return SimpleNamespace(
        flights=all_flights,
        variant=SimpleNamespace(number=lambda purpose: 5),
        stack=SimpleNamespace(model=SimpleNamespace(url="http://127.0.0.1:9")),
    )


def sent(stage: SimpleNamespace, service: Counting, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(strangers, "Client", lambda url: service)
    seen = strangers.send(stage)  # type: ignore[arg-type]
    json.dumps(seen, allow_nan=False)
    return seen


@pytest.mark.parametrize(
    ("column", "grows"),
    [
        ("carrier", True),
        ("dest", True),
        ("origin", True),
        ("flight_id", True),
        ("temp", True),
        ("distance", False),
    ],
)
def test_a_series_a_value_shows(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, column: str, grows: bool
) -> None:
    service = Counting()
    service.column = column
    seen = sent(stage, service, monkeypatch)
    known = {record[column] for record in service.records[:ROWS]}
    assert seen["before"] == len(known) + 1
    assert seen["after"] == len(service.values) + 1
    assert seen["grown"] == ({"seen": seen["after"] - seen["before"]} if grows else {})
    assert (seen["after"] - seen["before"] > ROWS / 10) is grows


def test_strangers_are_the_same_flights_with_other_names(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Counting()
    sent(stage, service, monkeypatch)
    known, strange = service.records[:ROWS], service.records[ROWS:]
    assert len(strange) == ROWS
    changed = {
        name
        for one, other in zip(known, strange, strict=True)
        for name in one
        if one[name] != other[name]
    }
    assert changed == {"flight_id", "carrier", "origin", "dest", *strangers.SHIFTED}
    carriers = {record["carrier"] for record in strange} - set(stage.flights["carrier"])
    assert len(carriers) > ROWS / 2
    for one, other in zip(known, strange, strict=True):
        # Weather stays weather: a service that refuses what is impossible is asked all the same.
        shifts = [other[name] - one[name] for name in strangers.SHIFTED if one[name] is not None]
        assert all(abs(shift) <= 1 for shift in shifts)
        assert max(shifts, default=0) - min(shifts, default=0) < 0.001
    assert {type(record["flight_id"]) for record in strange} == {str}


def test_the_same_is_sent_for_the_same_seed(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, third = Counting(), Counting(), Counting()
    sent(stage, one, monkeypatch)
    sent(stage, other, monkeypatch)
    stage.variant.number = lambda purpose: 6
    sent(stage, third, monkeypatch)
    assert one.records == other.records != third.records


def test_the_metrics_that_grew_most_are_named(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Growing(Counting):
        def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
            rounds = len(self.records) // ROWS
            return says(
                "".join(
                    f'grown_{metric}{{n="{n}"}} 1\n'
                    for metric in range(9)
                    for n in range(1 + max(0, rounds - 1) * metric)
                )
            )

    seen = sent(stage, Growing(), monkeypatch)
    assert seen["grown"] == {f"grown_{n}": n for n in (8, 7, 6, 5, 4)}
    assert (seen["before"], seen["after"]) == (9, 45)


def test_a_label_that_is_cleared_and_set_anew_counts_with_each_value(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(Counting):
        def score_all(self, records: Sequence[dict[str, Any]]) -> list[Exchange]:
            self.values.clear()
            return super().score_all(records)

    service = Forgetful()
    service.column = "flight_id"
    assert sent(stage, service, monkeypatch)["grown"] == {"seen": ROWS}


@pytest.mark.parametrize("when", [1, 2])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>", "cannot be read"),
        ("".join(f'x{{n="{n}"}} 1\n' for n in range(SAMPLES_MAX + 1)), "sample_limit"),
    ],
)
def test_metrics_that_cannot_be_scraped_are_the_submission_s_fault(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, when: int, text: str, said: str
) -> None:
    class Breaking(Counting):
        def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
            return says(text if len(self.records) == when * ROWS else "x 1\n")

    with pytest.raises(SubmissionFault, match=said):
        sent(stage, Breaking(), monkeypatch)
