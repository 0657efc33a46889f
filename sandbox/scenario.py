"""A scenario: one take-home, a folder under `broken_services/` with a typed `scenario.yaml`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sandbox import paths
from sandbox.errors import UsageError

FILE = "scenario.yaml"
HANDED_OUT = "handed_out"


class Strict(BaseModel):
    """A file's part: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServiceStart(Strict):
    """How the model service is started.

    Args:
        command: program and arguments, run in the workspace; `PORT` tells it where to listen.
        ready_path: answers 200 once the service can predict.
        ready_within_s: seconds it has for that.
    """

    command: tuple[str, ...] = Field(min_length=1)
    ready_path: str = Field(pattern=r"^/")
    ready_within_s: float = Field(gt=0, le=120)


class Telemetry(Strict):
    """How the service is monitored, where a scenario is about that.

    Args:
        rules: the Prometheus rule file in the workspace.
        scrape_interval_s: simulated seconds between two scrapes, by kind of episode; the kinds are
            the scenario's own words.
    """

    rules: str
    scrape_interval_s: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)


class Releases(Strict):
    """How new versions of the model come to production, where a scenario is about that.

    Args:
        manifest: the Argo Rollouts manifest in the workspace; None where nothing is rolled out.
        registered: what was registered after version 1, as kinds of release (`models.Kind`); they
            are versions 2, 3 and so on.
        champion: the version in production when everything starts.
    """

    manifest: str | None = None
    registered: tuple[str, ...] = Field(min_length=1)
    champion: int = Field(default=1, ge=1)


# Production begins in July: the model was trained on the months before.
LiveDay = Annotated[date, Field(ge=date(2013, 7, 1), le=date(2013, 12, 1))]


class Choice(Strict):
    """A parameter of the variant: one of these."""

    choice: tuple[str, ...] = Field(min_length=1)


class Range(Strict):
    """A parameter of the variant: an integer, both ends included."""

    low: int
    high: int

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


Parameter = Annotated[Choice | Range, Field(union_mode="smart")]


class Scenario(Strict):
    """What `scenario.yaml` says, and where it was found.

    Args:
        name: the folder's name.
        title: for headings.
        summary: one line for `sandbox list`.
        level: what experience it asks for.
        time_limit_min: minutes a candidate is given.
        competencies: in the order of the scorecard.
        editable: globs of what the candidate is asked to change.
        protected: globs of what is restored before grading.
        removes: files of the healthy service that the broken one lacks.
        service: how the model service is started.
        live_from: the day of 2013 on which the live traffic begins.
        telemetry: how it is monitored; None where no alert rules are judged.
        releases: how new versions come to production; None where there is only version 1.
        variant: what a seed chooses, by parameter.
        folder: the scenario's folder.
    """

    name: str
    title: str
    summary: str
    level: Literal["junior", "intermediate", "senior"]
    time_limit_min: int = Field(gt=0)
    competencies: tuple[str, ...] = Field(min_length=1)
    editable: tuple[str, ...]
    protected: tuple[str, ...]
    removes: tuple[str, ...] = ()
    service: ServiceStart
    live_from: LiveDay = date(2013, 7, 1)
    telemetry: Telemetry | None = None
    releases: Releases | None = None
    variant: dict[str, Parameter] = Field(default_factory=dict)
    folder: Path

    @property
    def handed_out(self) -> Path | None:
        """In a kit, the folder of what is finished there: `workspace/`, and `registry/` with the
        trained releases. None where both are made from the healthy service.
        """
        folder = self.folder / HANDED_OUT
        return folder if folder.is_dir() else None

    @property
    def manifest(self) -> str | None:
        """The manifest in the workspace that releases go through; None where there is none."""
        return None if self.releases is None else self.releases.manifest

    @property
    def needs_prometheus(self) -> bool:
        """Whether anything of it asks a Prometheus."""
        return self.telemetry is not None or self.manifest is not None


def names() -> list[str]:
    """Every scenario there is, sorted."""
    return sorted(path.parent.name for path in paths.SERVICES.glob(f"*/{FILE}"))


def load(name: str) -> Scenario:
    """Read one scenario.

    Raises:
        UsageError: there is none of that name, or its file is not as it should be.
    """
    folder = paths.SERVICES / name
    if name not in names():
        raise UsageError(
            expected=f"a scenario, one of: {', '.join(names())}",
            seen=repr(name),
            hint="run `sandbox list` to see what each is about, in the folder with the Makefile",
        )
    return read(folder / FILE)


def read(path: Path) -> Scenario:
    """Read one scenario's file.

    Raises:
        UsageError: it is not YAML, or a key is missing, unknown or of the wrong type.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(content, dict):
            raise UsageError(expected=f"a mapping in {path}", seen=type(content).__name__)
        # Both come from where the file lies.
        if own := sorted({"name", "folder"} & set(content)):
            raise UsageError(expected=f"no key {own[0]} in {path}", seen="one", hint="remove it")
        found = {"name": path.parent.name, "folder": path.parent}
        return Scenario.model_validate(content | found)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise UsageError(expected=f"YAML in {path}", seen=problem, hint="mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            expected=f"{path} as docs/authoring.md describes it",
            seen=f"{where}: {first['msg']}",
            hint="mend that key",
        ) from error
