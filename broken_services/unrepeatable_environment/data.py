"""What a workspace gets besides files of text: the small index, and flights recorded in May.

The index has the packages of May and what was released since. In each variant one package has
changed what it does, and of another one only the newer release does what was done in May.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import flights
from sandbox.system.modules import module_from

if TYPE_CHECKING:
    from sandbox.variant import Variant

HERE = Path(__file__).resolve().parent
WHEELS, FEED = HERE / "index" / "wheels", HERE / "live.py"
INDEX, RECORDING = "packages", "recorded_in_may.json"
SOUND, TUNED = "sound", "tuned"
DIRECT = "skyfeed"
# By package: the faults that its newer release may have, and the one of its older release.
NEWER = {
    "skyclock": ("naive_is_utc", "half_hours"),
    "skycodes": ("marketing_carriers", "city_codes"),
    "skyunits": ("missing_is_zero", "whole_readings"),
}
OLDER = {"skyclock": "winter_only", "skycodes": "unpadded_only", "skyunits": "other_sentinel"}
MAY, ROWS = 5, 300


def write(folder: Path, variant: Variant) -> None:
    """Write the recording of a variant, and beside the data its index."""
    index = folder.parent / INDEX
    index.mkdir()
    for wheel in wheels(variant):
        shutil.copyfile(wheel, index / wheel.name)
    everything = flights.load()
    rows = everything[everything["month"] == MAY].sample(ROWS, random_state=variant.number("may"))
    feed = module_from(FEED.read_text("utf-8"), "feed_of_unrepeatable_environment", str(FEED))
    pairs = zip(flights.records(feed.as_sent(rows)), flights.records(rows), strict=True)
    lines = [json.dumps({"sent": sent, "read": read}) for sent, read in pairs]
    (folder / RECORDING).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def wheels(variant: Variant) -> list[Path]:
    """The wheels of a variant's index."""
    return [wheel for flavours in releases(variant).values() for wheel in flavours.values()]


def releases(variant: Variant) -> dict[str, dict[str, Path]]:
    """The wheels of a variant's index, by package and flavour, older ones first."""
    found = {DIRECT: {SOUND: _wheel(DIRECT, SOUND)}}
    for package in NEWER:
        pair = (older_flavour(package, variant), newer_flavour(package, variant))
        found[package] = {flavour: _wheel(package, flavour) for flavour in pair}
    return found


def changed_package(variant: Variant) -> str:
    """The package whose newer release does something else than in May."""
    [found] = [
        name for name, faults in NEWER.items() if variant.parameters["package_fault"] in faults
    ]
    return found


def newer_flavour(package: str, variant: Variant) -> str:
    """What the newer release of a package is."""
    changed = package == changed_package(variant)
    return str(variant.parameters["package_fault"]) if changed else TUNED


def older_flavour(package: str, variant: Variant) -> str:
    """What the older release of a package is."""
    others = sorted(set(NEWER) - {changed_package(variant)})
    late = others[int(variant.parameters["late_package"])]
    return OLDER[package] if package == late else SOUND


def _wheel(package: str, flavour: str) -> Path:
    [found] = (WHEELS / flavour).glob(f"{package}-*.whl")
    return found
