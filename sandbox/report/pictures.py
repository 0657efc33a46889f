"""Pictures of evidence: a drawing function becomes SVG that can stand inside a page.

A scenario's `graders/<scenario>/pictures.py` says what to draw:

    def pictures(evidence: Steps) -> list[Picture]:
        def latency(figure: Figure) -> str:
            axes = figure.subplots()
            axes.hist(numbers(evidence["parity"]["latency_ms"]))
            return "What is to be seen here, in a sentence or two."

        return [picture("Latency", latency)]

The same evidence gives the same bytes. matplotlib is imported only when something is drawn.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from xml.etree import ElementTree as ET

from sandbox.errors import SandboxError
from sandbox.grading.scorecard import one_line, printable
from sandbox.report.words import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# One width for a picture that takes the whole column, one for two side by side: text is then of
# the same size in both.
WIDE_IN = 8.8
HALF_IN = 4.3

INK = "#1f2a33"
MUTED = "#66727d"
FAINT = "#c9d0d6"
REFERENCE = "#8fb3d9"
BEFORE = "#c05a1c"
AFTER = "#0b6e69"
GOOD = "#2b7a4b"
BAD = "#b3261e"

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}"
_RASTER_DPI = 170
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, sharp, to be searched and read aloud
    "svg.hashsalt": "mlops-sandbox",
    # Evidence may hold a `$`, which would begin a formula.
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 8,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "grid.color": "#e8ebee",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
}
_FONT = re.compile(r"font: (?P<before>(?:[\w.]+ )*?)(?P<size>[\d.]+px) [^;]*")
_FAMILY = re.compile(r"font-family: [^;]*(?:; )?")
_REFERENCE = re.compile(r"#([\w-]+)")


class Steps(Protocol):
    """What pictures are drawn from: `evidence[step]` is what that step saw, or raises its fault."""

    def __getitem__(self, step: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Picture:
    """A picture with its words.

    Args:
        title: what it shows.
        caption: what is to be seen in it; where there is no picture, why.
        svg: the drawing, to be put into a page as it is; empty when it could not be drawn.
    """

    title: str
    caption: str
    svg: str


def picture(
    title: str,
    draw: Callable[[Figure], str],
    *,
    width_in: float = WIDE_IN,
    height_in: float = 2.8,
) -> Picture:
    """Draw a picture; evidence that is missing or faulty gives its words alone.

    Args:
        title: what it shows.
        draw: draws on an empty figure and gives the caption.
        width_in: `WIDE_IN` or `HALF_IN`, in inches.
        height_in: its height, in inches.
    """
    try:
        caption, svg = _drawn(draw, width_in, height_in)
    except SandboxError as error:
        return Picture(title, one_line(f"Not drawn: {plain(error.seen)}"), "")
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        # The evidence is not of the shape that the picture reads: a hole in the report is better
        # than no report.
        what = plain(f"{type(error).__name__}: {error}")
        return Picture(title, one_line(f"Not drawn: the evidence cannot be read ({what})"), "")
    return Picture(title, plain(caption), _inline(svg, title))


def numbers(values: Any) -> NDArray[Any]:
    """A list from evidence as floats; what is no finite number becomes NaN."""
    import numpy as np  # noqa: PLC0415 - grading again without a report must not wait for it

    found = np.array(
        [v if isinstance(v, int | float) and not isinstance(v, bool) else np.nan for v in values],
        dtype=float,
    )
    found[~np.isfinite(found)] = np.nan
    return found


def label(text: object, limit: int = 40) -> str:
    """Text from evidence as a short label."""
    line = one_line(plain(str(text)))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _drawn(draw: Callable[[Figure], str], width_in: float, height_in: float) -> tuple[str, str]:
    import matplotlib  # noqa: PLC0415 - half a second that only drawing has to pay
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above

    with matplotlib.rc_context(), warnings.catch_warnings():
        # A letter that the font lacks is drawn by the reader's own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Not whatever style the machine has set.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=(width_in, height_in))
        caption = draw(figure)
        sink = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(sink, format="svg", dpi=_RASTER_DPI, metadata=nothing)
    return caption, sink.getvalue()


def _inline(svg: str, title: str) -> str:
    """An SVG file as an element of a page: no prologue, no style for all, ids of its own."""
    # Control characters from evidence are no XML, and matplotlib lets them through.
    root = ET.fromstring(printable(svg))  # noqa: S314 - matplotlib wrote it a moment ago
    used = set(_REFERENCE.findall(svg))
    prefix = f"p{hashlib.sha256((title + svg).encode()).hexdigest()[:8]}-"
    for parent in root.iter():
        for child in list(parent):
            if child.tag.removeprefix(f"{{{_SVG}}}") in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        _own(element, used, prefix)
    width, height = root.get("viewBox", "0 0 0 0").split()[2:]
    root.attrib = {
        "xmlns": _SVG,
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-label": plain(title),
        "font-family": "inherit",
        "stroke-linejoin": "round",
    }
    return ET.tostring(root, encoding="unicode")


def _own(element: ET.Element, used: set[str], prefix: str) -> None:
    element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    for space in ("text", "tail"):
        if not (getattr(element, space) or "").strip():
            setattr(element, space, None)
    identity = element.attrib.pop("id", "")
    if identity in used:
        element.set("id", prefix + identity)
    if (link := element.attrib.pop(f"{_XLINK}href", "")) or (link := element.get("href", "")):
        element.set("href", f"#{prefix}{link[1:]}" if link.startswith("#") else link)
    if "url(#" in element.get("clip-path", ""):
        element.set("clip-path", element.attrib["clip-path"].replace("url(#", f"url(#{prefix}"))
    style = element.get("style", "")
    if "url(#" in style:
        style = style.replace("url(#", f"url(#{prefix}")
    if "font" in style:
        # Size and weight stay, the family is the page's.
        style = _FAMILY.sub("", _FONT.sub(_font, style))
    if style:
        element.set("style", style)


def _font(match: re.Match[str]) -> str:
    weight = next((w for w in match["before"].split() if w == "bold" or w.isdigit()), "normal")
    return f"font-size: {match['size']}; font-weight: {weight}"
