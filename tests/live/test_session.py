"""The state file: what the supervisor writes is what everybody else reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.live import session
from sandbox.live.session import Alert, Figures, Monitoring, State

STATE = State(1, "some_scenario", "1", "/a/workspace", "running", figures=Figures(auc=0.7))
MONITORING = Monitoring(
    url="http://127.0.0.1:9090",
    rules=3,
    refused="17:15: parse error",
    troubles=("flight-delay cannot be scraped: refused",),
    alerts=(Alert("WeatherMissing", "page", firing=True, since="2026-01-01T10:00:00Z", series=2),),
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(session, "STATE", tmp_path / "state.json")
    return session.STATE


@pytest.mark.parametrize("monitoring", [None, Monitoring(problem="not installed"), MONITORING])
def test_a_state_is_read_as_it_was_written(file: Path, monitoring: Monitoring | None) -> None:
    state = State(**{**vars(STATE), "monitoring": monitoring})
    session.write_state(state)
    assert session.read_state(file) == state


def test_a_state_of_another_version_is_none_that_can_be_read(file: Path) -> None:
    session.write_state(STATE)
    fields = json.loads(file.read_text())
    del fields["monitoring"]
    file.write_text(json.dumps(fields))
    with pytest.raises(KeyError):
        session.read_state(file)
