"""Builds the wheels of the small index from `sources/`, the same bytes wherever it runs.

    python broken_services/unrepeatable_environment/index/build.py

What is committed is what counts: `tests/scenarios/test_unrepeatable_environment.py` builds them
again and compares. A release lies in the folder of `wheels/` that its flavour is called by. Two
flavours of a package may have one version: no index holds both.

    sound     does what was done in May
    tuned     newer than that, and does the same
    <fault>   older or newer, and does something else

`digests.j2` has the SHA-256 of each, for attempts that lock them. Hostile wheels go to the graders'
folder: `tampered/<flavour>/` another content under the same name and version, `newer/` releases
that are published after a candidate has finished.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES, WHEELS, DIGESTS = HERE / "sources", HERE / "wheels", HERE / "digests.j2"
HOSTILE = HERE.parents[2] / "graders" / HERE.parent.name / "index"
SOUND, TUNED = "sound", "tuned"
# The oldest that a zip archive can say.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644 << 16


@dataclass(frozen=True)
class Package:
    """A package of the index.

    Args:
        name: also the name of its module.
        summary: what its metadata say it is.
        older, newer, hostile: versions: of what ran in May, of what came after, of what graders
            publish.
        older_flavours, newer_flavours: what each of the first two may be.
        spoilt: what is appended to its module to make a hostile release; it has to show in many
            predictions.
        requires: other packages of the index, as its metadata say it.
    """

    name: str
    summary: str
    older: str
    newer: str
    hostile: str
    older_flavours: tuple[str, ...]
    newer_flavours: tuple[str, ...]
    spoilt: str
    requires: tuple[str, ...] = ()


PACKAGES = (
    Package(
        "skyfeed",
        "Reads flights as the airports' systems send them.",
        older="1.4.0",
        newer="",
        hostile="1.5.0",
        older_flavours=(SOUND,),
        newer_flavours=(),
        spoilt="""

_clean = clean


def clean(flight):
    return {**_clean(flight), "distance": 1.0}
""",
        requires=("skyclock>=2.1", "skycodes>=3.0", "skyunits>=1.3"),
    ),
    Package(
        "skyclock",
        "Instants in UTC.",
        older="2.1.0",
        newer="2.2.0",
        hostile="2.3.0",
        older_flavours=(SOUND, "winter_only"),
        newer_flavours=(TUNED, "naive_is_utc", "half_hours"),
        spoilt="""

def instant(text):
    return "2013-01-01T09:00:00Z"
""",
    ),
    Package(
        "skycodes",
        "Codes of airlines and airports.",
        older="3.0.1",
        newer="3.1.0",
        hostile="3.2.0",
        older_flavours=(SOUND, "unpadded_only"),
        newer_flavours=(TUNED, "marketing_carriers", "city_codes"),
        spoilt="""

def carrier(code):
    return "HA"
""",
    ),
    Package(
        "skyunits",
        "Readings of the weather.",
        older="1.3.0",
        newer="1.4.0",
        hostile="1.5.0",
        older_flavours=(SOUND, "other_sentinel"),
        newer_flavours=(TUNED, "missing_is_zero", "whole_readings"),
        spoilt="""

def reading(name, value):
    return 50.0
""",
    ),
)


def flavours(package: Package) -> dict[str, str]:
    """The version of each flavour."""
    return {
        **dict.fromkeys(package.older_flavours, package.older),
        **dict.fromkeys(package.newer_flavours, package.newer),
    }


def build(wheels: Path, hostile: Path) -> dict[str, dict[str, str]]:
    """Write every wheel; gives SHA-256 by package and flavour of those that may be locked."""
    digests: dict[str, dict[str, str]] = {}
    for package in PACKAGES:
        digests[package.name] = {}
        for flavour, version in flavours(package).items():
            source = (SOURCES / package.name / f"{flavour}.py").read_text("utf-8")
            written = write(wheels / flavour, package, version, source)
            digests[package.name][flavour] = hashlib.sha256(written.read_bytes()).hexdigest()
            write(hostile / "tampered" / flavour, package, version, source + package.spoilt)
        sound = (SOURCES / package.name / f"{SOUND}.py").read_text("utf-8")
        write(hostile / "newer", package, package.hostile, sound + package.spoilt)
    return digests


def write(folder: Path, package: Package, version: str, source: str) -> Path:
    """Write one wheel: stored and not compressed, for compressors differ."""
    info = f"{package.name}-{version}.dist-info"
    files = {
        f"{package.name}/__init__.py": source,
        f"{info}/METADATA": _metadata(package, version),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: build (1)\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},{_hash(text)},{len(text.encode())}\n" for path, text in files.items()]
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"])
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{package.name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path, TIMESTAMP)
            # Whoever builds: the system and the mode are part of the bytes.
            entry.create_system, entry.external_attr = 3, MODE
            archive.writestr(entry, text)
    return wheel


def digests_template(digests: dict[str, dict[str, str]]) -> str:
    """The digests as attempts' templates import them."""
    lines = [
        f'"{name}": {{' + ", ".join(f'"{key}": "{value}"' for key, value in of.items()) + "},"
        for name, of in digests.items()
    ]
    return "\n".join(["{% set sha256 = {", *lines, "} %}", ""])


def _metadata(package: Package, version: str) -> str:
    requires = "".join(f"Requires-Dist: {requirement}\n" for requirement in package.requires)
    return (
        f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {version}\n"
        f"Summary: {package.summary}\nRequires-Python: >=3.11\n{requires}"
    )


def _hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return "sha256=" + digest.decode().rstrip("=")


if __name__ == "__main__":
    DIGESTS.write_text(digests_template(build(WHEELS, HOSTILE)), encoding="utf-8")
