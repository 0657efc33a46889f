"""What a service says on `/metrics`: Prometheus' text format, read as strictly as Prometheus does.

A service repeats the same series at every scrape with other values. So series are kept, and reading
a line costs a look-up; a line that was not seen before is taken apart by prometheus_client's own
parser, after the grammar of the format (version 0.0.4, as model/textparse of Prometheus 2.42 has
it) let it through: the library alone is laxer than Prometheus. What OpenMetrics adds (`# EOF`,
exemplars, more types, fractions in timestamps) is tolerated. Three oddities that Prometheus lets
pass are refused: no comma between labels, a bare line break in a label, and names of labels that
begin with two underscores.

Timestamps in the text are read over (`honor_timestamps: false`): when a sample was taken is for the
one who scrapes to say, and a service does not know the simulated time.
"""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from sandbox.telemetry.series import NAME, Labels, series
from sandbox.untrusted import shortened

# Limits of a scrape, by the names they have in Prometheus' configuration in `live_server.py`.
BODY_BYTES_MAX = 4 * 2**20
SAMPLES_MAX = 5_000
LABELS_MAX = 30
LABEL_NAME_CHARACTERS_MAX = 100
LABEL_VALUE_CHARACTERS_MAX = 500

_LINE_BYTES_MAX = 32 * 2**10
# A service whose labels never repeat must not fill the harness's memory, either.
_KEPT_MAX = 4 * SAMPLES_MAX

# Single characters repeat possessively: in a line made to be slow there is nothing to go back to.
_BLANKS = rb"[ \t]*+"
_LABEL = rb"%b[a-zA-Z_][a-zA-Z0-9_]*+%b=%b\"[^\"\\]*+(?:\\.[^\"\\]*+)*\"%b" % ((_BLANKS,) * 4)
_NAME = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*+")
_LABELS = re.compile(rb"%b\{(?:%b(?:,%b)*,?)?%b\}" % (_BLANKS, _LABEL, _LABEL, _BLANKS))
_NUMBER = re.compile(
    rb"[+-]?+(?:(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:e[+-]?+[0-9]++)?|inf(?:inity)?)|nan", re.I
)
_TIMESTAMP = re.compile(rb"[0-9]++(?:\.[0-9]*+)?")
_DECLARES = re.compile(rb"#[ \t]++(?:HELP|TYPE)[ \t]")
_DECLARATION = re.compile(
    rb"#[ \t]++(?:HELP[ \t]++%b.*|TYPE[ \t]++%b[ \t](?:counter|gauge|histogram|summary|untyped"
    rb"|unknown|info|stateset|gaugehistogram))" % ((_NAME.pattern,) * 2)
)
_COMMENT = "# HELP name text, or # TYPE name counter|gauge|histogram|summary|untyped"


class UnreadableError(Exception):
    """What was scraped is not what Prometheus would take; the text says which line, and why."""


class Exposition:
    """Reads one target's scrapes."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Labels] = {}

    def parse(self, body: bytes) -> dict[Labels, float]:
        """The samples of one scrape, by series, in the order of the text.

        A series that is there twice keeps its first value, as in Prometheus. NaN and infinities are
        values like any other.

        Raises:
            UnreadableError: the text is not in the format, or exceeds a limit of this module.
        """
        if len(body) > BODY_BYTES_MAX:
            raise UnreadableError(
                f"{len(body):,} bytes, more than the body_size_limit of {BODY_BYTES_MAX:,}"
            )
        lines = body.split(b"\n")
        _refuse_too_many(lines)
        if len(self._kept) > _KEPT_MAX:
            self._kept.clear()
        samples: dict[Labels, float] = {}
        for number, line in enumerate(lines, 1):
            text, _, value = line.rpartition(b" ")
            labels = self._kept.get(text)
            if labels is None or not _NUMBER.fullmatch(value):
                try:
                    text, value = _split(line)
                    labels = self._labels(text) if text else None
                except ValueError as error:
                    raise UnreadableError(f"line {number}: {error}: {_quoted(line)}") from error
            if labels is not None and labels not in samples:
                samples[labels] = float(value)
        return samples

    def _labels(self, text: bytes) -> Labels:
        if labels := self._kept.get(text):
            return labels
        labels = _labels_of(text)
        self._kept[text] = labels
        return labels


def _refuse_too_many(lines: list[bytes]) -> None:
    if len(lines) <= SAMPLES_MAX:
        return
    count = sum(1 for line in lines if line.strip() and not line.lstrip().startswith(b"#"))
    if count > SAMPLES_MAX:
        raise UnreadableError(
            f"{count:,} samples, more than the sample_limit of {SAMPLES_MAX:,}; "
            "labels with many values (ids, raw numbers) are what makes so many"
        )


def _split(line: bytes) -> tuple[bytes, bytes]:
    """A line's series and value; both empty where it is a comment or blank.

    Raises:
        ValueError: it is none of these; the text says why.
    """
    if line.startswith(b"#"):
        if _DECLARES.match(line) and not _DECLARATION.fullmatch(line):
            raise ValueError(f"such a comment is written {_COMMENT}")
        return b"", b""
    if not line.strip(b" \t"):
        return b"", b""
    if len(line) > _LINE_BYTES_MAX:
        raise ValueError(f"{len(line):,} bytes, more than {_LINE_BYTES_MAX:,} in one line")
    name = _NAME.match(line)
    if not name:
        raise ValueError("a line begins with a metric's name")
    end = name.end()
    if line[end:].lstrip(b" \t").startswith(b"{"):
        labels = _LABELS.match(line, end)
        if not labels:
            raise ValueError('labels are written {name="value",other="value"}')
        end = labels.end()
    words = re.split(rb"[ \t]++", line[end:].partition(b" # ")[0].strip(b" \t"))
    if not words[0]:
        raise ValueError("no value")
    if (end == name.end() and line[end : end + 1] not in b" \t") or not _NUMBER.fullmatch(words[0]):
        raise ValueError("the value is not a number")
    if len(words) > 2 or not all(map(_TIMESTAMP.fullmatch, words[1:])):  # noqa: PLR2004
        raise ValueError("a value is followed by nothing, or by a timestamp")
    return line[:end], words[0]


def _labels_of(text: bytes) -> Labels:
    """The labels of a series as it is written, with what is escaped in them put right.

    Raises:
        ValueError: a label is there twice, is reserved, or exceeds a limit.
    """
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("a label is not UTF-8") from error
    # Alone on its line, without the types declared above it: with them the library would rename
    # counters that do not end in _total, which Prometheus does not.
    try:
        [family] = text_string_to_metric_families(f"{decoded} 0\n")
    except ValueError as error:
        raise ValueError("a label is there twice, or its name is reserved") from error
    [sample] = family.samples
    if len(sample.labels) > LABELS_MAX:
        raise ValueError(f"{len(sample.labels)} labels, more than the label_limit of {LABELS_MAX}")
    for name, value in {**sample.labels, NAME: sample.name}.items():
        if len(name) > LABEL_NAME_CHARACTERS_MAX:
            raise ValueError(f"a label's name has more than {LABEL_NAME_CHARACTERS_MAX} characters")
        if len(value) > LABEL_VALUE_CHARACTERS_MAX:
            raise ValueError(f"{name} has more than {LABEL_VALUE_CHARACTERS_MAX} characters")
    return series(sample.name, sample.labels)


def _quoted(line: bytes) -> str:
    return shortened(line[:1_000].decode("utf-8", "replace"))
