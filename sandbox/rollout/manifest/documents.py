"""The YAML documents of a manifest, as plain values, from a file that nobody vouches for.

Scalars mean what they mean to a cluster (YAML 1.1 as kubectl reads it), so that `version: 1` is a
number and `on` is true here as well. What makes a short file large or says a thing twice is
refused: aliases, merge keys, tags, duplicate keys, deep nesting.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sandbox.rollout.manifest.problems import ManifestError, Problem
from sandbox.untrusted import shortened

if TYPE_CHECKING:
    from typing import Protocol

    class Mark(Protocol):
        """Where PyYAML is in a text."""

        line: int


CHARACTERS_MAX = 200_000
DEPTH_MAX = 40
DOCUMENTS_MAX = 50
# PyYAML takes a second for them, and five for a file of nothing but commas.
NODES_MAX = 20_000
_TAG = "tag:yaml.org,2002:"
_TRUE = frozenset({"y", "yes", "true", "on"})
_FALSE = frozenset({"n", "no", "false", "off"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
# Python refuses to read more digits than a few thousand; no number here has more than a few.
_DIGITS_MAX = 100
_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class _Loader(yaml.SafeLoader):
    """PyYAML's, without aliases, with a limit to depth, and with kubectl's idea of a scalar."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it out
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias (*name): write the thing out", event.start_mark)
        self.depth += 1
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise _refused(f"more than {NODES_MAX:,} values", event.start_mark)
        if self.depth > DEPTH_MAX:
            raise _refused(f"nested deeper than {DEPTH_MAX}", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def resolve(self, kind: type[Node], value: str, implicit: tuple[bool, bool]) -> str:
        if kind is MappingNode:
            return f"{_TAG}map"
        if kind is SequenceNode:
            return f"{_TAG}seq"
        return f"{_TAG}{_plain(value) if implicit[0] else 'str'}"


def load(text: str) -> list[Any]:
    """Every document of a manifest: mappings, lists, text, whole numbers, floats, booleans, None.

    Raises:
        ManifestError: it is too large, no YAML, or holds something that a manifest has no use for.
    """
    if len(text) > CHARACTERS_MAX:
        raise ManifestError([Problem("file", f"more than {CHARACTERS_MAX:,} characters")])
    documents = []
    try:
        for node in yaml.compose_all(text, Loader=_Loader):
            documents.append(None if node is None else _value(node))
            if len(documents) > DOCUMENTS_MAX:
                raise ManifestError([Problem("file", f"more than {DOCUMENTS_MAX} documents")])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(error.problem or error.context).split())
        tab = "; a tab, where YAML wants spaces" if "'\\t'" in said else ""
        raise ManifestError([Problem(_line(mark), f"no YAML: {said[:200]}{tab}")]) from error
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise ManifestError([Problem("file", f"no YAML: {said[:200]}")]) from error
    except (ValueError, OverflowError) as error:  # escapes and versions beyond all numbers
        raise ManifestError([Problem("file", f"no YAML: {str(error)[:200]}")]) from error
    return documents


def _refused(what: str, mark: Mark | None) -> ManifestError:
    return ManifestError([Problem(_line(mark), what)])


def _line(mark: Mark | None) -> str:
    return "file" if mark is None else f"line {mark.line + 1}"


def _plain(text: str) -> str:
    """The type of a scalar without quotes, as YAML's tag calls it."""
    if text in _NULL:
        return "null"
    # YAML knows true, True and TRUE, and no other mixture.
    if text.lower() in _TRUE | _FALSE and text in (text.lower(), text.upper(), text.capitalize()):
        return "bool"
    if _INT.fullmatch(text):
        return "int"
    return "float" if _FLOAT.fullmatch(text) or _SPECIAL.fullmatch(text) else "str"


def _value(node: Node) -> Any:
    if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
        return _mapping(node)
    if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
        return [_value(item) for item in node.value]
    if isinstance(node, ScalarNode) and node.tag.startswith(_TAG):
        try:
            return _scalar(node.value, node.tag.removeprefix(_TAG))
        except ValueError as error:
            raise _refused(f"{shortened(node.value)}: {error}", node.start_mark) from None
    raise _refused(f"the tag {shortened(node.tag)} has no place here", node.start_mark)


def _mapping(node: MappingNode) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _value(key_node)
        if not isinstance(key, str):
            if not isinstance(key_node, ScalarNode):
                raise _refused("a key that is no text: put {{...}} in quotes", key_node.start_mark)
            what = f"the key {shortened(key_node.value)} is no text: put it in quotes"
            raise _refused(what, key_node.start_mark)
        if key in values:
            raise _refused(f"the key {shortened(key)} is there twice", key_node.start_mark)
        values[key] = _value(value_node)
    return values


def _scalar(text: str, tag: str) -> str | float | bool | None:
    if tag == "str":
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("half a letter")
        return text
    if tag == "null":
        return None
    if tag == "bool" and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if tag in ("int", "float") and len(text) <= _DIGITS_MAX:
        if _INT.fullmatch(text):
            return _whole(text.replace("_", ""))
        if special := _SPECIAL.fullmatch(text):
            return float("nan" if special[1] is None else f"{special[1]}inf")
        if _FLOAT.fullmatch(text):
            return float(text.replace("_", ""))
    raise ValueError(f"no {tag} that a manifest has a use for")


def _whole(text: str) -> int:
    """A whole number: decimal, 0x, 0b, and octal as 0o17 or, as YAML 1.1 has it, 017."""
    digits = text.lstrip("-+")
    octal = digits.startswith("0") and digits[1:].isdigit()
    return int(text, 8 if octal else 0)
