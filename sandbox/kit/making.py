"""Puts a kit together and packs it. The same scenario, candidate and secret give the same bytes."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sandbox import compose, identity, overlay, paths, references, scenario, stack
from sandbox.errors import HarnessFault, UsageError
from sandbox.kit import trained, wheel
from sandbox.live import production

if TYPE_CHECKING:
    from sandbox.identity import Key
    from sandbox.scenario import Scenario

SUFFIX = ".tar.gz"
GUIDE = "GUIDE.md"
WHEEL_LOCK = "wheel.lock"
# What of `scenario.yaml` would tell how the workspace was broken.
SECRET_KEYS = ("variant", "removes")
_TEMPLATES = Path(__file__).resolve().parent


def make(name: str, candidate: str, key: Key, folder: Path) -> Path:
    """Make the kit of a candidate.

    Args:
        name: the scenario's name.
        candidate: whom it is for.
        key: the hiring team's secret.
        folder: where the archive goes; one of that name is replaced.

    Returns:
        The archive.

    Raises:
        UsageError: there is no such scenario, the candidate's ID is none, or the archive cannot be
            written.
        HarnessFault: something of it could not be made.
    """
    setting = scenario.load(name)
    chosen = identity.kit_variant(setting, candidate, key)
    with paths.run_folder() as scratch:
        kit = scratch / f"{setting.name}-{candidate}"
        workspace = compose.compose(setting, chosen, kit / "work" / setting.name)
        harness = kit / paths.HARNESS
        _lay_scenario(setting, workspace, harness / paths.SERVICES.name)
        built = wheel.build(_scripts(setting), scratch)
        shutil.copyfile(built, harness / built.name)
        shutil.copyfile(paths.ROOT / "requirements.lock", harness / "requirements.lock")
        digest = hashlib.sha256(built.read_bytes()).hexdigest()
        # As uv reads it: relative to the folder in which it is called.
        line = f"./{paths.HARNESS}/{built.name} --hash=sha256:{digest}\n"
        (harness / WHEEL_LOCK).write_text(line, "utf-8")
        shutil.copyfile(paths.ROOT / "docs" / "candidate.md", kit / GUIDE)
        context = {"scenario": setting, "wheel": built.name, "seed_label": chosen.marked}
        for template in _TEMPLATES.glob(f"*{overlay.SUFFIX}"):
            overlay.lay_file(template, kit / template.name, context, _TEMPLATES)
        return _packed(kit, folder)


def _lay_scenario(setting: Scenario, workspace: Path, services: Path) -> None:
    """What a candidate may have of the scenario's folder, and of the healthy service."""
    folder = services / setting.name
    handed_out = folder / scenario.HANDED_OUT
    shutil.copytree(workspace, handed_out / compose.WORKSPACE)
    trained.copy(stack.trained(setting), handed_out / stack.REGISTRY)
    content = yaml.safe_load((setting.folder / scenario.FILE).read_text("utf-8"))
    told = {key: value for key, value in content.items() if key not in SECRET_KEYS}
    text = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
    (folder / scenario.FILE).write_text(text, "utf-8")
    for path in (setting.folder / compose.TICKET, *_scripts(setting)):
        copied = folder / path.relative_to(setting.folder)
        copied.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copied)
    for name in references.PIPELINE:
        place = Path("pipeline", f"{name}.py")
        if (workspace / place).read_bytes() != (paths.HEALTHY / place).read_bytes():
            raise HarnessFault(
                expected=f"{place} of {setting.name} as it is in the healthy service",
                seen="another one",
                hint="a scenario that breaks what references are computed with cannot be a kit",
            )
        copied = services / paths.HEALTHY.name / place
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(workspace / place, copied)


def _scripts(setting: Scenario) -> list[Path]:
    """The Python files of the scenario that run in a kit."""
    feed = setting.folder / production.OWN_FEED
    checks = sorted((setting.folder / "checks").glob("*.py"))
    return [*checks, *([feed] if feed.exists() else [])]


def _packed(kit: Path, folder: Path) -> Path:
    archive = folder / f"{kit.name}{SUFFIX}"
    aside = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            aside.open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
        ):
            for path in sorted(path for path in kit.rglob("*") if path.is_file()):
                # TarInfo's own defaults are mode 0644 and owner 0 without a name.
                member = tarfile.TarInfo(str(path.relative_to(kit.parent)))
                member.size, member.mtime = path.stat().st_size, wheel.EPOCH
                with path.open("rb") as content:
                    tar.addfile(member, content)
        aside.replace(archive)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise UsageError(
            expected=f"to write {archive}", seen=str(error), hint="choose another folder"
        ) from error
    return archive
