"""Is the environment the same today, tomorrow, and when somebody tampers with the index?"""

from sandbox.grading import check, guard
from sandbox.grading.environments import differing, disagreements, is_there, is_whole, same
from sandbox.grading.parity import ROWS_EQUAL_MIN, rows_equal

REPEATABLE, SUPPLY_CHAIN = "repeatable environments", "supply chain"
REFUSALS = (400, 413, 415, 422)


def share(step):
    return float(rows_equal(step["served"], step["expected"]).mean())


def counts(evidence):
    """Whether what is installed can count: it is all that the service needs, or it needs none."""
    environments = evidence["environments"]
    served = evidence["parity"]["served"]
    answers = sum(value is not None for value in served) >= ROWS_EQUAL_MIN * len(served)
    first = environments["first"]
    whole = is_there(first) and is_whole(first, environments["ours"])
    return answers and (whole or share(evidence["parity"]) >= ROWS_EQUAL_MIN)


@check(points=14, competency=REPEATABLE)
def test_service_answers_as_in_may(evidence, credit):
    """The service answers what it answered in May"""
    parity = evidence["parity"]
    locked = is_there(evidence["environments"]["first"])
    equal = share(parity)
    as_before = float(rows_equal(parity["served"], parity["handed_out"]).mean())
    credit.award(
        locked and equal >= ROWS_EQUAL_MIN,
        expected=f"at least {ROWS_EQUAL_MIN:.1%} of flights as in May, installed from a lock",
        seen=f"{equal:.1%} as in May, {as_before:.1%} as the service was handed out"
        + ("" if locked else "; nothing could be installed from requirements.lock"),
        where="parity.served",
    )


@check(points=14, competency=REPEATABLE)
def test_environment_is_the_same_again(evidence, credit):
    """Installed twice from a clean start, and once beside newer releases, it is the same"""
    environments = evidence["environments"]
    first = environments["first"]
    wrong = []
    if not is_there(first):
        wrong.append(f"nothing installed from a lock: {last_line(first)}")
    for name in ("again", "grown"):
        other = environments[name]
        if is_there(first) and not same(first, other):
            how = differing(first, other) if is_there(other) else [last_line(other)]
            wrong.append(f"{name}: {', '.join(how[:4])}")
    if not wrong and not counts(evidence):
        wrong.append("the service does not run on what the lock installs")
    credit.award(
        not wrong,
        expected="the same packages and files each time",
        seen="; ".join(wrong) or ", ".join(f"{k} {v}" for k, v in first["packages"].items()),
        where="environments",
    )


@check(points=16, competency=REPEATABLE)
def test_newer_releases_change_nothing(evidence, credit):
    """With newer releases on the index, and one withdrawn, the service answers as in May"""
    equal = share(evidence["later"])
    locked = is_there(evidence["environments"]["grown"])
    credit.award(
        locked and equal >= ROWS_EQUAL_MIN,
        expected=f"at least {ROWS_EQUAL_MIN:.1%} of flights as in May, installed from a lock",
        seen=f"{equal:.1%} as in May" + ("" if locked else ", and no lock"),
        where="later.served",
    )


@check(points=16, competency=SUPPLY_CHAIN)
def test_tampered_wheels_are_refused(evidence, credit):
    """A wheel of the same name and version with another content is not installed"""
    tampering = evidence["tampering"]
    tried = tampering["tried"]
    clean = tampering["clean"]
    # Whoever carries the right wheel along installs that one, whatever is on the index.
    taken = [
        each["package"]
        for each in tried
        if each["environment"]["status"] == 0 and not same(clean, each["environment"])
    ]
    wrong = [f"{name} is installed although it was tampered with" for name in taken]
    if tampering["served"] is not None and share(tampering) < ROWS_EQUAL_MIN:
        wrong.append(f"with all of them tampered with it serves, {share(tampering):.1%} as in May")
    if not is_there(clean):
        wrong = [f"nothing installed from a lock: {last_line(clean)}"]
    elif not counts(evidence):
        wrong.append("the service does not run on what the lock installs")
    credit.award(
        not wrong,
        expected="none of them to be installed, and the untampered ones to be",
        seen="; ".join(wrong) or f"{len(tried)} tried, none installed",
        where="tampering.tried",
    )


@check(points=8, competency=SUPPLY_CHAIN)
def test_model_names_its_environment(evidence, credit):
    """The trained model's own requirements are what it was trained with"""
    training, first = evidence["training"], evidence["environments"]["first"]
    wrong = disagreements(training["requirements"], first.get("packages", {}), training["host"])
    if not counts(evidence):
        wrong.append("the service does not run on what the lock installs")
    credit.award(
        not wrong,
        expected="exact versions, as installed, and each of our packages among them",
        seen="; ".join(wrong[:5]) or f"{len(training['requirements'])} that agree",
        where="training.requirements",
    )


@guard(of=("service_answers_as_in_may", "newer_releases_change_nothing"), competency=REPEATABLE)
def test_requests_are_read_as_before(evidence, credit):
    """Ordinary requests are answered, malformed ones refused"""
    cases = evidence["inputs"]
    wrong = [
        f"{case['case']}: {case['problem']}" for case in cases["ordinary"] if case["served"] is None
    ]
    wrong += [
        f"{case['case']}: {case['status'] or case['problem']}"
        for case in cases["malformed"]
        if case["status"] not in REFUSALS
    ]
    credit.award(
        not wrong,
        expected="a probability a row, and 4xx for what is malformed",
        seen="; ".join(wrong) or "all of it",
        where="inputs",
    )


def last_line(environment):
    """What the installer said last."""
    if environment["status"] == 0:
        return "there is no requirements.lock"
    return (environment["said"].strip().splitlines() or ["nothing was said"])[-1].strip()
