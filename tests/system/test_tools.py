"""Finding Prometheus and promtool, and putting them beside the interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import UsageError
from sandbox.system import tools

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with an empty environment and a PATH of its own: folders `env` and `path`."""
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "path").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("STATE", str(tmp_path))
    # Temporary folders as well, so that it shows when one stays behind.
    monkeypatch.setattr(tools.tempfile, "tempdir", str(tmp_path))
    tools._version.cache_clear()
    yield tmp_path
    tools._version.cache_clear()


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n")
    path.chmod(0o755)


def program(path: Path, version: str) -> None:
    script(path, f"echo '{path.name}, version {version} (branch: none)'")


DOWNLOAD = """\
echo "$@" >> "$STATE/asked"
if [ "$1" = update ]; then touch "$STATE/lists"; exit 0; fi
if [ ! -f "$STATE/lists" ]; then echo "E: Unable to locate package prometheus" >&2; exit 100; fi
touch prometheus_amd64.deb
"""
UNPACK = """\
mkdir -p "$3/usr/bin"
for name in prometheus promtool; do
  printf '#!/bin/sh\\necho "%s, version {version} (branch: none)"\\n' $name > "$3/usr/bin/$name"
  chmod 755 "$3/usr/bin/$name"
done
"""


def debian(machine: Path, *, version: str = "2.42.0+ds", lists: bool = True) -> None:
    script(machine / "path" / "apt-get", DOWNLOAD)
    script(machine / "path" / "dpkg-deb", UNPACK.format(version=version))
    if lists:
        (machine / "lists").touch()


def asked(machine: Path) -> list[str]:
    return (machine / "asked").read_text().splitlines()


# -- finding


def test_this_machine_has_what_make_setup_installs() -> None:
    for name in tools.NAMES:
        assert tools.find(name).name == name
        assert tools._numbers(tools.version(name)) >= tools.OLDEST


def test_beside_the_interpreter_goes_before_path(machine: Path) -> None:
    program(machine / "path" / "promtool", "2.50.0")
    assert tools.find("promtool") == machine / "path" / "promtool"
    program(machine / "env" / "bin" / "promtool", "3.1.0")
    assert tools.find("promtool") == machine / "env" / "bin" / "promtool"
    assert tools.version("promtool") == "3.1.0"


def test_a_missing_program_is_one_line_that_says_what_to_install(machine: Path) -> None:
    with pytest.raises(UsageError) as caught:
        tools.find("prometheus")
    assert str(caught.value) == (
        "expected the program prometheus; saw none; try: install Prometheus 2.42 or newer "
        "(apt-get install prometheus, brew install prometheus, or a release's binaries on PATH)"
    )


@pytest.mark.parametrize(("said", "seen"), [("2.31.2+ds1", "2.31.2+ds1"), ("?", "none")])
def test_an_old_or_broken_program_is_refused(machine: Path, said: str, seen: str) -> None:
    program(machine / "path" / "promtool", said)
    with pytest.raises(UsageError, match=r"promtool 2\.42 or newer") as caught:
        tools.find("promtool")
    assert caught.value.seen == seen


# -- installing


def test_nothing_is_done_where_everything_is_there(machine: Path) -> None:
    debian(machine)
    for name in tools.NAMES:
        program(machine / "path" / name, "2.45.3")
    assert tools.install() == ""
    assert not (machine / "asked").exists()


def test_the_distributions_binaries_are_put_beside_the_interpreter(machine: Path) -> None:
    debian(machine)
    assert tools.install() == "Installed prometheus and promtool 2.42.0+ds."
    for name in tools.NAMES:
        assert tools.find(name) == machine / "env" / "bin" / name
    assert asked(machine) == ["download prometheus"]
    assert not list(machine.glob("sandbox-tools-*"))
    assert len(list((machine / "env" / "bin").iterdir())) == 2
    assert tools.install() == ""


def test_missing_package_lists_are_fetched_first(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian(machine, lists=False)
    monkeypatch.setattr(tools.os, "geteuid", lambda: 0)
    assert tools.install() == "Installed prometheus and promtool 2.42.0+ds."
    assert asked(machine) == ["download prometheus", "update", "download prometheus"]


def test_sudo_is_asked_without_a_password(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    debian(machine, lists=False)
    monkeypatch.setattr(tools.os, "geteuid", lambda: 1000)
    # The script has a PATH of the system; the name has to lead to the one of this test.
    script(
        machine / "path" / "sudo",
        'echo "sudo $@" >> "$STATE/asked"\nshift 2\nexec "$STATE/path/apt-get" "$@"',
    )
    assert tools.install() == "Installed prometheus and promtool 2.42.0+ds."
    assert asked(machine)[1] == "sudo -n apt-get update"


def test_what_cannot_be_downloaded_is_told_in_one_line(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian(machine, lists=False)
    monkeypatch.setattr(tools.os, "geteuid", lambda: 1000)
    said = tools.install()
    assert said.startswith("Scenarios with telemetry will not run: expected the program prometheus")
    assert said.endswith("(apt-get download: E: Unable to locate package prometheus)")
    assert "\n" not in said


def test_a_distribution_that_is_too_old_is_left_alone(machine: Path) -> None:
    debian(machine, version="2.31.2")
    assert tools.install().endswith("(the distribution has prometheus 2.31.2)")
    assert not list((machine / "env" / "bin").iterdir())


def test_homebrew_installs_for_itself(machine: Path) -> None:
    body = 'echo "$@" > "$STATE/asked"\n'
    for name in tools.NAMES:
        source = machine / name
        program(source, "3.5.0")
        body += f'cp "{source}" "$STATE/path/{name}"\n'
    script(machine / "path" / "brew", body)
    assert tools.install() == "Installed prometheus and promtool 3.5.0."
    assert asked(machine) == ["install prometheus"]


def test_another_machine_is_told_what_to_install(machine: Path) -> None:
    said = tools.install()
    assert said.startswith("Scenarios with telemetry will not run")
    assert tools.REMEDY in said


def test_only_the_standard_library_is_needed() -> None:
    """It runs while the packages are still being installed; a missing tool is no failure."""
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "import sys; from sandbox.system import tools; print(*sys.modules)",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    first = {name.partition(".")[0] for name in done.stdout.split()}
    assert "sandbox" in first
    assert first <= {*sys.stdlib_module_names, "sandbox", "__main__"}
