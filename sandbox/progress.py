"""How far long replays have come, for whoever waits for them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from rich.console import Console
    from rich.progress import TaskID


class Progress(Protocol):
    """Is told of every tick; several episodes may tell at once, each under its own name."""

    def tick(self, name: str, now: pd.Timestamp, done: int, of: int) -> None:
        """An episode has come to a simulated instant: so many ticks are done."""


class Silent:
    """Tells nobody."""

    def tick(self, name: str, now: pd.Timestamp, done: int, of: int) -> None:
        """Do nothing."""


class Bars:
    """A bar for each episode, with its simulated time; made by `bars`."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (  # noqa: PLC0415 - only where somebody looks
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self.rich = Progress(
            TextColumn("  {task.description:<24}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[now]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            refresh_per_second=4,
        )
        self._tasks: dict[str, TaskID] = {}

    def tick(self, name: str, now: pd.Timestamp, done: int, of: int) -> None:
        """Move the episode's bar; a finished one goes."""
        if name not in self._tasks:
            self._tasks[name] = self.rich.add_task(name, total=of, now="")
        task = self._tasks[name]
        self.rich.update(task, completed=done, now=f"{now:%a %d %b %H:%M}", visible=done < of)


@contextmanager
def bars(console: Console) -> Iterator[Progress]:
    """Bars while the block runs; nothing where nobody looks at a terminal."""
    if not console.is_terminal:
        yield Silent()
        return
    shown = Bars(console)
    with shown.rich:
        yield shown
