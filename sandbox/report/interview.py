"""Questions for the interview, chosen by what a submission did.

`graders/<scenario>/interview.yaml` is a list:

    - check: parity_survives_retraining
      when: failed            # passed, partial, failed, or any of the three
      ask: After retraining we saw {seen}. What would happen on the next nightly run?
      listen_for:
        - the features come from the pipeline, so that a new model brings its own
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from sandbox.errors import UsageError
from sandbox.grading.scorecard import Verdict, one_line
from sandbox.report.words import State, plain, state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "interview.yaml"

_BLANK = re.compile(r"\{([^{}]*)\}")
_BLANKS = ("seen", "expected")
# What lost points is talked about first.
_ORDER = (State.FAILED, State.PARTIAL, State.PASSED)

Line = Annotated[str, Field(min_length=1)]


class Prompt(BaseModel):
    """One entry of the file.

    Args:
        check: the check's name, without `test_`.
        when: the state in which it is asked; `any` of passed, partial and failed.
        ask: the question; `{seen}` and `{expected}` are filled in from the verdict.
        listen_for: what a good answer holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: Line
    when: Literal["passed", "partial", "failed", "any"]
    ask: Line
    listen_for: tuple[Line, ...] = Field(min_length=1)

    @field_validator("ask")
    @classmethod
    def _known_blanks(cls, ask: str) -> str:
        if unknown := sorted(set(_BLANK.findall(ask)) - set(_BLANKS)):
            raise ValueError(f"{{{unknown[0]}}} is none of {{seen}} and {{expected}}")
        return ask


@dataclass(frozen=True)
class Question:
    """A question to ask this candidate.

    Args:
        check: the check it follows from.
        title: that check's title.
        state: that check's state.
        ask: the question.
        listen_for: what a good answer holds.
    """

    check: str
    title: str
    state: State
    ask: str
    listen_for: tuple[str, ...]


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Read a scenario's questions.

    Raises:
        UsageError: the file is no YAML, or not a list of questions as they should be.
    """
    hint = "mend the file"
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        return TypeAdapter(tuple[Prompt, ...]).validate_python(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            expected=f"YAML in {path}", seen=one_line(str(error)), hint=hint
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            expected=f"a list of questions in {path}",
            seen=one_line(f"{where}: {first['msg']}"),
            hint=hint,
        ) from error


def select(prompts: Sequence[Prompt], verdicts: Sequence[Verdict]) -> tuple[Question, ...]:
    """The questions that follow from verdicts; what lost points comes first.

    Raises:
        UsageError: a question names a check that gave no verdict.
    """
    by_name = {verdict.check: verdict for verdict in verdicts}
    if unknown := [prompt.check for prompt in prompts if prompt.check not in by_name]:
        raise UsageError(
            expected=f"questions of {FILE} to name checks, one of: {', '.join(by_name)}",
            seen=repr(unknown[0]),
            hint="mend that name",
        )
    found = [
        Question(
            verdict.check,
            verdict.title,
            state(verdict),
            _filled(prompt.ask, verdict),
            prompt.listen_for,
        )
        for prompt in prompts
        if state(verdict := by_name[prompt.check]) in _ORDER
        and prompt.when in ("any", state(verdict))
    ]
    return tuple(sorted(found, key=lambda question: _ORDER.index(question.state)))


def _filled(ask: str, verdict: Verdict) -> str:
    # In one pass: what was seen comes from a submission and may hold `{expected}` itself.
    said = {"seen": f"“{plain(verdict.seen)}”", "expected": f"“{plain(verdict.expected)}”"}
    return " ".join(_BLANK.sub(lambda match: said[match[1]], ask).split())
