"""Images that submissions describe: built without a network, bounded, looked into, and gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from sandbox import paths
from sandbox.errors import SubmissionFault
from sandbox.runtimes import docker, open_runtime
from sandbox.runtimes.docker import contexts, daemon, sweeping
from sandbox.runtimes.docker.daemon import RUN_LABEL
from sandbox.runtimes.specs import ImageSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import APIClient

    from sandbox.runtimes.base import Builder, Runtime

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(docker.unavailable()), reason=f"no Docker: {docker.unavailable()}"),
]

SERVER = """\
import http.server, os
class Ping(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["SAID"].encode())
http.server.HTTPServer(("", int(os.environ["PORT"])), Ping).serve_forever()
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with open_runtime("docker") as opened:
        yield opened


@pytest.fixture(scope="module")
def builder(runtime: Runtime) -> Builder:
    assert runtime.builder is not None
    return runtime.builder


@pytest.fixture
def api() -> Iterator[APIClient]:
    with daemon.connected() as connection:
        yield connection


def spec(builder: Builder, context: Path, *lines: str, within_s: float = 60.0) -> ImageSpec:
    text = "".join(f"{line}\n" for line in (f"FROM {builder.base()}", *lines))
    return ImageSpec("the image", context, text, within_s)


def left(api: APIClient, run: str = "") -> list[str]:
    """Images and builds of a run, else of this process: others may build on the same daemon."""
    label = {"label": RUN_LABEL}
    there = api.images(all=True, filters=label) + api.containers(all=True, filters=label)
    of = run or paths.run_prefix()
    return [str(found["Id"]) for found in there if found["Labels"][RUN_LABEL].startswith(of)]


def test_processes_build_nothing() -> None:
    with open_runtime("process") as opened:
        assert opened.builder is None


def test_an_image_is_looked_into_and_gone_afterwards(
    builder: Builder, api: APIClient, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"content")
    (tmp_path / "ignored").write_bytes(b"")
    (tmp_path / ".dockerignore").write_text("# not that\nignored\n")
    lines = ("WORKDIR /app", "COPY . .", "RUN ln -s /etc/passwd link", "ENV A=b=c")
    lines += ('ENTRYPOINT ["venv/bin/python"]', "CMD -m x")
    with builder.built(spec(builder, tmp_path, *lines)) as image:
        assert (image.workdir, image.environment["A"]) == ("/app", "b=c")
        assert image.command == ("venv/bin/python", "/bin/sh", "-c", "-m x")
        found = dict(image.files("/app", 2**20))
        assert contexts.DOCKERFILE in found.pop(contexts.IGNORED).decode()
        # Neither what is ignored, nor the Dockerfile that the daemon was given; links are nobody's.
        assert found == {"kept/file": b"content"}
        assert image.files("/nowhere", 2**20) == {}
        with pytest.raises(SubmissionFault, match="at most 1 MiB"):
            image.files("/usr/lib", 2**20)
        assert left(api)
    assert left(api) == []


def test_a_host_has_packages_programs_and_users(builder: Builder, tmp_path: Path) -> None:
    lines = (
        "USER nobody",
        'RUN python -c "import mlflow, lightgbm, pandas, fastapi" && uv --version',
        'RUN test "$(id -u)" = 65534',
    )
    with builder.built(spec(builder, tmp_path, *lines)):
        pass


def test_a_script_that_travelled_without_its_mode_runs(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "data").write_text("no program")
    lines = ("COPY . /app/", "USER nobody", "RUN /app/run.sh && ! test -x /app/data")
    with builder.built(spec(builder, tmp_path, *lines)):
        pass


@pytest.mark.parametrize("user", ["app", "svc", "www-data", "1000:svc"])
def test_a_host_can_be_given_users(builder: Builder, tmp_path: Path, user: str) -> None:
    lines = (
        "RUN useradd --create-home --uid 1000 app",
        "RUN groupadd --system svc && useradd -r -g svc -s /usr/sbin/nologin svc",
        f"USER {user}",
        'RUN test "$(id -u)" != 0',
    )
    with builder.built(spec(builder, tmp_path, *lines)):
        pass


