"""In which forms a scorecard can be written, and what their files are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.errors import UsageError
from sandbox.untrusted import shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

# JSON is written always: signing and verifying start from it.
SIGNATURE = "scorecard.sig"
JSON, JUNIT, SUMMARY, HTML = "json", "junit", "summary", "html"
FILES = {
    JSON: "scorecard.json",
    JUNIT: "junit.xml",
    SUMMARY: "summary.md",
    HTML: "report.html",
}
AFTER_GRADING = (JSON, JUNIT, HTML)


def read_formats(text: str) -> tuple[str, ...]:
    """Read a list such as `junit,summary`; each format once, in the order of `FILES`.

    Raises:
        UsageError: one of them is none.
    """
    asked = {word.strip() for word in text.split(",")}
    if unknown := sorted(asked - FILES.keys()):
        raise UsageError(
            expected=f"formats out of {', '.join(FILES)}, separated by commas",
            seen=shortened(unknown[0]),
            hint=f"--format {','.join(FILES)}",
        )
    return tuple(name for name in FILES if name in asked)


def told(folder: Path, written: Collection[Path], formats: Collection[str]) -> Iterator[str]:
    """What to tell whoever asked for a grade in these formats, in lines.

    Args:
        folder: the results.
        written: what was written beside `scorecard.json`.
        formats: what was asked for.
    """
    names = [path.name for path in written]
    if FILES[HTML] in names:
        yield f"Report: {folder / FILES[HTML]}"
    else:
        yield f"Written to {folder}: {', '.join([FILES[JSON], *names])}"
    if JSON not in formats:
        yield f"{FILES[JSON]} is written always: signing and verifying start from it."
    pages = (file for name, file in FILES.items() if name != JSON)
    before = [name for name in (*pages, SIGNATURE) if name not in names]
    if stale := [name for name in before if (folder / name).exists()]:
        yield f"Of the grade before this one: {', '.join(stale)}"
