from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.grading.scorecard import (
    LINE_LIMIT,
    VerdictOutcome,
    one_line,
    printable,
    read_scorecard,
    write_scorecard,
)

FAILED, UNGRADABLE = VerdictOutcome.FAILED, VerdictOutcome.UNGRADABLE
NOT_RUN = VerdictOutcome.NOT_RUN

CENTS = st.integers(min_value=0, max_value=10_000).map(lambda cents: cents / 100)


class TestSums:
    def test_points_and_competencies(self, make_card, make_verdict):
        card = make_card(
            make_verdict("a"),
            make_verdict("b", competency="drift", share=0.5, points=5.0),
            make_verdict("c", outcome=FAILED, share=0.0, points=0.0),
            make_verdict("d", outcome=NOT_RUN, share=0.0, points=0.0, competency="canary"),
            make_verdict("g", guard=True, points_max=0.0, points=0.0, competency="service levels"),
        )
        assert (card.points, card.points_max) == (15.0, 30.0)
        assert card.percent == 50.0
        assert card.competencies == {"parity": (10.0, 20.0), "drift": (5.0, 10.0)}
        assert card.gradable

    def test_what_could_not_run_lowers_no_percentage(self, make_card, make_verdict):
        whole = make_verdict("a", points=92.0, points_max=92.0)
        assert make_card(whole, make_verdict("b", outcome=NOT_RUN, points=0.0)).percent == 100.0
        assert make_card(make_verdict("b", outcome=NOT_RUN, points=0.0)).percent == 0.0
        assert make_card(make_verdict(points=69.86, points_max=100.0)).percent == 69.86

    def test_one_ungradable_verdict(self, make_card, make_verdict):
        assert not make_card(make_verdict(), make_verdict("b", outcome=UNGRADABLE)).gradable

    def test_a_problem_of_the_whole_run(self, make_card, make_verdict):
        card = make_card(make_verdict(), problem="no checks")
        assert not card.gradable
        assert json.loads(card.to_json())["status"] == "ungradable"

    @given(
        st.lists(
            st.tuples(CENTS, CENTS, st.sampled_from("abc")).map(
                lambda row: (min(row[:2]), max(row[:2]), row[2])
            )
        )
    )
    def test_points_add_up(self, make_card, make_verdict, rows):
        card = make_card(
            *(
                make_verdict(str(number), points=points, points_max=points_max, competency=name)
                for number, (points, points_max, name) in enumerate(rows)
            )
        )
        assert card.points == pytest.approx(sum(row[0] for row in rows), abs=0.005)
        assert 0 <= card.points <= card.points_max
        for position, total in enumerate((card.points, card.points_max)):
            parts = sum(sums[position] for sums in card.competencies.values())
            assert parts == pytest.approx(total, abs=0.01)


class TestFile:
    def test_it_comes_back_as_it_was(self, make_card, make_verdict, tmp_path):
        card = make_card(
            make_verdict("a", points=1 / 3, share=1 / 3, held_back_by=("g", "h")),
            make_verdict("b", outcome=FAILED, points=0.0, share=0.0, seen="Ünïcode\x1b \ud800"),
            make_verdict("c", outcome=NOT_RUN, points=0.0),
            make_verdict("g", guard=True, points_max=0.0, points=0.0),
            problem="one",
        )
        path = tmp_path / "scorecard.json"
        write_scorecard(card, path)
        assert read_scorecard(path) == card
        write_scorecard(read_scorecard(path), tmp_path / "again.json")
        assert (tmp_path / "again.json").read_bytes() == path.read_bytes()

    @pytest.mark.parametrize("text", [None, "", "{", "\0", '{"schema": '])
    def test_no_card(self, tmp_path, text):
        path = tmp_path / "scorecard.json"
        if text is not None:
            path.write_text(text)
        self.refused(path, "expected a scorecard in")

    def test_not_even_text(self, tmp_path):
        path = tmp_path / "scorecard.json"
        path.write_bytes(b"\xff\xfe")
        self.refused(path, "expected a scorecard in")

    @pytest.mark.parametrize(
        "text", ["[]", "{}", "null", '"x"', '{"schema": "mlops-sandbox/scorecard/2"}']
    )
    def test_another_schema(self, tmp_path, text):
        path = tmp_path / "scorecard.json"
        path.write_text(text)
        self.refused(path, "expected schema")

    @pytest.mark.parametrize(
        "change",
        [
            {"seed": ...},
            {"verdicts": ...},
            {"verdicts": None},
            {"verdicts": "ab"},
            {"verdicts": [1]},
            {"verdicts": [{}]},
            {"verdicts": {"a": 1}},
            {"verdicts": [{"outcome": "brilliant", "held_back_by": []}]},
        ],
    )
    def test_a_broken_card(self, make_card, make_verdict, tmp_path, change):
        self.write(tmp_path / "card.json", make_card(make_verdict()), change)
        self.refused(tmp_path / "card.json", "expected a whole scorecard")

    @pytest.mark.parametrize(
        "change",
        [
            {"points": 100.0},
            {"points_max": 100.0},
            {"status": "ungradable"},
            {"competencies": {}},
            {"surprise": 1},
        ],
    )
    def test_sums_that_do_not_follow(self, make_card, make_verdict, tmp_path, change):
        self.write(tmp_path / "card.json", make_card(make_verdict()), change)
        self.refused(tmp_path / "card.json", f"others in {next(iter(change))}")

    def test_a_verdict_changed_by_hand(self, make_card, make_verdict, tmp_path):
        card = make_card(make_verdict(points=5.0))
        verdict = json.loads(card.to_json())["verdicts"][0]
        self.write(tmp_path / "card.json", card, {"verdicts": [verdict | {"points": 10.0}]})
        self.refused(tmp_path / "card.json", "others in competencies, points")

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_number(self, make_card, make_verdict, tmp_path, value):
        card = make_card(make_verdict())
        self.write(tmp_path / "card.json", card, {"durations_s": {"grade": value}})
        self.refused(tmp_path / "card.json", "is not JSON")
        with pytest.raises(ValueError, match="JSON"):
            make_card(make_verdict(share=value)).to_json()

    def write(self, path, card, change):
        body = json.loads(card.to_json()) | change
        path.write_text(json.dumps({k: v for k, v in body.items() if v is not ...}))

    def refused(self, path, said):
        with pytest.raises(UsageError) as caught:
            read_scorecard(path)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "grade" in caught.value.hint


class TestText:
    @given(st.text(st.characters(exclude_categories=())))
    def test_one_line_is_one_printable_line(self, text):
        line = one_line(text)
        assert len(line) <= LINE_LIMIT
        assert not set(line) & {"\n", "\r", "\t", "\x1b", "\x7f", "\x9b"}
        line.encode("utf-8")
        assert one_line(line) == line

    def test_ordinary_text_stays(self):
        assert one_line("a  b\n\tc – 99 % é 👍") == "a b c – 99 % é 👍"
        assert printable("a\n\tb é") == "a\n\tb é"

    def test_what_is_cut_says_so(self):
        assert one_line("a" * LINE_LIMIT) == "a" * LINE_LIMIT
        assert one_line("a" * (LINE_LIMIT + 1)) == "a" * (LINE_LIMIT - 1) + "…"
