"""Samples as Prometheus' remote write protocol wants them."""

from __future__ import annotations

import math
import struct

from sandbox.telemetry.remote_write import Batch, decode
from sandbox.telemetry.series import STALE, as_labels, is_stale, series

UP = series("up", {"job": "model"})


def test_a_series_is_written_once_with_its_samples_in_order_of_time() -> None:
    batch = Batch()
    batch.add(UP, 2_000, 0.0)
    batch.add(series("asked_total", {"b": "é", "a": "x"}), 1_000, 7.5)
    batch.add(UP, 1_000, 1.0)
    assert len(batch) == 3
    assert decode(batch.encode()) == {
        (("__name__", "up"), ("job", "model")): [(1_000, 1.0), (2_000, 0.0)],
        (("__name__", "asked_total"), ("a", "x"), ("b", "é")): [(1_000, 7.5)],
    }


def test_the_bytes_are_those_of_the_protocol() -> None:
    """Written out by hand from the specification: tags, lengths, and a double's bytes."""
    batch = Batch()
    batch.add(series("u", {}), 300, 1.0)
    label = b"\x0a\x08__name__" + b"\x12\x01u"
    sample = b"\x09" + struct.pack("<d", 1.0) + b"\x10\xac\x02"
    entry = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample
    message = b"\x0a" + bytes([len(entry)]) + entry
    # One literal of snappy's block format: the length of all, a tag of (length - 1) << 2.
    assert batch.encode() == bytes([len(message), (len(message) - 1) << 2]) + message


def test_the_marker_of_an_end_keeps_its_bits() -> None:
    batch = Batch()
    batch.add(UP, 1_000, STALE)
    batch.add(UP, 2_000, math.nan)
    [(_, marker), (_, other)] = decode(batch.encode())[UP]
    assert struct.pack("<d", marker).hex() == "020000000000f07f"
    assert is_stale(marker)
    assert math.isnan(other)
    assert not is_stale(other)


def test_extreme_numbers_and_times_survive() -> None:
    batch = Batch()
    numbers = [math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    for place, number in enumerate(numbers):
        batch.add(UP, place - 2, number)
    samples = decode(batch.encode())[UP]
    assert [at for at, _ in samples] == [-2, -1, 0, 1, 2]
    assert [struct.pack("<d", value) for _, value in samples] == [
        struct.pack("<d", number) for number in numbers
    ]


def test_a_batch_can_be_used_again() -> None:
    batch = Batch()
    batch.add(UP, 1_000, 1.0)
    batch.clear()
    assert len(batch) == 0
    assert decode(batch.encode()) == {}
    batch.add(UP, 2_000, 1.0)
    assert decode(batch.encode()) == {UP: [(2_000, 1.0)]}


def test_labels_are_sorted_and_empty_ones_left_out() -> None:
    assert as_labels({"b": "1", "a": "2", "c": ""}) == (("a", "2"), ("b", "1"))
    assert series("m", {"A": "1", "zone": "2"}) == (("A", "1"), ("__name__", "m"), ("zone", "2"))
