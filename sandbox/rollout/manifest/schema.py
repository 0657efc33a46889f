"""Checks one object of a manifest against Argo's schema: names, types, and what is required.

The names are those of `fields.py`. What is left of an object after that can be used without looking
at types again. What values mean is for `objects.py`.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from sandbox.rollout.manifest.fields import SHAPES, Field
from sandbox.rollout.manifest.problems import PROBLEMS_MAX
from sandbox.untrusted import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.rollout.manifest.problems import Place

# A list in a manifest is a handful; each entry of a longer one would cost the harness something.
ENTRIES_MAX = 100
_INT32 = 2**31

# Stands for a value that is there and cannot be used: the problem is already in the list.
WRONG: Final = object()


def read(value: Mapping[str, Any], shape: str, place: Place) -> dict[str, Any]:
    """The fields of an object that are there, checked for name, use and type.

    A null is a field left out, as for a cluster. A field with a problem is `WRONG`, also one that
    Argo does not know. A refused field that is false says what leaving it out says, and is left
    out.

    Args:
        value: the object, from a manifest.
        shape: its name in `SHAPES`.
        place: where it stands, and where problems go.
    """
    return _object(value, shape, place, refused=False)


def child(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object that a field holds; empty where it holds none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def text(fields: Mapping[str, Any], name: str) -> str:
    """The text that a field holds; empty where it holds none."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def entries(
    fields: Mapping[str, Any], name: str, place: Place
) -> Iterator[tuple[dict[str, Any] | None, Place]]:
    """Each entry of a list of objects with its place; None for one that is no object."""
    value = fields.get(name)
    for number, entry in enumerate(value if isinstance(value, list) else []):
        yield entry if isinstance(entry, dict) else None, place.field(name).entry(number)


def at_least(
    fields: Mapping[str, Any], name: str, lowest: int, place: Place, default: int = 0
) -> int:
    """The whole number that a field holds, which has a lower limit."""
    value = fields.get(name, default)
    if not isinstance(value, int):
        return default
    if name in fields and value < lowest:
        place.field(name).say(f"has to be at least {lowest}, not {value}")
    return value


def filled(fields: Mapping[str, Any], name: str, place: Place) -> str:
    """A text that may be missing (that is told already) but, if it is there, not empty."""
    if fields.get(name) == "":
        place.field(name).say("empty")
    return text(fields, name)


def _object(value: Mapping[str, Any], shape: str, place: Place, *, refused: bool) -> dict[str, Any]:
    """Within what is refused already, only names are checked."""
    fields = SHAPES[shape]
    found: dict[str, Any] = {}
    for name, item in value.items():
        here = place.field(name)
        field = fields.get(name)
        if field is None:
            here.say(_unknown(name, fields, len(place.problems)))
            found[name] = WRONG
        elif item is None or (item is False and not field.use and field.type == "?"):
            continue
        elif field.use or refused:
            found[name] = _read(item, field, here, refused=refused)
        else:
            here.say("Argo knows it; the sandbox does not run it")
            _read(item, field, here, refused=True)
            found[name] = WRONG
    for name, field in fields.items():
        if field.required and name not in found and not refused:
            place.field(name).say("missing")
    return found


def _read(value: Any, field: Field, place: Place, *, refused: bool) -> Any:
    if field.type == "*":
        return value
    if field.type == ":T" and isinstance(value, dict):
        return _object(value, field.shape, place, refused=refused)
    entry = Field(field.use, ":T", field.shape, required=False)
    if field.type == "[T]" and isinstance(value, list) and len(value) <= ENTRIES_MAX:
        return [
            _read(item, entry, place.entry(number), refused=refused)
            for number, item in enumerate(value)
        ]
    if field.type == "{T}" and isinstance(value, dict):
        return {
            name: _read(item, entry, place.field(name), refused=refused)
            for name, item in value.items()
        }
    wanted, right = _plain(value, field.type)
    if right is WRONG and not refused:
        place.say(f"has to be {wanted}, not {_seen(value, wanted)}")
    return right


def _plain(value: Any, kind: str) -> tuple[str, Any]:
    """What is wanted, in words, and the value as that; `WRONG` if it is something else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows one kind of number
    whole = isinstance(value, int) and not isinstance(value, bool) and -_INT32 <= value < _INT32
    written = isinstance(value, str)
    wanted, right = {
        "": ("text", written),
        "#": ("a whole number", whole),
        "%": ("a whole number or text", whole or written),
        "?": ("true or false", isinstance(value, bool)),
        "[]": ("a list of texts", isinstance(value, list) and _texts(value)),
        "{}": ("names with texts", isinstance(value, dict) and _texts(list(value.values()))),
        ":T": ("an object", False),
        "[T]": (f"a list of at most {ENTRIES_MAX}", False),
        "{T}": ("names with objects", False),
    }[kind]
    return wanted, value if right else WRONG


def _texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _seen(value: object, wanted: str) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the text {shortened(value, 40)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        odd = [name for name, item in value.items() if not isinstance(item, str)]
        inside = f" where {shortened(odd[0], 40)} is no text: put it in quotes" if odd else ""
        return f"an object{inside if wanted == 'names with texts' else ''}"
    seen = str(value).lower() if isinstance(value, bool) else f"the number {str(value)[:20]}"
    return f"{seen}{': put it in quotes' if wanted == 'text' else ''}"


def _unknown(name: str, fields: Mapping[str, Field], problems: int) -> str:
    # Past the limit nobody sees it any more, and looking for likely names takes its time.
    near = difflib.get_close_matches(name[:60], fields, n=1) if problems < PROBLEMS_MAX else []
    return f"unknown field{f'; is it {near[0]}?' if near else ''}"
