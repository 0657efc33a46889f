"""Environments: installed by the scenario's own installer, in a real runtime, from real wheels."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import paths, scenario
from sandbox.errors import SubmissionFault
from sandbox.probes import environments
from sandbox.runtimes import bubblewrap
from sandbox.system.modules import module_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.runtimes.base import Runtime

FOLDER = scenario.load("unrepeatable_environment").folder
WHEELS = FOLDER / "index" / "wheels"
RUN = FOLDER / "overlay" / "deploy" / "run.py"
SOUND = sorted((WHEELS / "sound").glob("*.whl"))
TAMPERED = paths.GRADERS / "unrepeatable_environment" / "index" / "tampered" / "sound"
NEWER = paths.GRADERS / "unrepeatable_environment" / "index" / "newer"

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(runtime: Runtime) -> Iterator[Any]:
    """A workspace with nothing but the installer and an index; not below the private /tmp."""
    with paths.run_folder() as folder:
        submitted = folder / "submitted"
        (submitted / "deploy").mkdir(parents=True)
        (submitted / "packages").mkdir()
        (submitted / "data").mkdir()
        (submitted / "data" / "large").write_bytes(b"not needed")
        (submitted / "deploy" / "run.py").write_bytes(RUN.read_bytes())
        for wheel in SOUND:
            (submitted / "packages" / wheel.name).write_bytes(wheel.read_bytes())
        (folder / "scratch").mkdir()
        yield SimpleNamespace(submitted=submitted, scratch=folder / "scratch", runtime=runtime)


def lock(stage: Any, *, hashes: bool = True, also: str = "") -> None:
    lines = []
    for wheel in SOUND:
        name, version, *_ = wheel.name.split("-")
        digest = f" --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        lines.append(f"{name}=={version}{digest if hashes else ''}\n")
    (stage.submitted / "requirements.lock").write_text("".join(lines) + also)


def swapped(name: str) -> list[Path]:
    [bad] = TAMPERED.glob(f"{name}-*.whl")
    return [bad if wheel.name == bad.name else wheel for wheel in SOUND]


def test_an_environment_is_what_the_lock_lists(stage: Any) -> None:
    lock(stage)
    seen = environments.install(stage)
    assert (seen["status"], seen["locked"]) == (0, True)
    assert seen["packages"] == {
        "skyclock": "2.1.0",
        "skycodes": "3.0.1",
        "skyfeed": "1.4.0",
        "skyunits": "1.3.0",
    }
    assert seen["requires"]["skyfeed"] == ["skyclock>=2.1", "skycodes>=3.0", "skyunits>=1.3"]
    source = (FOLDER / "index" / "sources" / "skyclock" / "sound.py").read_bytes()
    assert seen["files"]["skyclock/__init__.py"] == hashlib.sha256(source).hexdigest()
    assert not {path.rpartition("/")[2] for path in seen["files"]} & environments.INSTALLERS_OWN
    # And again, and beside newer releases, it is the same.
    assert environments.install(stage) == seen
    assert environments.install(stage, [*SOUND, *NEWER.glob("*.whl")]) == seen


def test_without_a_lock_newer_releases_get_in(stage: Any) -> None:
    (stage.submitted / "requirements.in").write_text("skyfeed\n")
    now = environments.install(stage)
    later = environments.install(stage, [*SOUND, *NEWER.glob("*.whl")])
    assert (now["status"], now["locked"]) == (0, False)
    assert now["packages"]["skyclock"] == "2.1.0"
    assert later["packages"]["skyclock"] == "2.3.0"


def test_another_wheel_is_refused_for_its_hash_alone(stage: Any) -> None:
    lock(stage)
    refused = environments.install(stage, swapped("skyunits"))
    assert refused["status"] not in (0, None)
    assert "ash mismatch" in refused["said"]
    assert "packages" not in refused
    lock(stage, hashes=False)
    taken = environments.install(stage, swapped("skyunits"))
    assert taken["status"] == 0
    sound = environments.install(stage)
    assert taken["packages"] == sound["packages"]
    assert taken["files"] != sound["files"]


def test_a_copy_that_is_carried_along_is_installed_whatever_the_index_has(stage: Any) -> None:
    lock(stage)
    sound = environments.install(stage)
    copy = stage.submitted / "vendor" / SOUND[0].name
    copy.parent.mkdir()
    copy.write_bytes(SOUND[0].read_bytes())
    name, version, *_ = SOUND[0].name.split("-")
    path = stage.submitted / "requirements.lock"
    path.write_text(path.read_text().replace(f"{name}=={version}", f"./vendor/{copy.name}"))
    assert environments.install(stage, swapped(name)) == sound


def test_the_public_checks_wheel_with_a_note_is_installed_where_no_hash_is_asked_for(
    stage: Any,
) -> None:
    plan = FOLDER / "checks" / "plan.py"
    public = module_from(plan.read_text("utf-8"), "public_plan_in_tests", str(plan))
    noted = public.with_a_note(SOUND[0], stage.scratch)
    others = SOUND[1:]
    lock(stage, hashes=False)
    taken = environments.install(stage, [*others, noted])
    assert taken["status"] == 0
    assert taken["files"] != environments.install(stage)["files"]
    lock(stage)
    assert environments.install(stage, [*others, noted])["status"] not in (0, None)


@pytest.mark.parametrize(
    "line",
    [
        "nowhere==1.0\n",
        "-e .\n",
        "./deploy\n",
        "skyfeed @ https://example.org/skyfeed-1.4.0-py3-none-any.whl\n",
        "[[package]]\nname = 'skyfeed'\n",
    ],
)
def test_a_lock_that_is_none_installs_nothing(stage: Any, line: str) -> None:
    lock(stage, also=line)
    seen = environments.install(stage)
    assert seen["status"] not in (0, None)
    assert seen["said"].strip()


@pytest.mark.skipif(bool(bubblewrap.available()), reason="nothing hides files here")
def test_a_lock_reads_no_file_of_ours(stage: Any) -> None:
    secret = stage.scratch.parent / "secret.txt"
    secret.write_text("skysecret==1\n")
    lock(stage, also=f"-r {secret}\n")
    seen = environments.install(stage)
    assert seen["status"] not in (0, None)
    assert "skysecret" not in seen["said"]


def test_a_workspace_beside_an_index_is_a_copy_without_a_telling_name(stage: Any) -> None:
    made = environments.workspace_on(stage, [SOUND[0]], data=False)
    assert [path.name for path in (made / "packages").iterdir()] == [SOUND[0].name]
    assert not (made / "data").exists()
    assert len(list((stage.submitted / "packages").iterdir())) == len(SOUND)
    other = environments.workspace_on(stage, None)
    assert made.name.startswith("replica-")
    assert other.name != made.name
    assert (other / "data" / "large").exists()


def test_the_installer_leaves_the_same_files_out() -> None:
    own = module_from(RUN.read_text("utf-8"), "installer_in_tests", str(RUN))
    assert own.INSTALLERS_OWN == environments.INSTALLERS_OWN
    assert (own.LOCK, own.INDEX) == (environments.LOCK, environments.INDEX)
    assert str(RUN).endswith(environments.RUN)


# -- a model's own requirements, from a registry that stands in


class Answers:
    """A client of a registry."""

    def __init__(self, *bodies: tuple[int, bytes]) -> None:
        self.bodies = list(bodies)
        self.asked: list[str] = []

    def __call__(self, url: str) -> Answers:
        return self

    def ask(self, method: str, path: str) -> SimpleNamespace:
        self.asked.append(path)
        status, body = self.bodies.pop(0)
        return SimpleNamespace(status=status, body=body)


def test_requirements_are_read_from_the_version_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers((200, b'{"artifact_uri": "mlflow-artifacts:/1/a b"}'), (200, b"a==1\nb==2\n"))
    monkeypatch.setattr(environments, "Client", answers)
    assert environments.requirements("http://registry", "7") == ["a==1", "b==2"]
    assert "version=7" in answers.asked[0]
    assert answers.asked[1].endswith("/1/a%20b/requirements.txt")


@pytest.mark.parametrize(
    "bodies",
    [
        [(404, b"{}")],
        [(200, b"not JSON")],
        [(200, b"[]")],
        [(200, b'{"artifact_uri": "mlflow-artifacts:/1/a"}'), (404, b"nothing")],
        [(200, b'{"artifact_uri": "mlflow-artifacts:/1/a"}'), (200, b" \n")],
        [(200, b'{"artifact_uri": "mlflow-artifacts:/1/a"}'), (200, b"\xff")],
    ],
)
def test_a_version_without_requirements_is_the_submissions_fault(
    monkeypatch: pytest.MonkeyPatch, bodies: list[tuple[int, bytes]]
) -> None:
    monkeypatch.setattr(environments, "Client", Answers(*bodies))
    with pytest.raises(SubmissionFault):
        environments.requirements("http://registry", "7")
