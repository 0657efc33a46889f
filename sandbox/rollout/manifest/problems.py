"""What is wrong with a manifest: every problem with its place in the file, all in one error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.untrusted import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

# Nobody reads a longer list.
PROBLEMS_MAX = 100
_NAME_MAX = 60


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Args:
        path: where, such as "Rollout/flight-delay: spec.strategy.canary.steps[2].experiment", or
            "line 7" where the file could not be read that far.
        what: what is wrong there, in one line.
    """

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class ManifestError(Exception):
    """A manifest that Argo, or this sandbox, does not take. Whoever wrote it has to mend it.

    Args:
        problems: at least one; only the first 100 are kept.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[:PROBLEMS_MAX])
        more = len(problems) - 1
        rest = f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""
        super().__init__(f"{problems[0]}{rest}")

    @property
    def listing(self) -> str:
        """Every problem kept, a line each, its place first."""
        return "\n".join(f"{problem.path}: {problem.what}" for problem in self.problems)


@dataclass(frozen=True)
class Place:
    """A place in a manifest, and the list that its problems go to.

    Args:
        path: as in `Problem`.
        problems: of the whole file.
    """

    path: str
    problems: list[Problem]

    def field(self, name: str) -> Place:
        """The place of a field of the object here."""
        shown = visible(name[:_NAME_MAX])
        dot = "" if self.path.endswith(": ") else "."
        return Place(f"{self.path}{dot}{shown}", self.problems)

    def entry(self, number: int) -> Place:
        """The place of an entry of the list here, counted from 0."""
        return Place(f"{self.path}[{number}]", self.problems)

    def say(self, what: str) -> None:
        """Add a problem of this place."""
        self.problems.append(Problem(self.path.removesuffix(": "), what))
