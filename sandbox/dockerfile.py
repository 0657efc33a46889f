"""A stranger's Dockerfile, read as data: what it is built on, and the same text on images of ours.

A daemon fetches what it does not have as soon as a Dockerfile names it. So each name is looked up
here first, and what the daemon gets is written anew: one instruction a line, without continuations,
every name replaced by one that is there. What could reach out in another way is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.errors import SubmissionFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_BYTES = 64 * 1024
SCRATCH = "scratch"
_CONTINUED = re.compile(r"\\[ \t]*$")
_DIRECTIVE = re.compile(r"#\s*([a-z]+)\s*=\s*(\S+)\s*", re.IGNORECASE)
_KEYWORD = re.compile(r"[A-Za-z]+")
_STAGE = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^{}$]*))?\})", re.ASCII)
_FROM_FLAG = re.compile(r"--from=(\S+)")
# What a daemon takes for a place outside of the folder it builds from.
_OUTSIDE = re.compile(r"://|\bgit@|\bgithub\.com/|\$")


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Args:
        keyword: in capitals.
        rest: what follows, on one line.
    """

    keyword: str
    rest: str

    def __str__(self) -> str:
        return f"{self.keyword} {self.rest}".rstrip()


@dataclass(frozen=True)
class Resolved:
    """A Dockerfile on images that are there.

    Args:
        text: what a daemon may be given.
        names: the images that it named, as it named them, arguments filled in.
    """

    text: str
    names: tuple[str, ...]


def resolve(content: bytes, image_of: Callable[[str], str | None]) -> Resolved:
    """Read a Dockerfile and put images of ours in the place of those it names.

    Args:
        content: the file.
        image_of: the image that stands for a name, None where there is none of that name.

    Raises:
        SubmissionFault: it cannot be read, names what is not there, or reaches out.
    """
    named: list[str] = []

    def known(name: str) -> str:
        image = image_of(name)
        if image is None:
            raise _refusal("an image that is published", f"{name!r}")
        named.append(name)
        return image

    arguments: dict[str, str] = {}
    stages: list[str] = []
    lines = []
    for instruction in _instructions(_text(content)):
        line = instruction
        match instruction.keyword:
            case "ARG" if not stages:
                arguments |= _defaults(instruction.rest, arguments)
            case "FROM":
                base, stage = _from(instruction.rest, arguments)
                earlier = base.lower() in stages or base == SCRATCH
                image = base if earlier else known(base)
                stages.append(stage.lower() or str(len(stages)))
                line = Instruction("FROM", f"{image} AS {stage}" if stage else image)
            case "COPY":
                line = Instruction("COPY", _copied(instruction.rest, stages, known))
            case "ADD" if _OUTSIDE.search(instruction.rest):
                raise _refusal("ADD of files in the workspace", str(instruction))
            case "ONBUILD":
                raise _refusal("an image that nobody builds on", str(instruction))
        lines.append(str(line))
    if not stages:
        raise _refusal("FROM in the Dockerfile", "none")
    return Resolved("".join(f"{line}\n" for line in lines), tuple(dict.fromkeys(named)))


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _refusal(f"a Dockerfile of at most {MAX_BYTES} bytes", f"{len(content)}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal("a Dockerfile in UTF-8", str(error)) from error
    if "\0" in text:
        raise _refusal("a Dockerfile of text", "a NUL")
    return text


def _instructions(text: str) -> Iterator[Instruction]:
    """Instructions as Docker reads them; comments and empty lines also go from within them."""
    pending = ""
    may_direct = True
    for line in (each.rstrip("\r") for each in text.split("\n")):
        directive = _DIRECTIVE.fullmatch(line.strip()) if may_direct else None
        may_direct = directive is not None
        if directive and directive[1].lower() == "escape" and directive[2] != "\\":
            raise _refusal("a backslash where lines go on", line.strip())
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        joined = pending + (line if pending else line.lstrip())
        if _CONTINUED.search(joined):
            pending = _CONTINUED.sub("", joined) or " "
            continue
        pending = ""
        yield _instruction(joined)
    if pending.strip():
        yield _instruction(pending)


def _instruction(line: str) -> Instruction:
    keyword, *rests = re.split(r"\s+", line.strip(), maxsplit=1)
    rest = "".join(rests)
    # At the end of a line of its own a backslash would swallow the next one.
    if not _KEYWORD.fullmatch(keyword) or _CONTINUED.search(rest):
        raise _refusal("an instruction of a Dockerfile", repr(line[:80]))
    return Instruction(keyword.upper(), rest)


def _defaults(rest: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """What ARG gives names, unless the build is told otherwise; it is told nothing."""
    found: dict[str, str] = {}
    for word in rest.split():
        name, equals, value = word.partition("=")
        if equals:
            found[name] = _filled(value, {**arguments, **found})
    return found


def _from(rest: str, arguments: Mapping[str, str]) -> tuple[str, str]:
    """The image or stage that a stage begins with, and what the stage is called, if anything."""
    words = [word for word in rest.split() if not word.startswith("--platform=")]
    match words:
        case [base]:
            stage = ""
        case [base, word, stage] if word.lower() == "as" and _STAGE.fullmatch(stage):
            pass
        case _:
            raise _refusal("FROM an image, and AS a name at most", f"FROM {rest}")
    return _filled(base, arguments), stage


def _copied(rest: str, stages: list[str], known: Callable[[str], str]) -> str:
    """The rest of a COPY; what it copies from is an earlier stage or an image that is there."""

    def there(flag: re.Match[str]) -> str:
        origin = flag[1].strip("\"'")
        if "$" in origin:
            raise _refusal("COPY --from a name", f"COPY {rest}")
        numbers = {str(number) for number in range(len(stages))}
        earlier = origin.lower() in {*stages, *numbers}
        return f"--from={origin if earlier else known(origin)}"

    return _FROM_FLAG.sub(there, rest)


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    """Text with arguments filled in, without quotes."""

    def value(found: re.Match[str]) -> str:
        given = arguments.get(found[1] or found[2], "")
        if found[3] == "-":
            return given or found[4]
        return (found[4] if given else "") if found[3] == "+" else given

    filled = _VARIABLE.sub(value, text).replace('"', "").replace("'", "")
    if not filled or "$" in filled or "\\" in filled:
        raise _refusal("arguments with defaults", repr(text))
    return filled


def _refusal(expected: str, seen: str) -> SubmissionFault:
    return SubmissionFault(expected=expected, seen=seen[:200])
