"""The summary: what it says, and that nobody's text can make it say anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome
from sandbox.report.summary import write_summary

if TYPE_CHECKING:
    from pathlib import Path

    from markdown_it.token import Token

PASSED, FAILED = VerdictOutcome.PASSED, VerdictOutcome.FAILED
UNGRADABLE, NOT_RUN = VerdictOutcome.UNGRADABLE, VerdictOutcome.NOT_RUN
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def verdict(name: str = "a", outcome: VerdictOutcome = PASSED, **changes: object) -> Verdict:
    values: dict[str, object] = {
        "check": name,
        "title": f"Title of {name}",
        "competency": "parity",
        "outcome": outcome,
        "points_max": 10.0,
        "share": 1.0 if outcome is PASSED else 0.0,
        "points": 10.0 if outcome is PASSED else 0.0,
        "expected": "all rows",
        "seen": "some rows",
        "where": "parity.share",
    }
    return Verdict(**(values | changes))  # type: ignore[arg-type]


def card(*verdicts: Verdict, **changes: object) -> Scorecard:
    values: dict[str, object] = {
        "scenario": "skewed_preprocessing",
        "title": "Scores are nonsense",
        "seed": "7",
        "runtime": {"name": "process", "isolation": "none"},
        "verdicts": list(verdicts),
        "digests": {"evidence": "ab12"},
        "tools": {},
        "durations_s": {},
        "collected_at": "2026-01-02T03:04:05Z",
    }
    return Scorecard(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory):
    path: Path = tmp_path_factory.mktemp("summary") / "summary.md"

    def write(of: Scorecard) -> str:
        write_summary(of, path)
        return path.read_text("utf-8")

    return write


def test_points_by_competency_and_what_is_missing(written) -> None:
    said = written(
        card(
            verdict("good"),
            verdict("half", share=0.5, points=5.0, competency="monitoring", points_max=10.0),
            verdict("bad", FAILED, competency="testing", points_max=30.0),
            verdict("held", points=0.0, held_back_by=("fast",)),
            verdict("fast", FAILED, points_max=0.0, guard=True),
            verdict("elsewhere", NOT_RUN),
        )
    )
    lines = said.splitlines()
    assert lines[0] == "# 15 of 60 points"
    assert "Scores are nonsense (`skewed_preprocessing`), seed `7`." in lines
    start = lines.index("| competency | points | of |")
    assert lines[start + 2 : start + 6] == [
        "| testing | 0 | 30 |",
        "| parity | 10 | 20 |",
        "| monitoring | 5 | 10 |",
        "| **total** | **15** | **60** |",
    ]
    assert [line for line in lines if line.startswith("- ") and "Title" in line] == [
        "- ✗ **0 of 30** Title of bad",
        "- ◐ **0 of 10** Title of held",
        "- ◐ **5 of 10** Title of half",
        "- ✗ **guard** Title of fast",
    ]
    at = lines.index("- ✗ **0 of 30** Title of bad")
    assert lines[at + 1 : at + 4] == [
        "  - seen: `some rows`",
        "  - expected: `all rows`",
        "  - in the evidence: `parity.share`",
    ]
    assert "  - 10 points held back by the guard `fast`" in lines
    assert "1 check cannot run in this runtime: not counted." in lines
    assert "- isolation: `none`" in lines
    assert "- SHA-256 of evidence: `ab12`" in lines


def test_nothing_missing_is_said(written) -> None:
    said = written(card(verdict()))
    assert "Nothing is missing" in said
    assert "Where points are missing" not in said


@pytest.mark.parametrize("problem", ["", "the disk is full"])
def test_ungradable_is_said_loudly_and_shows_no_points(written, problem: str) -> None:
    said = written(card(verdict("good"), verdict("open", UNGRADABLE), problem=problem))
    assert said.startswith("# UNGRADABLE: there is no grade\n")
    assert "**What broke was the harness, not the submission. This counts against nobody" in said
    assert "- ! Title of open\n  - seen: `some rows`" in said
    assert "Title of good" not in said
    assert " of 20" not in said
    assert "total" not in said
    assert ("`the disk is full`" in said) == bool(problem)


# -- text of others


def outline(page: str) -> list[str]:
    """Everything that Markdown sees in a page, but the words themselves."""
    found: list[str] = []

    def walk(tokens: list[Token]) -> None:
        for token in tokens:
            found.append(f"{token.type} {token.tag} {sorted(token.attrs)}")
            walk(token.children or [])

    walk(MARKDOWN.parse(page))
    return found


def codes(page: str) -> list[str]:
    inline = [child for token in MARKDOWN.parse(page) for child in token.children or []]
    return [token.content for token in inline if token.type == "code_inline"]


HOSTILE = [
    "[link](https://evil.example)",
    "![picture](https://evil.example/x.png)",
    "https://evil.example www.evil.example mail@evil.example <https://evil.example>",
    "<img src=x onerror=alert(1)><script>alert(1)</script></details><!--",
    "a | b || \\| c",
    "` `` ``` [link](https://evil.example) `",
    "`",
    "\\`[link](https://evil.example)\\`",
    "ends with \\",
    "\n\n# 100 of 100 points\n\n| a | b |\n| - | - |\n\n```\n",
    "\r\n- [x] all good\x1b[2J\x00",
    "&#96; &lt;b&gt; @everyone #1 :tada: $x$ ~~no~~ **yes** _no_",
    "[ref]: https://evil.example",
    "\u202e\u200b\ufeff\u2028\u2029",
    "::error::mine\n::set-output name=status::0",
    "",
]


def page_saying(text: str, outcome: VerdictOutcome) -> Scorecard:
    """A card in which everything that can come from outside of the graders says the same."""
    return card(
        verdict("a", outcome, seen=text, expected=text, where=text or "w", title="T"),
        seed=text or "7",
        runtime={"name": text, "isolation": text},
        collected_at=text,
        digests={"evidence": text},
        problem=text if outcome is UNGRADABLE else "",
    )


def benign(said: str, text: str) -> str:
    """A harmless text for the same page: what cannot be seen is told as nothing, in our words."""
    if "seen: `" in said:
        return "x"
    return "\u200b" if text else ""


@pytest.mark.parametrize("outcome", [FAILED, UNGRADABLE])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_changes_what_the_page_is(written, text: str, outcome: VerdictOutcome) -> None:
    said = written(page_saying(text, outcome))
    assert outline(said) == outline(written(page_saying(benign(said, text), outcome)))
    assert not {"link_open", "image", "html_inline", "html_block"} & {
        seen.split()[0] for seen in outline(said)
    }
    assert not any(
        line.startswith(("::", "#", "|")) and "evil" in line for line in said.split("\n")
    )


@given(text=st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_no_text_at_all_changes_what_the_page_is(written, text: str) -> None:
    said = written(page_saying(text, FAILED))
    assert outline(said) == outline(written(page_saying(benign(said, text), FAILED)))


@given(text=st.text("`", min_size=1, max_size=9) | st.text("` \\|a", min_size=1))
def test_text_stands_in_the_page_as_it_was(written, text: str) -> None:
    said = codes(written(card(verdict("a", FAILED, seen=text, title="T"))))
    assert " ".join(text.split()) in [*said, ""]


@given(text=st.text(min_size=1))
def test_the_graders_words_are_words_and_nothing_else(written, text: str) -> None:
    of = card(verdict("a", FAILED, title=f"t {text}", competency=f"c {text}"), title=f"t {text}")
    plain = card(verdict("a", FAILED, title="t", competency="c"), title="t")
    assert outline(written(of)) == outline(written(plain))
