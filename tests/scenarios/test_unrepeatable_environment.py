"""unrepeatable_environment: an index that is what its sources make, package faults that are alike
in how many flights they touch, and graders that tell repeatable from lucky.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import itertools
import json
import re
import sys
import zipfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml

from sandbox import (
    attempts,
    compose,
    diagnosis,
    flights,
    overlay,
    paths,
    references,
    scenario,
)
from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.grading.runner import grade
from sandbox.grading.statistics import auc
from sandbox.probes import images, inputs
from sandbox.scenario import Choice
from sandbox.system.modules import module_from
from sandbox.variant import Variant, choose
from sandbox.workspace import file_digests, is_protected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from sandbox.grading.scorecard import Verdict
    from sandbox.references import Reference

SETTING = scenario.load("unrepeatable_environment")
GRADERS = paths.GRADERS / SETTING.name
INDEX, HOSTILE = SETTING.folder / "index", GRADERS / "index"
TICKET = (SETTING.folder / "TICKET.md").read_text("utf-8")
CHOICES = {name: each.choice for name, each in SETTING.variant.items() if isinstance(each, Choice)}
LATE = (0, 1)
SOUND = {"skyclock": "sound", "skycodes": "sound", "skyunits": "sound"}


def module(path: Path) -> ModuleType:
    return module_from(path.read_text("utf-8"), f"tested_{path.stem}", str(path))


DATA, LIVE = module(SETTING.folder / "data.py"), module(SETTING.folder / "live.py")
BUILD, PLAN = module(INDEX / "build.py"), module(GRADERS / "plan.py")
CHECKS = SETTING.folder / "checks"
PUBLIC = module(CHECKS / "plan.py")
FAULTS = CHOICES["package_fault"]
EACH_INDEX = list(itertools.product(FAULTS, LATE))


def variant(**parameters: Any) -> Variant:
    first = {name: choice[0] for name, choice in CHOICES.items()}
    return Variant(SETTING.name, "x", {**first, "late_package": 0, **parameters})


# -- the index


def test_wheels_are_what_the_sources_make_byte_by_byte(tmp_path: Path) -> None:
    wheels, hostile = tmp_path / "wheels", tmp_path / "hostile"
    digests = BUILD.build(wheels, hostile)
    assert file_digests(wheels) == file_digests(BUILD.WHEELS)
    assert file_digests(hostile) == file_digests(BUILD.HOSTILE)
    assert BUILD.digests_template(digests) == BUILD.DIGESTS.read_text("utf-8")
    assert BUILD.HOSTILE == HOSTILE


def test_every_source_is_a_flavour() -> None:
    for package in BUILD.PACKAGES:
        sources = {path.stem for path in (BUILD.SOURCES / package.name).glob("*.py")}
        assert sources == set(BUILD.flavours(package))
    assert {each for faults in DATA.NEWER.values() for each in faults} == set(FAULTS)


@pytest.mark.parametrize(("fault", "late"), EACH_INDEX)
def test_an_index_has_two_releases_of_each_and_one_right_answer(fault: str, late: int) -> None:
    chosen = variant(package_fault=fault, late_package=late)
    releases = DATA.releases(chosen)
    assert list(releases) == ["skyfeed", "skyclock", "skycodes", "skyunits"]
    assert list(releases.pop("skyfeed")) == ["sound"]
    wheels = DATA.wheels(chosen)
    assert len({wheel.name for wheel in wheels}) == len(wheels) == 7
    right = []
    for package, flavours in releases.items():
        older, newer = flavours
        fits = [each for each in (older, newer) if each in ("sound", "tuned")]
        assert fits, package
        right.append(len(fits))
    # In one the newer is wrong, in another the older; in the third either will do.
    assert sorted(right) == [1, 1, 2]
    assert DATA.changed_package(chosen) in releases
    assert str(fault) in releases[DATA.changed_package(chosen)]


@pytest.mark.parametrize(("fault", "late"), EACH_INDEX)
def test_what_attempts_lock_is_on_the_index(fault: str, late: int, tmp_path: Path) -> None:
    chosen = variant(package_fault=fault, late_package=late)
    digests = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in DATA.wheels(chosen)}
    by_name = {attempt.name: attempt for attempt in attempts.load_all(SETTING.name)}
    for name in ("oracle", "pip_tools_style", "newest_locked", "oldest_locked"):
        made = attempts.make(by_name[name], chosen, tmp_path / name)
        locked = re.findall(r"sha256:(\w{64})", (made / "requirements.lock").read_text("utf-8"))
        assert len({each for each in locked if set(each) != {"0"}} & digests) == 4, name


# -- what the packages do


def reader(monkeypatch: pytest.MonkeyPatch, flavours: dict[str, str]) -> Callable[[dict], dict]:
    for name, flavour in flavours.items():
        monkeypatch.setitem(sys.modules, name, module(BUILD.SOURCES / name / f"{flavour}.py"))
    return module(BUILD.SOURCES / "skyfeed" / "sound.py").clean


@pytest.fixture(scope="module")
def rows(all_flights: pd.DataFrame) -> pd.DataFrame:
    production = all_flights[all_flights["month"].isin(PLAN.MONTHS)]
    return production.sample(4_000, random_state=1)


@pytest.fixture
def changes(
    rows: pd.DataFrame, champion: Reference, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., np.ndarray]:
    """By how much predictions change, by row, when some packages are of other flavours."""
    sent = inputs.frame(flights.records(LIVE.as_sent(rows))).to_dict("records")
    wanted = champion.predict(rows)

    def change(**flavours: str) -> np.ndarray:
        clean = reader(monkeypatch, {**SOUND, **flavours})
        read = inputs.frame([clean(flight) for flight in sent])
        return np.abs(champion.predict(read) - wanted)

    return change


def test_sound_and_tuned_read_flights_as_they_were_read_in_may(
    changes: Callable[..., np.ndarray],
) -> None:
    assert changes().max() == 0
    assert changes(**dict.fromkeys(SOUND, "tuned")).max() == 0


def test_package_faults_are_alike_in_how_many_flights_they_touch(
    changes: Callable[..., np.ndarray],
) -> None:
    touched = {
        fault: float((changes(**{package: fault}) > 1e-6).mean())
        for package, faults in DATA.NEWER.items()
        for fault in faults
    }
    assert set(touched) == set(FAULTS)
    assert max(touched.values()) <= 2 * min(touched.values()), touched
    # "One flight in three."
    assert min(touched.values()) >= 0.2
    assert max(touched.values()) <= 0.45


@pytest.mark.parametrize("package", sorted(DATA.OLDER))
def test_older_releases_that_are_not_right_show(
    package: str, changes: Callable[..., np.ndarray]
) -> None:
    assert (changes(**{package: DATA.OLDER[package]}) > 1e-6).mean() > 0.15


def test_hostile_releases_show_in_far_more_flights_than_may_differ(
    rows: pd.DataFrame, champion: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = inputs.frame(flights.records(LIVE.as_sent(rows.head(600)))).to_dict("records")
    wanted = champion.predict(rows.head(600))
    for package in BUILD.PACKAGES:
        clean = reader(monkeypatch, SOUND)
        feed = BUILD.SOURCES / "skyfeed" / "sound.py"
        if package.name == "skyfeed":
            text = feed.read_text("utf-8") + package.spoilt
            clean = module_from(text, "tested_feed", str(feed)).clean
        else:
            path = BUILD.SOURCES / package.name / "sound.py"
            spoilt = module_from(path.read_text("utf-8") + package.spoilt, "spoilt", str(path))
            monkeypatch.setitem(sys.modules, package.name, spoilt)
            clean = module(feed).clean
        read = champion.predict(inputs.frame([clean(flight) for flight in sent]))
        assert (np.abs(read - wanted) > 1e-6).mean() > 0.3, package.name


# -- the variants


@pytest.mark.parametrize(
    "parameters",
    [
        *({"package_fault": fault, "late_package": late} for fault in FAULTS for late in LATE),
        *(
            dict(zip(("base_fault", "training_fault", "requirements_fault"), values, strict=True))
            for values in itertools.product(
                CHOICES["base_fault"], CHOICES["training_fault"], CHOICES["requirements_fault"]
            )
        ),
    ],
    ids=lambda each: "-".join(map(str, each.values())),
)
def test_every_variant_is_a_workspace_that_leaves_no_trace(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    chosen = variant(**parameters)
    workspace = compose.compose(SETTING, chosen, tmp_path / "workspace")
    words = set(itertools.chain(*CHOICES.values())) | set(SETTING.variant)
    for path in [*workspace.rglob("*.py"), workspace / "deploy" / "Dockerfile"]:
        text = path.read_text("utf-8")
        if path.suffix == ".py":
            ast.parse(text)
        assert not re.search(r"\{%|%\}|\{\{", text), path
        assert not words & set(re.findall(r"\w+", text)), path
    there = {path.name: path.read_bytes() for path in (workspace / "packages").iterdir()}
    assert there == {wheel.name: wheel.read_bytes() for wheel in DATA.wheels(chosen)}
    assert not (workspace / "requirements.lock").exists()
    assert images.DOCKERFILE == "deploy/Dockerfile"


@pytest.mark.parametrize("base", CHOICES["base_fault"])
def test_the_base_moves_in_every_variant_and_in_no_right_fix(base: str, tmp_path: Path) -> None:
    published = images.Published("flight-base", PLAN.BASE_STAYS)

    def moving(folder: Path) -> list[bool]:
        text = (folder / images.DOCKERFILE).read_bytes()
        seen = images.dockerfile.resolve(text, lambda name: name)
        return [published.moves(name) for name in seen.names]

    chosen = variant(base_fault=base)
    for attempt in attempts.load_all(SETTING.name):
        if attempt.kind in ("untouched", "oracle", "right fix"):
            made = attempts.make(attempt, chosen, tmp_path / attempt.name)
            assert any(moving(made)) is (attempt.kind == "untouched"), attempt.name


def test_the_recording_is_what_was_sent_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = compose.compose(SETTING, variant(), tmp_path / "workspace")
    recorded = json.loads((workspace / "data" / DATA.RECORDING).read_text("utf-8"))
    assert len(recorded) == DATA.ROWS
    clean = reader(monkeypatch, SOUND)
    sent = inputs.frame([each["sent"] for each in recorded]).to_dict("records")
    read = inputs.frame([clean(flight) for flight in sent])
    pd.testing.assert_frame_equal(
        read, inputs.frame([each["read"] for each in recorded]), check_dtype=False
    )
    # Each airport has its own way of writing: the three ways are there.
    assert {each["read"]["origin"] for each in recorded} == {"EWR", "JFK", "LGA"}


def test_without_a_fault_training_is_the_oracles() -> None:
    template = (SETTING.folder / "overlay/pipeline/train.py.j2").read_text("utf-8")
    parameters = dict.fromkeys(("training_fault", "requirements_fault"), "none")
    mended = ast.parse(overlay.render(template, parameters, SETTING.folder))
    oracle = (GRADERS / "attempts/oracle/overlay/pipeline/train.py").read_text("utf-8")
    own = {each.name: each for each in ast.parse(oracle).body if isinstance(each, ast.FunctionDef)}
    same = [
        each.name
        for each in mended.body
        if isinstance(each, ast.FunctionDef)
        and each.name in own
        and ast.dump(each) == ast.dump(own[each.name])
    ]
    # `register` asks for its requirements elsewhere.
    assert same == ["split", "main"]


def test_every_variant_has_four_findings() -> None:
    truths = yaml.safe_load((GRADERS / "truth.yaml").read_text("utf-8"))
    assert set(truths) == set(CHOICES)
    for values in itertools.product(*CHOICES.values()):
        chosen = variant(**dict(zip(CHOICES, values, strict=True)))
        truth = diagnosis.truth(GRADERS / "truth.yaml", chosen)
        assert len(truth) == 4
        # Whichever it is, what comes along is not named.
        [own] = [fact for fact in truth if fact["subject"] == ["model_requirements"]]
        assert "left_out" in own["kind"]
        [package] = [fact for fact in truth if fact["component"] == "requirements"]
        assert package["subject"] == [DATA.changed_package(chosen)]


@pytest.mark.parametrize(
    ("path", "kept"),
    [("deploy/run.py", True), ("deploy/run.sh", False), ("deploy/run_service", False)],
)
def test_hosts_start_by_our_own_script_and_images_by_anybodys(path: str, kept: bool) -> None:
    assert is_protected(path, SETTING.protected) is kept


def test_the_tickets_figures_are_the_graders() -> None:
    words = " ".join(TICKET.split())
    assert "to within 0.000001" in words
    checks = module(GRADERS / "test_training.py")
    assert f"at most {checks.AUC_TOLERANCE} below" in words
    assert f"has {DATA.ROWS} flights of May" in words
    command = "uv pip sync --offline --no-index --find-links packages --no-build requirements.lock"
    assert command in words
    run = (SETTING.folder / "overlay/deploy/run.py").read_text("utf-8")
    assert command in run
    for tag in re.findall(r"`flight-base:([\w.]+)`", TICKET):
        assert PLAN.BASE_STAYS.fullmatch(tag)


def test_a_split_by_time_stays_within_the_tolerance(all_flights: pd.DataFrame) -> None:
    checks = module(GRADERS / "test_training.py")
    # Of sixteen seeds the one on which it costs the most.
    stage = SimpleNamespace(variant=choose(SETTING, "proof-8"), flights=all_flights)
    rows = PLAN.training_rows(stage, "training").sort_values("departure", kind="stable")
    later = PLAN.hidden_flights(stage, "retrained", PLAN.RETRAINED_ROWS)
    seen = rows.head(int(0.8 * len(rows)))
    wanted, reached = (
        auc(later["late"].tolist(), references.retrained(each).predict(later).tolist())
        for each in (rows, seen)
    )
    assert 0.03 < wanted - reached < checks.AUC_TOLERANCE - 0.01


@pytest.mark.parametrize(("locked", "withdrawn"), [("1.3.0", "1.4.0"), ("1.4.0", "1.3.0")])
def test_what_a_lock_installs_is_not_withdrawn(
    locked: str, withdrawn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {"status": 0, "packages": {"skyunits": locked}}
    monkeypatch.setattr(PLAN.environments, "install", lambda stage: seen)
    monkeypatch.setattr(PLAN, "index_module", lambda stage: DATA)
    chosen = variant(package_fault="whole_readings")
    there = {wheel.name for wheel in PLAN.gone_on(SimpleNamespace(variant=chosen))}
    gone = {wheel.name for wheel in DATA.wheels(chosen)} - there
    assert gone == {f"skyunits-{withdrawn}-py3-none-any.whl"}


# -- the graders, on evidence that is made up

N = 400
EXPECTED = [0.1 + 0.8 * number / N for number in range(N)]
OTHERS = [value + 0.01 for value in EXPECTED]
OURS = ["skyclock", "skyfeed"]
PACKAGES = {"skyclock": "2.1.0", "skyfeed": "1.4.0"}
FILES = {"skyclock/__init__.py": "a", "skyfeed/__init__.py": "b"}


def environment(**changed: Any) -> dict[str, Any]:
    requires = {"skyclock": [], "skyfeed": ["skyclock>=2.1"]}
    kept = {"packages": PACKAGES, "files": FILES, "requires": requires}
    return {"status": 0, "said": "", "locked": True, **kept, **changed}


REFUSED = {"status": 1, "said": "hash mismatch"}
SPOILT = environment(files={**FILES, "skyclock/__init__.py": "c"})


def tried(seen: dict[str, Any]) -> dict[str, Any]:
    """One wheel replaced, and what was installed then."""
    return {"package": "skyclock", "version": "2.1.0", "environment": seen}


def perfect() -> dict[str, Any]:
    """What the steps of a right fix see."""
    late = [number % 3 == 0 for number in range(N)]
    good = [0.9 if each else 0.1 for each in late]
    return {
        "parity": {"expected": EXPECTED, "served": EXPECTED, "handed_out": OTHERS},
        "later": {"expected": EXPECTED, "served": EXPECTED},
        "inputs": {
            "ordinary": [{"case": "plain", "problem": "", "served": [0.4]}],
            "malformed": [{"case": "empty", "problem": "", "status": 400}],
        },
        "environments": {
            "ours": OURS,
            "first": environment(),
            "again": environment(),
            "grown": environment(),
        },
        "tampering": {
            "clean": environment(),
            "tried": [tried(REFUSED)],
            "served": None,
            "expected": EXPECTED,
        },
        "training": {
            "requirements": ["skyclock==2.1.0", "skyfeed==1.4.0", "pandas==2"],
            "host": {"pandas": "2"},
        },
        "retrained": {
            "first": good,
            "again": good,
            "other": OTHERS,
            "late": late,
            "reference": good,
        },
        "image": {
            "problem": "",
            "names": ["flight-base:2013.05"],
            "moving": [],
            "folders": [{"folder": "/site", "packages": PACKAGES, "files": FILES}],
            "alone": {"problem": "", "users": [4711]},
            "beside": {"problem": "", "served": EXPECTED[:100]},
        },
        "diagnosis": {"findings": [], "truth": [], "problem": ""},
    }


Graded = dict[str, "Verdict"]


@pytest.fixture
def graded(tmp_path: Path) -> Callable[..., Graded]:
    numbers = itertools.count()

    def judge(steps: dict[str, Any], runtime: str = "docker", graders: Path = GRADERS) -> Graded:
        writer = EvidenceWriter(tmp_path / str(next(numbers)))
        for name, data in steps.items():
            writer.write(Record(name, Outcome.RECORDED, data))
        verdicts, problem = grade(graders, writer.freeze(), runtime=runtime)
        assert not problem
        assert all(verdict.outcome != "ungradable" for verdict in verdicts), verdicts
        return {verdict.check: verdict for verdict in verdicts}

    return judge


def lost(verdicts: Graded) -> dict[str, float]:
    """Points that were not earned, by check; the diagnosis of made-up evidence left out."""
    return {
        name: verdict.points_max - verdict.points
        for name, verdict in verdicts.items()
        if verdict.points < verdict.points_max and not name.startswith("diagnosis")
    }


def changed(**values: Any) -> dict[str, Any]:
    """Perfect evidence in which some things are otherwise, by `step__key__key`."""
    steps = copy.deepcopy(perfect())
    for path, value in values.items():
        *folders, last = path.split("__")
        place: Any = steps
        for folder in folders:
            place = place[folder]
        place[last] = value
    return steps


def test_points_add_up_to_a_hundred_and_a_right_fix_earns_them(
    graded: Callable[..., Graded],
) -> None:
    verdicts = graded(perfect())
    assert sum(verdict.points_max for verdict in verdicts.values()) == 100
    assert lost(verdicts) == {}
    competencies = {verdict.competency for verdict in verdicts.values() if not verdict.guard}
    assert competencies == set(SETTING.competencies)


def test_the_image_is_judged_in_docker_only(graded: Callable[..., Graded]) -> None:
    steps = perfect()
    del steps["image"]
    verdicts = graded(steps, runtime="process")
    not_run = {name for name, verdict in verdicts.items() if verdict.outcome == "not run"}
    assert not_run == {"image_holds_the_locked_environment", "image_runs_without_rights"}
    assert lost({k: v for k, v in verdicts.items() if k not in not_run}) == {}


HALF = [*EXPECTED[: N // 2], *OTHERS[N // 2 :]]
IMAGE = {"image_holds_the_locked_environment": 4.0}
RIGHTS = {"image_runs_without_rights": 4.0}


@pytest.mark.parametrize(
    ("values", "costs"),
    [
        ({"parity__served": HALF}, {"service_answers_as_in_may": 14}),
        ({"later__served": HALF}, {"newer_releases_change_nothing": 16}),
        (
            {"environments__again": environment(files={})},
            {"environment_is_the_same_again": 14},
        ),
        ({"environments__again": REFUSED}, {"environment_is_the_same_again": 14}),
        (
            {"environments__grown": environment(packages={**PACKAGES, "skyfeed": "1.5.0"})},
            {"environment_is_the_same_again": 14},
        ),
        ({"tampering__tried": [tried(SPOILT)]}, {"tampered_wheels_are_refused": 16}),
        # A copy that is carried along is installed whatever is on the index.
        ({"tampering__tried": [tried(environment())]}, {}),
        ({"tampering__served": OTHERS}, {"tampered_wheels_are_refused": 16}),
        # It starts, and needs none of them.
        ({"tampering__served": EXPECTED}, {}),
        (
            {"training__requirements": ["skyfeed==1.4.0", "pandas==2"]},
            {"model_names_its_environment": 8},
        ),
        ({"retrained__again": OTHERS}, {"training_twice_predicts_the_same": 18}),
        ({"image__moving": ["flight-base"]}, IMAGE),
        ({"image__folders": []}, IMAGE),
        ({"image__beside__served": OTHERS[:100]}, IMAGE),
        ({"image__beside__served": None}, {**IMAGE, **RIGHTS}),
        ({"image__problem": "no end"}, {**IMAGE, **RIGHTS}),
        ({"image__alone__users": [0, 4711]}, RIGHTS),
        ({"image__alone__problem": "no answer"}, RIGHTS),
    ],
)
def test_what_a_slip_costs(
    values: dict[str, Any], costs: dict[str, float], graded: Callable[..., Graded]
) -> None:
    assert lost(graded(changed(**values))) == costs


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [(REFUSED, "passed"), (SPOILT, "failed"), (environment(), "passed")],
)
def test_the_public_check_counts_what_is_installed_too(
    seen: dict[str, Any], outcome: str, graded: Callable[..., Graded]
) -> None:
    steps = {
        "recording": {"served": EXPECTED, "expected": EXPECTED, "problems": []},
        "environments": {
            "first": environment(),
            "again": environment(),
            "changed": "skyclock-2.1.0-py3-none-any.whl",
            "tampered": seen,
        },
        "training": {"requirements": ["skyclock==2.1.0", "skyfeed==1.4.0"]},
        "retrained": {"first": EXPECTED, "again": EXPECTED},
        "dockerfile": {"problem": "", "names": ["flight-base:2013.05"]},
        "diagnosis": {"findings": [], "problem": ""},
    }
    verdicts = graded(steps, "process", CHECKS)
    assert verdicts["another_wheel_is_not_installed"].outcome == outcome


def test_the_public_checks_wheel_with_a_note_has_other_files(tmp_path: Path) -> None:
    [wheel] = (BUILD.WHEELS / "sound").glob("skyclock-*.whl")
    noted = PUBLIC.with_a_note(wheel, tmp_path)
    assert noted.name == wheel.name
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(noted) as other:
        assert one.namelist() == other.namelist()
        differ = [name for name in one.namelist() if one.read(name) != other.read(name)]
    assert differ == ["skyclock/__init__.py"]


def test_wheels_that_an_attempt_carries_along_are_the_indexs(tmp_path: Path) -> None:
    known = {
        hashlib.sha256(wheel.read_bytes()).hexdigest()
        for flavour in ("sound", "tuned")
        for wheel in (BUILD.WHEELS / flavour).glob("*.whl")
    }
    carried = file_digests(GRADERS / "attempts/copied_wheels/overlay/vendor")
    assert set(carried.values()) == known


def test_an_environment_that_the_service_does_not_run_on_counts_for_nothing(
    graded: Callable[..., Graded],
) -> None:
    empty = environment(packages={}, files={}, requires={})
    nothing = [None] * N
    steps = changed(
        environments={"ours": OURS, "first": empty, "again": empty, "grown": empty},
        tampering={"clean": empty, "tried": [], "served": None, "expected": EXPECTED},
        parity={"expected": EXPECTED, "served": nothing, "handed_out": OTHERS},
        later={"expected": EXPECTED, "served": nothing},
    )
    verdicts = graded(steps)
    assert verdicts["environment_is_the_same_again"].points == 0
    assert verdicts["tampered_wheels_are_refused"].points == 0
    assert verdicts["model_names_its_environment"].points == 0
    # Whoever answers as in May without any package needs none.
    steps["parity"]["served"] = steps["later"]["served"] = EXPECTED
    steps["image"]["folders"] = []
    steps["training"]["requirements"] = ["pandas==2"]
    assert lost(graded(steps)) == {}


@pytest.mark.parametrize(
    ("values", "guarded"),
    [
        (
            {"inputs__malformed": [{"case": "empty", "problem": "", "status": 200}]},
            {"service_answers_as_in_may", "newer_releases_change_nothing"},
        ),
        # Trained on nothing: other flights give the same model, or it knows nothing.
        (
            {"retrained__other": perfect()["retrained"]["first"]},
            {"training_twice_predicts_the_same", "model_names_its_environment"},
        ),
        (
            {"retrained__first": EXPECTED, "retrained__again": EXPECTED},
            {"training_twice_predicts_the_same", "model_names_its_environment"},
        ),
    ],
)
def test_what_worked_before_has_to_work(
    values: dict[str, Any], guarded: set[str], graded: Callable[..., Graded]
) -> None:
    assert set(lost(graded(changed(**values)))) == guarded


def test_a_lock_is_asked_for(graded: Callable[..., Graded]) -> None:
    unlocked = environment(locked=False)
    steps = changed(
        environments={"ours": OURS, "first": unlocked, "again": unlocked, "grown": unlocked},
        tampering__clean=unlocked,
    )
    earned = {name for name, verdict in graded(steps).items() if verdict.points}
    # What has no part in it.
    assert earned == {
        "model_names_its_environment",
        "training_twice_predicts_the_same",
        "image_runs_without_rights",
    }
