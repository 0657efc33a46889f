"""A stranger's Dockerfile: which images it names, and what a daemon is given of it."""

from __future__ import annotations

import pytest

from sandbox import dockerfile
from sandbox.errors import SubmissionFault


def image_of(name: str) -> str | None:
    return "ours:1" if name.partition(":")[0] == "base" else None


def resolved(text: str) -> dockerfile.Resolved:
    return dockerfile.resolve(text.encode(), image_of)


def test_names_are_replaced_and_told() -> None:
    seen = resolved("FROM base:2013.05\nRUN true\n")
    assert seen.names == ("base:2013.05",)
    assert seen.text == "FROM ours:1\nRUN true\n"


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("ARG TAG=latest\nFROM base:${TAG}", "base:latest"),
        ("ARG TAG=latest\nFROM base:$TAG", "base:latest"),
        ("ARG TAG\nFROM base:${TAG:-week}", "base:week"),
        ("ARG TAG=1\nFROM base${TAG:+:one}", "base:one"),
        ('ARG A="2013" B=${A}.05\nFROM "base:$B"', "base:2013.05"),
        ("arg TAG=1\nfrom --platform=linux/amd64 base:$TAG as x", "base:1"),
        ("# a comment\n\n  FROM \\\n# within\n\n  base:1 \\\n  AS x", "base:1"),
        ("# escape=\\\nFROM base", "base"),
        ("\ufeffFROM base\r\nRUN true\r\n", "base"),
    ],
)
def test_a_name_is_found_however_it_is_written(lines: str, name: str) -> None:
    seen = resolved(lines)
    assert seen.names == (name,)
    assert "FROM ours:1" in seen.text


def test_stages_are_no_images() -> None:
    seen = resolved(
        "FROM base:1 AS Packages\nFROM packages\nCOPY --from=Packages /a /b\nCOPY --from=0 /a /b\n"
        "FROM scratch\nCOPY --chown=1:1 --from=base:2 /a /b\n"
    )
    assert seen.names == ("base:1", "base:2")
    assert seen.text.splitlines()[1:] == [
        "FROM packages",
        "COPY --from=Packages /a /b",
        "COPY --from=0 /a /b",
        "FROM scratch",
        "COPY --chown=1:1 --from=ours:1 /a /b",
    ]


def test_a_later_stage_is_an_image_of_others() -> None:
    with pytest.raises(SubmissionFault, match="published"):
        resolved("FROM later\nFROM base AS later\n")
    with pytest.raises(SubmissionFault, match="published"):
        resolved("FROM base\nCOPY --from=1 /a /b\n")


def test_what_goes_on_is_one_line_and_nothing_else_changes() -> None:
    text = 'FROM base\nRUN a && \\\n    # why\n    b "$C" \\ \n  && d\nCMD ["x", "y z"]\n'
    assert resolved(text).text.splitlines() == [
        "FROM ours:1",
        'RUN a &&     b "$C"   && d',
        'CMD ["x", "y z"]',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.11",
        "FROM base@sha256:0000",
        "FROM registry.example/base:1",
        "ARG X\nFROM ${X}",
        "FROM $UNKNOWN",
        "FROM base\nCOPY --from=alpine /a /b",
        "FROM base\nARG X=alpine\nCOPY --from=$X /a /b",
        "FROM base\nADD https://example.org/x /x",
        'FROM base\nADD ["git@example.org:x.git", "/x"]',
        "FROM base\nARG X=//example\nADD ht${X} /x",
        "FROM base\nONBUILD COPY --from=alpine /a /b",
        "FROM base AS x\\y",
        "FROM base AS",
        "# escape=`\nFROM base",
        "FROM base\nRUN <<EOF\n/bin/true\nEOF",
        "RUN true",
        "",
        "FROM base\nRUN a\0b",
        "\udcff",
    ],
)
def test_what_reaches_out_or_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SubmissionFault):
        dockerfile.resolve(text.encode("utf-8", "surrogateescape"), image_of)


def test_no_line_swallows_the_next() -> None:
    # The first backslash stays, and would continue the line that is written anew.
    with pytest.raises(SubmissionFault):
        resolved("FROM base\nRUN a \\\\\n\nFROM base\n# \\\nRUN \\\\\n")


def test_a_long_one_is_refused() -> None:
    with pytest.raises(SubmissionFault, match="bytes"):
        resolved("FROM base\n" + "RUN true\n" * dockerfile.MAX_BYTES)