def test_what_an_installer_tidies_up_is_not_the_hosts(builder: Builder, tmp_path: Path) -> None:
    sync = "RUN uv pip sync --system --offline --no-index --allow-empty-requirements nothing.txt"
    (tmp_path / "nothing.txt").write_text("")
    lines = ("COPY nothing.txt .", sync, 'RUN python -c "import mlflow"')
    with builder.built(spec(builder, tmp_path, *lines)) as image:
        assert image.workdir == "/"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RUN false", "non-zero code"),
        ("COPY nothing /x", "nothing"),
        ("NONSENSE", "NONSENSE"),
        (
            "RUN python -c \"import socket; socket.create_connection(('1.1.1.1', 443), 5)\"",
            "Network is unreachable",
        ),
    ],
)
def test_a_build_that_fails_is_the_submissions(
    builder: Builder, api: APIClient, tmp_path: Path, line: str, said: str
) -> None:
    with pytest.raises(SubmissionFault, match=said), builder.built(spec(builder, tmp_path, line)):
        pass
    assert left(api) == []


@pytest.mark.parametrize("step", ["sleep 300", "while true; do echo again; done"])
def test_a_build_that_does_not_end_is_ended(
    builder: Builder, api: APIClient, tmp_path: Path, step: str
) -> None:
    begun = time.monotonic()
    asked = spec(builder, tmp_path, f"RUN {step}", within_s=6)
    with pytest.raises(SubmissionFault, match="no end within 6 s"), builder.built(asked):
        pass
    assert time.monotonic() - begun < 30
    assert left(api) == []
    running = [found["Command"] for found in api.containers()]
    assert not [command for command in running if step in command]


def test_an_image_runs_as_it_says_and_answers_at_the_port_it_is_given(
    builder: Builder, tmp_path: Path
) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    lines = ("COPY server.py .", "USER 4711", "ENV PORT=1", 'CMD ["python", "-u", "server.py"]')
    with builder.built(spec(builder, tmp_path, *lines)) as image:
        with image.start({"SAID": "pong"}, "/ping", 30) as service:
            assert service.users() == {4711}
            assert service.alive()
            assert "/ping" in service.logs()
        assert not service.alive()
        with pytest.raises(SubmissionFault, match="to keep running; saw an end with status"):
            service.users()


def test_a_volume_may_be_written_to_by_whoever_it_runs_as(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    lines = (
        "WORKDIR /app",
        "COPY server.py .",
        "USER 4711",
        "CMD touch kept/file && python -u server.py",
    )
    with builder.built(spec(builder, tmp_path, *lines)) as image:
        with image.start({"SAID": ""}, "/ping", 30, ["kept"]) as service:
            assert service.alive()
        with pytest.raises(SubmissionFault, match="kept/file"):
            image.start({"SAID": ""}, "/ping", 30)


def test_root_is_found_out_whatever_it_is_called(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    lines = (
        "RUN echo somebody:x:0:0::/:/bin/sh >> /etc/passwd",
        "COPY server.py .",
        "USER somebody",
        "CMD python -u server.py",
    )
    with (
        builder.built(spec(builder, tmp_path, *lines)) as image,
        image.start({"SAID": ""}, "/ping", 30) as service,
    ):
        assert service.users() == {0}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("CMD echo because >&2; exit 3",), "because"),
        (("RUN true",), "CMD or ENTRYPOINT"),
        (("USER whoever", "CMD true"), "whoever"),
        (('ENTRYPOINT ["/nowhere"]',), "/nowhere"),
        (('CMD ["/etc"]',), "/etc"),
    ],
)
def test_an_image_that_cannot_run_is_the_submissions(
    builder: Builder, tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with (
        builder.built(spec(builder, tmp_path, *lines)) as image,
        pytest.raises(SubmissionFault, match=said),
    ):
        image.start({}, "/ping", 30)


def test_what_a_crash_leaves_is_swept(api: APIClient, tmp_path: Path) -> None:
    with contexts.packed(tmp_path, (), "FROM scratch\nLABEL a=b\n") as context:
        name = "mlops-sandbox-999999999-0123"
        labels = {RUN_LABEL: name}
        events = api.build(
            fileobj=context,
            custom_context=True,
            dockerfile=contexts.DOCKERFILE,
            labels=labels,
            rm=True,
            decode=True,
        )
        assert any("aux" in event for event in events)
    [image] = left(api, name)
    assert f"removed image {image.removeprefix('sha256:')[:12]}" in sweeping.sweep(api, cache=False)
    assert left(api, name) == []
