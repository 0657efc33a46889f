"""One command that goes back: unnoticed, written down, and not for ever."""

from sandbox.grading import check, guard
from sandbox.grading.records import missing
from sandbox.grading.sequences import in_words, noticed, part, untruths, versions

EVERYTHING = (
    "rollback_is_not_noticed",
    "rollback_again_changes_nothing",
    "rollback_is_recorded",
    "promotion_after_a_rollback_wins",
    "promotion_is_recorded",
    "rollback_works_without_the_registry",
    "record_follows_when_the_registry_is_back",
    "restart_without_the_registry_answers_as_before",
    "rollback_wins_over_a_release_under_way",
    "release_that_crashes_never_answers",
)
REFUSALS = (400, 413, 415, 422)
TOLERANCE = 1e-6


def ended(command):
    """How a command ended, in words."""
    status = command["status"]
    return "did not end in time" if status is None else f"exit status {status}"


def until_again(rollback):
    """The runs of the first rollback alone."""
    return part(rollback["runs"], 0, rollback["again"]["first"] if "again" in rollback else None)


def wrong_rollback(rollback):
    """What was wrong with the first rollback; empty where nothing was."""
    back = rollback["back"]
    if back["status"] != 0:
        return ended(back)
    runs = until_again(rollback)
    return noticed(runs, ["2", "1"]) or (
        f"after exit status 0: {in_words(part(runs, back['last']))}"
        if noticed(part(runs, back["last"]), ["1"])
        else ""
    )


@check(points=16, competency="rollback")
def test_rollback_is_not_noticed(evidence, credit):
    """Rolling back under traffic fails no request and brings the old predictions back"""
    rollback = evidence["rollback"]
    wrong = wrong_rollback(rollback)
    credit.award(
        not wrong,
        expected="exit status 0; every answer by version 2, then 1, and by 1 once it has ended",
        seen=wrong or in_words(until_again(rollback)),
        where="rollback.back, rollback.runs",
    )


@check(points=6, competency="rollback")
def test_rollback_again_changes_nothing(evidence, credit):
    """Again is no change, and neither is a version that nobody has"""
    rollback = evidence["rollback"]
    wrong = []
    if problem := wrong_rollback(rollback):
        wrong = [f"the first one did not work: {problem}"]
    else:
        again, nobody = rollback["again"], rollback["nobody"]
        if again["status"] != 0:
            wrong.append(f"again: {ended(again)}")
        if nobody["status"] != 2:
            wrong.append(f"a version that nobody has: {ended(nobody)}")
        if problem := noticed(part(rollback["runs"], again["first"]), ["1"]):
            wrong.append(problem)
        for after in ("again", "nobody"):
            if rollback[f"record_after_{after}"] != rollback["record"]:
                wrong.append(f"the registry says something else after {after}")
                break
    credit.award(
        not wrong,
        expected="exit status 0 again and 2 for an unknown version; the same answers and registry",
        seen="; ".join(wrong) or "nothing changed",
        where="rollback.again, rollback.nobody",
    )


@check(points=9, competency="traceability")
def test_rollback_is_recorded(evidence, credit):
    """Who rolled back, when and why is in the registry"""
    rollback = evidence["rollback"]
    answered = versions(until_again(rollback))[-1:]
    wrong = missing(rollback["record"], rollback["back"], previous="2")
    if answered != ["1"]:
        wrong = f"version 1 does not answer, whatever is written down; {wrong}".rstrip("; ")
    credit.award(
        not wrong,
        expected="champion 1, with champion.by, .at, .why and .previous of the command",
        seen=wrong or "all of it",
        where="rollback.record",
    )


@check(points=7, competency="resilience")
def test_promotion_after_a_rollback_wins(evidence, credit):
    """After a rollback, the next promotion gets in, unnoticed"""
    forward = evidence["forward"]
    promoted = forward["promoted"]
    if promoted["status"] != 0:
        wrong = f"pipeline.promote: {ended(promoted)}"
    else:
        wrong = noticed(forward["runs"], ["1", promoted["to"]])
    credit.award(
        not wrong,
        expected=f"every answer by version 1, then by version {promoted['to']}",
        seen=wrong or in_words(forward["runs"]),
        where="forward",
    )


@check(points=5, competency="traceability")
def test_promotion_is_recorded(evidence, credit):
    """Who promoted, when and why is in the registry"""
    forward = evidence["forward"]
    before = forward["champion_before"]
    wrong = missing(forward["record"], forward["promoted"], previous=before)
    credit.award(
        not wrong,
        expected="the new champion, with champion.by, .at, .why and .previous of the command",
        seen=wrong or "all of it",
        where="forward.record",
    )


# -- what works anyway


@guard(of=EVERYTHING, competency="rollback")
def test_versions_are_told_truly(evidence, credit):
    """X-Model-Version and /version name the version whose predictions are given"""
    lies = {step: untruths(evidence[step]["runs"]) for step in ("rollback", "forward")}
    wrong = [f"{count} untrue headers in {step}" for step, count in lies.items() if count]
    rollback = evidence["rollback"]
    runs = until_again(rollback)
    for when, answered in (("before", versions(runs)[:1]), ("after", versions(runs)[-1:])):
        told = rollback["told"][when]
        if answered and told != answered[0]:
            wrong.append(f"/version says {told or 'nothing'} while version {answered[0]} answers")
    credit.award(
        not wrong,
        expected="the version whose predictions they are",
        seen="; ".join(wrong) or "always that",
        where="rollback.told, rollback.runs",
    )


@guard(of=EVERYTHING, competency="resilience")
def test_requests_are_read_as_before(evidence, credit):
    """Ordinary requests are answered, malformed ones refused"""
    wrong = [
        f"{case['case']}: {case['problem'] or 'other predictions'}"
        for case in evidence["inputs"]["ordinary"]
        if case["served"] is None
        or any(
            abs(a - b) > TOLERANCE for a, b in zip(case["served"], case["expected"], strict=True)
        )
    ]
    wrong += [
        f"{case['case']}: {case['status'] or case['problem']}"
        for case in evidence["inputs"]["malformed"]
        if case["status"] not in REFUSALS
    ]
    credit.award(
        not wrong,
        expected="the champion's predictions, and 4xx for what is malformed",
        seen="; ".join(wrong) or "all of it",
        where="inputs",
    )
