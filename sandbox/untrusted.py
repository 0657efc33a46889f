"""Reading what a stranger wrote, and quoting it so that it is safe to print."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from sandbox.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_LINE = 500


def json_object(raw: bytes, keys: Sequence[str], *, what: str, hint: str) -> dict[str, Any]:
    """Read a JSON object that has exactly these keys.

    Raises:
        UsageError: it is no JSON, no object, has a key twice, lacks one or has an unknown one.
    """
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UsageError(expected=f"{what} as JSON", seen=str(error)[:120], hint=hint) from error
    if not isinstance(value, dict):
        raise UsageError(expected=f"{what} as an object", seen=type(value).__name__, hint=hint)
    if wrong := sorted(set(keys) ^ set(value)):
        word = "unknown" if wrong[0] in value else "missing"
        raise UsageError(
            expected=f"{what} with the keys {', '.join(keys)}",
            seen=f"{shortened(wrong[0])} {word}",
            hint=hint,
        )
    return value


def is_list_of_text(value: object) -> bool:
    """Whether a JSON value is a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_map_of_text(value: object) -> bool:
    """Whether a JSON value is an object whose values are strings."""
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def shortened(text: str, limit: int = 80) -> str:
    """A text of somebody else's, quoted so that it is safe to print, on one line."""
    quoted = repr(text if len(text) <= limit else f"{text[: limit - 20]}…{text[-19:]}")
    # Each character may have become an escape of ten.
    return quoted if len(quoted) <= 2 * limit else f"{quoted[: 2 * limit]}…"


def is_unseen(character: str) -> bool:
    """Whether a character acts on a terminal, breaks a line, or turns the reading direction."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(line: str) -> str:
    """A line without anything that acts on a terminal or hides what it says from a reader."""
    cut = line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}… ({len(line):,} characters)"
    return "".join(
        character.encode("unicode_escape", "surrogatepass").decode("ascii")
        if character != "\t" and is_unseen(character)
        else character
        for character in cut
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice: two readers could each see another value."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key that is there twice")
    return value
