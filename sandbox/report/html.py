"""The report as one HTML file that needs nothing else: no network, no scripts, no other files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sandbox.report import words

if TYPE_CHECKING:
    from sandbox.report.data import Report
    from sandbox.report.pictures import Picture

_HERE = Path(__file__).resolve().parent
# Pictures that are much wider than high take the whole column.
_WIDE = 2.2


def write_report(report: Report, path: Path) -> None:
    """Write a report as one HTML file."""
    path.write_text(render(report), encoding="utf-8")


def render(report: Report) -> str:
    """A report as HTML. Whatever came from a submission is escaped and holds no control character.

    Only two things are put in as they are: our style sheet, and the drawings of
    `sandbox.report.pictures`, which escape the text in them.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "wide": _wide, "drawing": _drawing}
    return environment.get_template("report.html.j2").render(
        report=report,
        css=Markup((_HERE / "report.css").read_text("utf-8")),  # noqa: S704 - our own file
        count=words.count,
    )


def _clean(value: object) -> object:
    """Every value on its way into the page, whoever it came from."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return words.plain(value)


def _drawing(picture: Picture) -> Markup:
    return Markup(picture.svg)  # noqa: S704 - made by sandbox.report.pictures


def _wide(picture: Picture) -> bool:
    """Whether a picture takes the whole column; one that could not be drawn does not."""
    _, _, rest = picture.svg.partition('viewBox="')
    sides = rest.partition('"')[0].split()[2:]
    return bool(sides) and float(sides[0]) > _WIDE * float(sides[1])
