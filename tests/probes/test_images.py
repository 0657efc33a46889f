"""Images: what they are built on, what they hold, how they answer; a builder stands in."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.errors import SubmissionFault
from sandbox.probes import images
from sandbox.probes.images import Published
from tests.stands import Stand, answering

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.runtimes.specs import ImageSpec

PUBLISHED = Published("base", re.compile(r"2013\.\d\d"))
SITE = "/usr/local/lib/python3.11/site-packages"
METADATA = b"Metadata-Version: 2.1\nName: SkyFeed\nVersion: 1.4.0\n"
HELD = {
    SITE: {
        "skyfeed/__init__.py": b"code",
        "skyfeed/__pycache__/x.pyc": b"byte code",
        "skyfeed-1.4.0.dist-info/METADATA": METADATA,
        "skyfeed-1.4.0.dist-info/RECORD": b"its own",
        "pip/__init__.py": b"the base's own",
        "pip-25.dist-info/METADATA": b"Name: pip\nVersion: 25\n",
    }
}


class Image:
    """An image that holds what it is told to, and starts when it may."""

    def __init__(self, held: Mapping[str, Mapping[str, bytes]], starts: bool, url: str) -> None:
        self.environment = {"PATH": "/venv/bin:/usr/local/bin:/sbin", "PYTHONPATH": ":/more:lib"}
        self.workdir = "/app"
        self.command: tuple[str, ...] = ("python", "-m", "service")
        self.held, self.starts, self.url = held, starts, url
        self.asked: list[str] = []
        self.started: list[tuple[dict[str, str], str, tuple[str, ...]]] = []

    def files(self, folder: str, limit_bytes: int) -> Mapping[str, bytes]:
        self.asked.append(folder)
        return self.held.get(folder, {})

    @contextmanager
    def start(
        self, environment: Mapping[str, str], path: str, within_s: float, volumes: tuple = ()
    ) -> Iterator:
        self.started.append((dict(environment), path, volumes))
        if not self.starts:
            raise SubmissionFault(expected="an answer", seen="none")
        yield SimpleNamespace(url=self.url, users=lambda: frozenset({4711}))


class Builder:
    def __init__(self, image: Image, fault: str = "") -> None:
        self.image, self.fault = image, fault
        self.specs: list[ImageSpec] = []

    def base(self) -> str:
        return "host:1"

    @contextmanager
    def built(self, spec: ImageSpec) -> Iterator[Image]:
        self.specs.append(spec)
        if self.fault:
            raise SubmissionFault(expected="an image", seen=self.fault)
        yield self.image


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    (tmp_path / "deploy").mkdir()
    return SimpleNamespace(
        submitted=tmp_path,
        scenario=SimpleNamespace(service=SimpleNamespace(ready_path="/readyz")),
        stack=SimpleNamespace(registry=SimpleNamespace(url="http://registry")),
    )


def write(stage: Any, text: str) -> None:
    (stage.submitted / "deploy" / "Dockerfile").write_text(text)


def look(stage: Any, builder: Builder) -> dict[str, Any]:
    tops = {"skyfeed", "skyfeed-1.4.0.dist-info"}
    return images.look(stage, builder, PUBLISHED, tops=tops, records=[{"flight_id": "1"}])  # type: ignore[arg-type]


def test_an_image_is_built_looked_into_and_asked(stage: Any) -> None:
    write(stage, "FROM base:2013.05\n")
    stand = Stand("1", 0.25)
    with answering(stand):
        image = Image(HELD, True, stand.url)
        builder = Builder(image)
        seen = look(stage, builder)
    assert builder.specs[0].dockerfile == "FROM host:1\n"
    assert builder.specs[0].context == stage.submitted
    assert (seen["problem"], seen["names"], seen["moving"]) == ("", ["base:2013.05"], [])
    assert seen["alone"] == {"problem": "", "users": [4711]}
    assert seen["beside"] == {"problem": "", "served": [0.25]}
    registered = ({"MLFLOW_TRACKING_URI": "http://registry"}, "/readyz", images.VOLUMES)
    assert image.started == [({}, "/ping", ()), registered]


def test_what_is_held_is_read_where_python_looks(stage: Any) -> None:
    write(stage, "FROM base:2013.05\n")
    image = Image(HELD, False, "")
    seen = look(stage, Builder(image))
    # The working directory first for what was installed below it.
    assert image.asked == [
        "/app",
        "/app",
        "/more",
        "/app/lib",
        *("/venv/lib/python3.11/site-packages", "/venv/lib/python3.11/dist-packages"),
        *(SITE, "/usr/local/lib/python3.11/dist-packages"),
    ]
    [site] = [each for each in seen["folders"] if each["folder"] == SITE]
    assert site["packages"] == {"skyfeed": "1.4.0", "pip": "25"}
    assert site["files"] == {
        "skyfeed/__init__.py": hashlib.sha256(b"code").hexdigest(),
        "skyfeed-1.4.0.dist-info/METADATA": hashlib.sha256(METADATA).hexdigest(),
    }
    assert seen["beside"]["served"] is None
    assert "an answer" in seen["alone"]["problem"]
    assert "an answer" in seen["beside"]["problem"]


@pytest.mark.parametrize(
    ("command", "held"),
    [
        (("/opt/flights/bin/python", "-m", "service"), "/opt/flights/lib/python3.11/site-packages"),
        ((".venv/bin/uvicorn", "service:app"), "/app/.venv/lib/python3.11/site-packages"),
        (("/bin/sh", "-c", "exec venv/bin/python -m x"), "/app/venv/lib/python3.11/site-packages"),
        (("./start.sh",), "/app/.venv/0123456789abcdef"),
    ],
)
def test_packages_are_found_where_the_command_would(
    stage: Any, command: tuple[str, ...], held: str
) -> None:
    write(stage, "FROM base:2013.05\n")
    below = {held.removeprefix("/app/") + f"/{path}": text for path, text in HELD[SITE].items()}
    script = command == ("./start.sh",)
    image = Image({held: HELD[SITE], **({"/app": below} if script else {})}, False, "")
    image.command = command
    found = [each["folder"] for each in look(stage, Builder(image))["folders"] if each["packages"]]
    assert found == [held]


@pytest.mark.parametrize(
    ("text", "moving"),
    [
        ("FROM base", ["base"]),
        ("FROM base:latest", ["base:latest"]),
        ("FROM base:2013", ["base:2013"]),
        ("ARG TAG=week\nFROM base:2013.05 AS a\nFROM base:$TAG", ["base:week"]),
        ("FROM base:2013.05\nCOPY --from=base:now /a /a", ["base:now"]),
        ("ARG TAG=2013.11\nFROM base:$TAG", []),
    ],
)
def test_tags_that_move_are_told_of_each_stage(stage: Any, text: str, moving: list[str]) -> None:
    write(stage, text)
    assert look(stage, Builder(Image({}, False, "")))["moving"] == moving


@pytest.mark.parametrize("text", ["FROM python:3.11", "RUN true", "FROM basement:2013.05"])
def test_nothing_is_built_on_what_nobody_publishes(stage: Any, text: str) -> None:
    write(stage, text)
    builder = Builder(Image({}, True, ""))
    seen = look(stage, builder)
    assert seen["problem"]
    assert (builder.specs, seen["beside"]["served"], seen["alone"]["users"]) == ([], None, [])
    assert images.read(stage, PUBLISHED) == {"problem": seen["problem"], "names": []}


def test_a_link_in_the_place_of_the_dockerfile_is_not_followed(stage: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("FROM base:2013.05\n")
    (stage.submitted / "deploy" / "Dockerfile").symlink_to(tmp_path / "elsewhere")
    assert "a file deploy/Dockerfile" in look(stage, Builder(Image({}, True, "")))["problem"]


def test_what_the_builder_says_is_told(stage: Any) -> None:
    write(stage, "FROM base:2013.05\nRUN false\n")
    seen = look(stage, Builder(Image({}, True, ""), fault="a non-zero code"))
    assert "a non-zero code" in seen["problem"]
    assert seen["names"] == ["base:2013.05"]
