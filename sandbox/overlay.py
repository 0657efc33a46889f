"""Overlays: a folder of files laid over another. Files ending in `.j2` are rendered first.

A file ending in `.edits.yaml` changes a few lines of the file that is there already, instead of
repeating all of it: a list of `old` and `new` texts, of which each `old` has to occur exactly once.

A scenario's overlay breaks the healthy service; an attempt's overlay mends the broken one.
Templates see the variant's parameters and, under the name `overlay/...`, the scenario's own
templates, so that an attempt which mends one fault of three includes the original.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from sandbox.errors import HarnessFault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX = ".j2"
EDITS = ".edits.yaml"


def lay(folder: Path, destination: Path, context: Mapping[str, object], home: Path) -> None:
    """Lay a folder's files over another, rendering templates.

    Args:
        folder: the overlay.
        destination: what it is laid over.
        context: what templates see.
        home: the scenario's folder, where `overlay/...` is found by templates.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            lay_file(path, destination / path.relative_to(folder), context, home)


def lay_file(path: Path, target: Path, context: Mapping[str, object], home: Path) -> None:
    """Lay one file, rendering it where it is a template; arguments as for `lay`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(EDITS):
        target = target.with_name(target.name.removesuffix(EDITS))
        text = edited(target.read_text("utf-8"), path)
        target.write_text(text, encoding="utf-8")
    elif path.suffix == SUFFIX:
        text = render(path.read_text("utf-8"), context, home)
        target.with_suffix("").write_text(text, encoding="utf-8")
    else:
        shutil.copyfile(path, target)


def edited(text: str, edits: Path) -> str:
    """A text with a file's edits made, in their order.

    Raises:
        HarnessFault: what should be replaced is not there, or more than once.
    """
    for edit in yaml.safe_load(edits.read_text("utf-8")):
        if (times := text.count(edit["old"])) != 1:
            raise HarnessFault(
                expected=f"{edit['old']!r} of {edits} once in the file it edits",
                seen=f"{times} times",
            )
        text = text.replace(edit["old"], edit["new"])
    return text


def render(template: str, context: Mapping[str, object], home: Path) -> str:
    """Render one template.

    Raises:
        HarnessFault: the template is wrong or asks for a parameter the variant does not have.
    """
    environment = Environment(
        loader=FileSystemLoader(home),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - it renders Python and Markdown, not HTML
    )
    try:
        return environment.from_string(template).render(**context)
    except TemplateError as error:
        raise HarnessFault(expected="a template that renders", seen=str(error)) from error
