"""Scenario files: every shipped one loads, and a wrong one is refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import ValidationError

from sandbox import paths, scenario
from sandbox.errors import UsageError
from sandbox.scenario import Choice, Range, Telemetry

if TYPE_CHECKING:
    from pathlib import Path

NAMES = scenario.names()


def sound() -> dict[str, Any]:
    """A shipped file's content, to be broken in one place."""
    content = yaml.safe_load((paths.SERVICES / NAMES[0] / scenario.FILE).read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def written(folder: Path, content: object) -> Path:
    path = folder / "some_scenario" / scenario.FILE
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else yaml.safe_dump(content).encode())
    return path


def refusal(path: Path) -> str:
    """What is said about a wrong file; always one line that names it."""
    with pytest.raises(UsageError) as caught:
        scenario.read(path)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    return said


def test_there_are_scenarios_and_the_healthy_service_is_none() -> None:
    assert "skewed_preprocessing" in NAMES
    assert paths.HEALTHY.name not in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_scenario_loads(name: str) -> None:
    loaded = scenario.load(name)
    assert (loaded.name, loaded.folder) == (name, paths.SERVICES / name)
    assert (loaded.folder / "TICKET.md").is_file()
    assert "TICKET.md" in loaded.protected
    assert not set(loaded.editable) & set(loaded.protected)
    assert all((paths.HEALTHY / path).is_file() for path in loaded.removes)


def test_a_loaded_scenario_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        scenario.load(NAMES[0]).title = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    "name", ["none", "", ".", "../broken_services/skewed_preprocessing", "flight_delay", "/"]
)
def test_an_unknown_scenario_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=NAMES[0]) as caught:
        scenario.load(name)
    assert repr(name) in caught.value.seen


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("level", "genius", "level"),
        ("time_limit_min", "two hours", "time_limit_min"),
        ("time_limit_min", 0, "time_limit_min"),
        ("live_from", "2013-06-30", "live_from"),
        ("competencies", [], "competencies"),
        ("competencies", "testing", "competencies"),
        ("editable", None, "editable"),
        ("service", {"command": ["x"], "ready_path": "readyz", "ready_within_s": 5}, "ready_path"),
        ("service", {"command": ["x"], "ready_path": "/", "ready_within_s": 999}, "ready_within_s"),
        ("service", {"command": [], "ready_path": "/", "ready_within_s": 5}, "service.command"),
        ("telemetry", {"rules": "a.yaml"}, "telemetry.scrape_interval_s"),
        ("telemetry", {"scrape_interval_s": {"day": 60}}, "telemetry.rules"),
        ("telemetry", {"rules": "a.yaml", "scrape_interval_s": {}}, "telemetry.scrape_interval_s"),
        ("telemetry", {"rules": "a.yaml", "scrape_interval_s": {"day": "1m"}}, "interval_s.day"),
        ("telemetry", {"rules": "a", "scrape_interval_s": {"day": 60}, "x": 1}, "telemetry.x"),
        ("telemetry", [], "telemetry"),
        ("variant", {"loud_skew": 3}, "variant.loud_skew"),
        ("variant", {"loud_skew": {"choice": []}}, "variant.loud_skew"),
        ("variant", {"day": {"low": 1, "high": "x"}}, "variant.day"),
        ("variant", {"day": {"low": 2, "high": 1}}, "variant.day"),
        ("variant", {"day": {"low": 1, "high": 2, "choice": ["a"]}}, "variant.day"),
        ("minutes", 5, "minutes"),
        ("name", "another", "name"),
        ("folder", "/tmp", "folder"),
        (7, "seven", "7"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, key: object, value: object, where: str) -> None:
    assert where in refusal(written(tmp_path, {**sound(), key: value}))


@pytest.mark.parametrize("key", ["title", "level", "time_limit_min", "protected", "service"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    content = sound()
    del content[key]
    said = refusal(written(tmp_path, content))
    assert f"{key}: " in said
    assert "required" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"title: [unclosed\nlevel: senior\n", "YAML"),
        (b"\ttitle: tab", "YAML"),
        (b"title: \xff\xfe", "YAML"),
        (b"", "NoneType"),
        (b"- title", "list"),
        (b"title", "str"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refusal(written(tmp_path, content))


def test_both_kinds_of_parameters_are_read(tmp_path: Path) -> None:
    variant = {"skew": {"choice": ["a", "b"]}, "day": {"low": -3, "high": -3}}
    loaded = scenario.read(written(tmp_path, {**sound(), "variant": variant}))
    assert loaded.variant == {"skew": Choice(choice=("a", "b")), "day": Range(low=-3, high=-3)}


def test_telemetry_is_read_where_there_is_any(tmp_path: Path) -> None:
    given = {"rules": "deploy/alerts.yaml", "scrape_interval_s": {"incident": 120, "weeks": 3600}}
    loaded = scenario.read(written(tmp_path, {**sound(), "telemetry": given}))
    assert loaded.telemetry == Telemetry.model_validate(given)
    without = {key: value for key, value in sound().items() if key != "telemetry"}
    (tmp_path / "other").mkdir()
    assert scenario.read(written(tmp_path / "other", without)).telemetry is None


@pytest.mark.parametrize("name", NAMES)
def test_intervals_of_telemetry_are_those_of_the_ticket(name: str) -> None:
    loaded = scenario.load(name)
    if loaded.telemetry is None:
        silent = {"no_rollback", "reckless_canary", "skewed_preprocessing"}
        assert name in silent | {"unrepeatable_environment"}
        return
    ticket = (loaded.folder / "TICKET.md").read_text("utf-8")
    assert loaded.telemetry.rules in ticket
    for seconds in loaded.telemetry.scrape_interval_s.values():
        said = (
            ["hour"]
            if seconds == 3_600
            else [f"{seconds / 60:g} minutes", f"{seconds / 60:g} minute"]
        )
        if seconds == 60:
            said += ["every minute"]
        assert any(words in ticket for words in said), said
