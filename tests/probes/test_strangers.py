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

ROWS, FILLING_ROWS = 120, 1_300
STRANGERS = FILLING_ROWS + ROWS


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
    monkeypatch.setattr(strangers, "KNOWN_ROWS", ROWS)
    monkeypatch.setattr(strangers, "FILLING_ROWS", FILLING_ROWS)
    monkeypatch.setattr(strangers, "COUNTED_ROWS", ROWS)
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
    before = {record[column] for record in service.records[:-ROWS]}
    assert seen["before"] == len(before) + 1
    assert seen["after"] == len(service.values) + 1
    assert seen["grown"].get("seen", 0) == seen["after"] - seen["before"]
    assert (seen["after"] - seen["before"] > 20) is grows
    assert seen["rows"] == ROWS


def test_strangers_are_flights_with_other_names(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Counting()
    sent(stage, service, monkeypatch)
    strange = service.records[ROWS:]
    assert len(strange) == STRANGERS
    for column in ("carrier", "dest"):
        assert not {record[column] for record in strange} & set(stage.flights[column])
    assert {record["distance"] for record in strange} <= set(stage.flights["distance"])
    assert {"EWR", "JFK", "LGA"} < {record["origin"] for record in strange}
    for record in strange:
        # Weather stays weather: a service that refuses what is impossible is asked all the same.
        if record["temp"] is not None and record["dewp"] is not None:
            assert record["dewp"] <= record["temp"] + 0.001
    assert {type(record["flight_id"]) for record in strange} == {str}


def test_what_counts_has_not_come_before(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Counting()
    sent(stage, service, monkeypatch)
    filling, counted = service.records[ROWS:-ROWS], service.records[-ROWS:]
    for column in ("carrier", "dest"):
        first, second = ({record[column] for record in rows} for rows in (filling, counted))
        assert not first & second
        assert len(second) > 50


def test_what_is_bounded_may_come_late(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Capped(Counting):
        """Names the first hundred carriers that it has not seen, and nobody after them."""

        def score_all(self, records: Sequence[dict[str, Any]]) -> list[Exchange]:
            for record in records:
                full = len(self.values) >= 100 and record["carrier"] not in self.values
                self.values["other" if full else record["carrier"]] += 1
            self.records.extend(records)
            return []

    seen = sent(stage, Capped(), monkeypatch)
    assert (seen["before"], seen["after"], seen["grown"]) == (102, 102, {})


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
            rounds = 1 + (len(self.records) > ROWS + FILLING_ROWS)
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


@pytest.mark.parametrize("sent_by_then", [ROWS, ROWS + FILLING_ROWS, 2 * ROWS + FILLING_ROWS])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>", "cannot be read"),
        ("".join(f'x{{n="{n}"}} 1\n' for n in range(SAMPLES_MAX + 1)), "sample_limit"),
    ],
)
def test_metrics_that_cannot_be_scraped_are_the_submission_s_fault(
    stage: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    sent_by_then: int,
    text: str,
    said: str,
) -> None:
    class Breaking(Counting):
        def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
            return says(text if len(self.records) == sent_by_then else "x 1\n")

    with pytest.raises(SubmissionFault, match=said):
        sent(stage, Breaking(), monkeypatch)
