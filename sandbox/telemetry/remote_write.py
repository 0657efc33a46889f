"""Samples on their way into Prometheus: its remote write protocol, version 0.1.0.

A request is a protobuf message, compressed as one block of snappy:

    WriteRequest { repeated TimeSeries timeseries = 1 }
    TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2 }
    Label        { string name = 1; string value = 2 }
    Sample       { double value = 1; int64 timestamp = 2 }    milliseconds since 1970

Source: Prometheus' remote write specification 1.0.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from sandbox.telemetry.series import Labels

_Field = descriptor_pb2.FieldDescriptorProto
# Message, field, number, type; what is repeated is a message and the other way round.
_FIELDS = (
    ("WriteRequest", "timeseries", 1, "TimeSeries"),
    ("TimeSeries", "labels", 1, "Label"),
    ("TimeSeries", "samples", 2, "Sample"),
    ("Label", "name", 1, _Field.TYPE_STRING),
    ("Label", "value", 2, _Field.TYPE_STRING),
    ("Sample", "value", 1, _Field.TYPE_DOUBLE),
    ("Sample", "timestamp", 2, _Field.TYPE_INT64),
)
_PACKAGE = "prometheus"


class Batch:
    """Samples of many series that are written together."""

    def __init__(self) -> None:
        self._samples: dict[Labels, list[tuple[int, float]]] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many samples it holds."""
        return self._count

    def add(self, labels: Labels, at_ms: int, value: float) -> None:
        """Add a sample.

        Args:
            labels: its series.
            at_ms: its time, in milliseconds since 1970.
            value: any number, NaN and `series.STALE` among them.
        """
        self._samples.setdefault(labels, []).append((at_ms, value))
        self._count += 1

    def clear(self) -> None:
        """Forget all samples, once they are written."""
        self._samples.clear()
        self._count = 0

    def encode(self) -> bytes:
        """The body of a write request: each series once, its samples in order of time."""
        request = _WriteRequest()
        for labels, samples in self._samples.items():
            entry = request.timeseries.add()
            for name, value in labels:
                entry.labels.add(name=name, value=value)
            for at_ms, number in sorted(samples, key=itemgetter(0)):
                entry.samples.add(value=number, timestamp=at_ms)
        return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def decode(body: bytes) -> dict[Labels, list[tuple[int, float]]]:
    """What a write request holds: the inverse of `Batch.encode`."""
    request = _WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    return {
        tuple((label.name, label.value) for label in entry.labels): [
            (sample.timestamp, sample.value) for sample in entry.samples
        ]
        for entry in request.timeseries
    }


def _write_request() -> Any:
    """The message's class, made from the descriptors: six lines instead of a compiler's output."""
    file = descriptor_pb2.FileDescriptorProto(
        name="remote_write.proto", package=_PACKAGE, syntax="proto3"
    )
    messages = {
        name: file.message_type.add(name=name) for name in dict.fromkeys(f[0] for f in _FIELDS)
    }
    for message, name, number, kind in _FIELDS:
        field = messages[message].field.add(name=name, number=number)
        if isinstance(kind, str):
            field.type, field.label = _Field.TYPE_MESSAGE, _Field.LABEL_REPEATED
            field.type_name = f".{_PACKAGE}.{kind}"
        else:
            field.type, field.label = kind, _Field.LABEL_OPTIONAL
    # A pool of its own: other libraries may know a message of the same name.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest")
    return message_factory.GetMessageClass(found)


_WriteRequest = _write_request()
