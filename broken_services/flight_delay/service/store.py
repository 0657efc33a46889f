"""What the service keeps on its own disk: the versions it served last, which of them it serves, and
the order that the registry does not know of yet. With these it goes back, and starts again, while
the registry is away.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import mlflow
import requests
from mlflow.exceptions import MlflowException
from pipeline.model import NAME
from pipeline.release import Record

# What a registry that cannot be asked raises.
AWAY = (MlflowException, requests.RequestException, OSError)
# Below the working directory, which outlives the process.
FOLDER = Path(".releases")
# The one that answers, and those that somebody may want back.
VERSIONS_KEPT = 4
# In a version's folder: where the registry has it from.
SOURCE = "SOURCE"


def is_unknown(error: BaseException) -> bool:
    """Whether the registry was there and has no such version."""
    codes = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
    return isinstance(error, MlflowException) and error.error_code in codes


class Store:
    """A folder of downloaded versions and two small files; made by the first that is kept."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder.absolute()
        self._serving = self._folder / "serving.json"
        self._order = self._folder / "order.json"

    def fetch(self, version: str) -> Path:
        """The folder of a version, downloaded from the registry where it is not there yet.

        Raises:
            mlflow.exceptions.MlflowException: the registry has no such version, or is away and the
                version is not here.
        """
        kept = self._folder / version
        try:
            source = str(mlflow.MlflowClient().get_model_version(NAME, version).source)
        except AWAY as error:
            if kept.is_dir() and not is_unknown(error):
                return kept
            raise
        if self.has(version):
            # Another registry may have another model behind the same number.
            if (kept / SOURCE).read_text("utf-8") == source:
                return kept
            self.forget(version)
        self._folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="partly-") as partly:
            whole = Path(partly) / version
            whole.mkdir()
            mlflow.artifacts.download_artifacts(f"models:/{NAME}/{version}", dst_path=whole)
            (whole / SOURCE).write_text(source, encoding="utf-8")
            # All of it or nothing: a download that broke off must not look like a version.
            with contextlib.suppress(OSError):  # somebody else was faster
                whole.rename(kept)
        return kept

    def has(self, version: str) -> bool:
        """Whether a version is here."""
        return (self._folder / version).is_dir()

    def serving(self) -> str:
        """The version that was served last; empty where none was."""
        said = _read(self._serving)
        return str(said["versions"][0]) if said else ""

    def serves(self, version: str) -> None:
        """Remember what is served, and let go of what nobody asked for in a long time."""
        said = _read(self._serving)
        before = [other for other in (said["versions"] if said else []) if other != version]
        kept = [version, *before][:VERSIONS_KEPT]
        _write(self._serving, {"versions": kept})
        for other in before:
            if other not in kept:
                self.forget(other)

    def forget(self, version: str) -> None:
        """Let go of a version."""
        shutil.rmtree(self._folder / version, ignore_errors=True)

    def order(self) -> Record | None:
        """The order that has yet to reach the registry."""
        said = _read(self._order)
        return Record(**said) if said else None

    def keep_order(self, order: Record) -> None:
        """Keep an order until it has reached the registry."""
        _write(self._order, asdict(order))

    def forget_order(self) -> None:
        """The registry has it."""
        self._order.unlink(missing_ok=True)


def _read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(exist_ok=True)
    partly = path.with_suffix(".new")
    partly.write_text(json.dumps(content), encoding="utf-8")
    # In one step: whoever starts after a crash finds the old content or the new one.
    partly.replace(path)
