"""Bars for replays: one an episode, with simulated time, and nothing where nobody looks."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from rich.console import Console

from sandbox.progress import Bars, Progress, Silent, bars

NOW = pd.Timestamp("2013-07-09 05:30", tz="America/New_York")


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_who_looks_sees_episodes_and_their_clocks() -> None:
    console = terminal()
    with bars(console) as progress:
        progress.tick("an ordinary day", NOW, 1, 10)
        progress.tick("no weather", NOW + pd.Timedelta(days=1), 5, 10)
    said = shown(console)
    assert "an ordinary day" in said
    assert "Tue 09 Jul 05:30" in said
    assert "Wed 10 Jul 05:30" in said


def test_a_bar_is_filled_as_far_as_its_episode_is() -> None:
    told = Bars(terminal())
    for done in range(1, 10):
        told.tick("a day", NOW, done, 10)
        (task,) = told.rich.tasks
        assert (task.completed, task.total, task.visible) == (done, 10, True)


def test_a_finished_episode_goes_and_the_others_stay() -> None:
    told = Bars(terminal())
    told.tick("a day", NOW, 9, 10)
    told.tick("another", NOW, 9, 10)
    told.tick("a day", NOW, 10, 10)
    assert {task.description: task.visible for task in told.rich.tasks} == {
        "a day": False,
        "another": True,
    }


def test_episodes_may_tell_side_by_side() -> None:
    told = Bars(terminal())

    def replay(name: str) -> None:
        for done in range(1, 101):
            told.tick(name, NOW, done, 101)

    with told.rich, ThreadPoolExecutor(4) as pool:
        list(pool.map(replay, "abcd"))
    assert sorted(task.description for task in told.rich.tasks) == list("abcd")
    assert {task.completed for task in told.rich.tasks} == {100}


def test_where_nobody_looks_nothing_is_written() -> None:
    console = Console(file=io.StringIO())
    with bars(console) as progress:
        assert isinstance(progress, Silent)
        progress.tick("a day", NOW, 1, 10)
    assert shown(console) == ""


def test_bars_go_when_what_they_show_breaks() -> None:
    console = terminal()

    def breaking(progress: Progress) -> None:
        progress.tick("a day", NOW, 1, 10)
        raise RuntimeError("it broke")

    with pytest.raises(RuntimeError), bars(console) as progress:
        breaking(progress)
    # The cursor, which a bar hides, is shown again.
    assert shown(console).rindex("\x1b[?25h") > shown(console).rindex("\x1b[?25l")
