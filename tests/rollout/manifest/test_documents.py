"""YAML documents: scalars mean what they mean to a cluster, hostile files are one clear error."""

from __future__ import annotations

import math
import time

import pytest

from sandbox.rollout.manifest import read
from sandbox.rollout.manifest.documents import CHARACTERS_MAX, load
from sandbox.rollout.manifest.problems import ManifestError


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("text", "text"),
        ("'5'", "5"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("0", 0),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b101", 5),
        ("017", 15),
        ("0o17", 15),
        ("08", 8.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("Yes", True),
        ("ON", True),
        ("y", True),
        ("off", False),
        ("n", False),
        ("tRue", "tRue"),
        ("", None),
        ("~", None),
        ("null", None),
        ("nULL", "nULL"),
        # what Python's YAML takes for something else, and a cluster for text
        ("1:30", "1:30"),
        ("2013-07-01", "2013-07-01"),
        ("2013-07-01T00:00:00Z", "2013-07-01T00:00:00Z"),
        ("=", "="),
        ("10s", "10s"),
        ("|\n  5", "5\n"),
        (">-\n  true", "true"),
        ("[1, a]", [1, "a"]),
        ("{b: 1}", {"b": 1}),
        ("{<<: {b: 1}}", {"<<": {"b": 1}}),
    ],
)
def test_a_scalar_is_what_it_is_for_a_cluster(written: str, value: object) -> None:
    [found] = load(f"a: {written}\n")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_not_a_number_is_one() -> None:
    [found] = load("a: .nan")
    assert math.isnan(found["a"])


def test_documents_in_their_order() -> None:
    assert load("a: 1\n---\n---\nb: 2\n") == [{"a": 1}, None, {"b": 2}]
    assert load("") == []
    assert len(load("---\n" * 50)) == 50


@pytest.mark.parametrize(
    ("what", "text", "said"),
    [
        ("tabs", "a:\n\tb: 1", "line 2: no YAML.*a tab, where YAML wants spaces"),
        ("an open bracket", "a: [1", "line 1: no YAML"),
        ("two keys in a line", "a: b: c", "line 1: no YAML"),
        ("a key twice", "a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice"),
        ("a number as a key", "1: 2", "line 1: the key '1' is no text"),
        ("a yes as a key", "on: 2", "line 1: the key 'on' is no text"),
        ("a template without quotes", "a: {{args.x}}", r"line 1: .*put {{\.\.\.}} in quotes"),
        ("an alias", "a: &x 1\nb: *x", "line 2: an alias"),
        ("a bomb", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "line 2: an alias"),
        ("an anchor in itself", "&a [*a]", "line 1: an alias"),
        ("a merge", "a: &a {b: 1}\nc:\n  <<: *a", "line 3: an alias"),
        ("a program", "!!python/object/apply:os.system [ls]", "line 1: the tag .* has no place"),
        ("a tag of its own", "a: !secret x", "line 1: the tag '!secret' has no place"),
        ("bytes", "a: !!binary aGk=", "line 1: .*no binary"),
        ("a set", "a: !!set {x}", "line 1: the tag .* has no place"),
        ("a number that is none", "a: !!int x", "line 1: 'x': no int"),
        ("a truth that is none", "a: !!bool x", "line 1: 'x': no bool"),
        ("a number of digits only", f"a: {'9' * 5000}", "line 1: .*no int"),
        ("half a letter", 'a: "\\ud800"', "line 1: .*half a letter"),
        ("a raw half letter", "a: \ud800", "file: no YAML"),
        ("a letter beyond all", 'a: "\\U00110000"', "file: no YAML"),
        ("a letter beyond all numbers", 'a: "\\UFFFFFFFF"', "file: no YAML"),
        ("a version of digits only", f"%YAML {'9' * 5000}.1\n---\na: 1", "file: no YAML"),
        ("a zero byte", "a: \0", "file: no YAML"),
        ("another YAML", "%YAML 9.9\n---\na: 1", "line 1: no YAML"),
        ("too large", "a" * (CHARACTERS_MAX + 1), "file: more than 200,000 characters"),
        ("nested in brackets", "[" * 100_000, "line 1: nested deeper than 40"),
        ("nested in braces", "{a: " * 40_000, "line 1: nested deeper than 40"),
        ("nested in dashes", "- " * 90_000, "line 1: nested deeper than 40"),
        ("nested in question marks", "? " * 90_000, "line 1: nested deeper than 40"),
        ("nested in lines", "\n".join(" " * n + "a:" for n in range(500)), "nested deeper than 40"),
        ("many documents", "--- a\n" * 30_000, "file: more than 50 documents"),
        ("many values", f"[{'1,' * 90_000}]", "line 1: more than 20,000 values"),
        ("many commas", f"a: {{{'a,' * 90_000}", "line 1: more than 20,000 values"),
        ("many keys", "".join(f"a{n}: 1\n" for n in range(15_000)), "more than 20,000 values"),
    ],
)
def test_a_file_that_is_refused(what: str, text: str, said: str) -> None:
    start = time.monotonic()
    with pytest.raises(ManifestError, match=said) as caught:
        load(text)
    assert "\n" not in str(caught.value), what
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "text",
    [
        "#\n" * 99_000,
        "\n" * 199_000,
        " " * 199_000,
        f"a: |\n{' x' * 90_000}",
        f"a: {'x ' * 90_000}",
    ],
)
def test_a_long_file_of_nothing_is_read_and_found_wanting(text: str) -> None:
    with pytest.raises(ManifestError, match=r"no Rollout|kind: missing"):
        read(text)
