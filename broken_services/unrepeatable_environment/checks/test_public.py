"""Public checks: what a new host would show, as far as one installation and two trainings do."""

import numpy as np

from sandbox.grading import check, findings
from sandbox.grading.environments import differing, disagreements, is_there, same
from sandbox.grading.parity import ROWS_EQUAL_MIN, rows_equal


def values(served):
    return np.array([np.nan if value is None else value for value in served])


@check(points=1, competency="repeatable environments")
def test_recorded_flights_are_answered_as_in_may(evidence, credit):
    """The flights of data/recorded_in_may.json are answered as they were in May"""
    recording = evidence["recording"]
    equal = float(rows_equal(recording["served"], recording["expected"]).mean())
    credit.award(
        equal >= ROWS_EQUAL_MIN,
        expected=f"at least {ROWS_EQUAL_MIN:.1%} of them",
        seen=f"{equal:.1%}" + (f", {recording['problems'][0]}" if recording["problems"] else ""),
        where="recording.served",
    )


@check(points=1, competency="repeatable environments")
def test_lock_installs_the_same_twice(evidence, credit):
    """requirements.lock installs the same packages and files, twice from a clean start"""
    environments = evidence["environments"]
    first, again = environments["first"], environments["again"]
    if not is_there(first):
        said = first["said"].strip().splitlines()
        seen = said[-1] if first["status"] != 0 and said else "there is no requirements.lock"
    else:
        seen = ", ".join(differing(first, again) if is_there(again) else ["nothing, again"])
    credit.award(
        not seen,
        expected="the same each time",
        seen=seen
        or ", ".join(f"{k} {v}" for k, v in first["packages"].items())
        or "nothing of ours",
        where="environments",
    )


@check(points=1, competency="supply chain")
def test_another_wheel_is_not_installed(evidence, credit):
    """A wheel of the same name with another content is not installed"""
    environments = evidence["environments"]
    name = environments["changed"]
    first, tampered = environments["first"], environments["tampered"]
    locked = is_there(first)
    taken = tampered["status"] == 0 and not same(first, tampered)
    credit.award(
        locked and not taken,
        expected=f"{name} not to be installed once it is another one",
        seen="no requirements.lock" if not locked else "it is installed" if taken else "it is not",
        where="environments.tampered",
    )


@check(points=1, competency="repeatable training")
def test_training_twice_predicts_the_same(evidence, credit):
    """Trained twice on the same flights, the model predicts the same"""
    retrained = evidence["retrained"]
    first, again = values(retrained["first"]), values(retrained["again"])
    equal = float((first == again).mean())
    credit.award(
        equal == 1,
        expected="every prediction the same",
        seen=f"{equal:.1%} the same",
        where="retrained",
    )


@check(points=1, competency="supply chain")
def test_model_names_its_environment(evidence, credit):
    """requirements.txt of the trained model has exact versions, and those that are installed"""
    lines = evidence["training"]["requirements"]
    packages = evidence["environments"]["first"].get("packages", {})
    # Of ours; what the host has is looked at when it is graded.
    wrong = [
        each
        for each in disagreements(lines, packages, {})
        if "is no exact version" in each or any(name in each for name in packages)
    ]
    credit.award(
        not wrong,
        expected="exact versions, and each of our packages that is installed",
        seen="; ".join(wrong[:3]) or ", ".join(lines[:8]),
        where="training.requirements",
    )


@check(points=1, competency="repeatable environments")
def test_dockerfile_can_be_built_offline(evidence, credit):
    """deploy/Dockerfile can be read, and asks for nothing but the platform team's base"""
    dockerfile = evidence["dockerfile"]
    credit.award(
        not dockerfile["problem"],
        expected="instructions that need no network, on flight-base",
        seen=dockerfile["problem"] or ", ".join(dockerfile["names"]),
        where="dockerfile",
    )


@check(points=1, competency="diagnosis")
def test_diagnosis_can_be_read(evidence, credit):
    """diagnosis.yaml can be read and names something"""
    findings.require_some(evidence["diagnosis"], credit)
