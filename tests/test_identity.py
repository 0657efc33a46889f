"""Whose kit it is: nobody without the secret can tell the seed, or make a label."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox import identity, scenario, variant
from sandbox.errors import UsageError
from sandbox.identity import Key, read_key, variant_of
from sandbox.scenario import HANDED_OUT

KEY = Key(b"a secret of the hiring team, long enough")
OTHER = Key(b"a secret of another team, long enough, too")
SETTING = scenario.load("skewed_preprocessing")
LABEL = KEY.label(SETTING.name, "alice")


def test_a_kit_s_variant_is_found_again_from_its_label() -> None:
    made = identity.kit_variant(SETTING, "alice", KEY)
    assert made.marked == LABEL
    assert variant_of(SETTING, LABEL, KEY) == made
    assert variant_of(SETTING, LABEL, KEY, "alice") == made


def test_a_kit_made_today_is_graded_by_the_next_release() -> None:
    made = identity.kit_variant(SETTING, "alice", Key(b"0123456789abcdef0123456789abcdef"))
    assert made.label == "kit+alice+81792f0e0a0ae536d6e1"
    assert made.seed == "660b792ffa4754c4582bd37a7a48d39875cbcfb2"


def test_candidates_scenarios_and_secrets_have_seeds_of_their_own() -> None:
    seeds = {
        key.seed(name, candidate)
        for key in (KEY, OTHER)
        for name in scenario.names()
        for candidate in ("alice", "bob", "Alice")
    }
    assert len(seeds) == 2 * len(scenario.names()) * 3


def test_candidates_get_all_kinds_of_variants() -> None:
    kits = [identity.kit_variant(SETTING, f"c{number}", KEY) for number in range(200)]
    seen = {value for kit in kits for value in kit.parameters.values()}
    assert seen == {value for space in SETTING.variant.values() for value in space.choice}


def test_a_label_holds_nothing_of_the_seed() -> None:
    seed = KEY.seed(SETTING.name, "alice")
    tag = LABEL.rpartition("+")[2]
    assert len(tag) == 20
    assert tag not in seed
    assert seed[:20] not in LABEL
    # Taken for a seed it leads elsewhere: nothing is chosen by what is written in a kit.
    assert variant.choose(SETTING, LABEL).number("rows") != variant_of(SETTING, LABEL, KEY).number(
        "rows"
    )


@pytest.mark.parametrize("candidate", ["a", "x" * 39, "alice@example.org", "A.b_c-d@9"])
def test_a_label_fits_where_seeds_are_written(candidate: str) -> None:
    label = KEY.label(SETTING.name, candidate)
    assert variant.SEED.fullmatch(label)
    assert variant_of(SETTING, label, KEY, candidate).label == label


@pytest.mark.parametrize("candidate", ["", "x" * 40, "a b", "a+b", "-a", "a/b", "a\n", "ä"])
def test_a_candidate_s_id_is_a_part_of_a_file_s_name(candidate: str) -> None:
    with pytest.raises(UsageError, match="a candidate's ID"):
        identity.kit_variant(SETTING, candidate, KEY)


@pytest.mark.parametrize(
    ("marked", "key", "candidate", "said"),
    [
        (LABEL, None, None, "expected the hiring team's secret.*SANDBOX_SECRET"),
        (LABEL, None, "alice", "expected the hiring team's secret"),
        (LABEL, OTHER, None, "made with this secret; saw kit.alice"),
        (LABEL, KEY, "bob", "expected a submission of candidate bob; saw one of alice"),
        (LABEL.replace("alice", "bob"), KEY, None, "made with this secret; saw kit.bob"),
        (LABEL.replace("alice", "bob"), KEY, "bob", "made with this secret; saw kit.bob"),
        (KEY.label("no_rollback", "alice"), KEY, None, "a kit for skewed_preprocessing"),
        ("spring-4711", KEY, "alice", "the kit of candidate alice; saw.*'spring-4711'"),
    ],
)
def test_what_does_not_fit_is_one_line(
    marked: str, key: Key | None, candidate: str | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        variant_of(SETTING, marked, key, candidate)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_workspace_with_a_seed_needs_no_secret(key: Key | None) -> None:
    assert variant_of(SETTING, "spring-4711", key) == variant.choose(SETTING, "spring-4711")


def test_inside_a_kit_nothing_is_chosen_and_no_secret_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / HANDED_OUT).mkdir()
    inside = SETTING.model_copy(update={"folder": tmp_path, "variant": {}})
    found = variant_of(inside, LABEL)
    assert (found.marked, found.parameters) == (LABEL, {})


# -- the secret


def test_the_secret_comes_from_the_environment_and_is_gone_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(identity.VARIABLE, "s" * 32)
    assert read_key() == Key(b"s" * 32)
    assert identity.VARIABLE not in os.environ
    assert read_key() is None


def test_a_file_comes_first_and_its_last_line_may_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"f" * 32 + b"\n")
    monkeypatch.setenv(identity.VARIABLE, "s" * 32)
    assert read_key(file) == Key(b"f" * 32)
    assert identity.VARIABLE not in os.environ


@pytest.mark.parametrize("content", [b"", b"short", b"s" * 31, b"s" * 31 + b"\n\n"])
def test_a_secret_that_could_be_guessed_is_refused_and_not_repeated(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="at least 32 bytes") as caught:
        read_key(file)
    assert not content.strip() or content.decode().strip() not in str(caught.value)


def test_a_secret_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_key(Path("nowhere"))
    with pytest.raises(UsageError, match="expected the hiring team's secret"):
        identity.required_key(None)


def test_a_key_does_not_show_its_secret() -> None:
    assert "secret of the hiring team" not in f"{KEY} {KEY!r}"
