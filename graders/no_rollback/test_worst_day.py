"""The registry is away, a release is under way, another one crashes."""

from sandbox.grading import check
from sandbox.grading.records import missing
from sandbox.grading.sequences import in_words, noticed, part, versions


def ended(command):
    """How a command ended, in words."""
    status = command["status"]
    return "did not end in time" if status is None else f"exit status {status}"


def settled(runs, command, until):
    """What answered after a command had ended, if it was anything else than what it asked for."""
    later = part(runs, command["last"], until)
    return f"after the command: {in_words(later)}" if noticed(later, [command["to"]]) else ""


@check(points=13, competency="resilience")
def test_rollback_works_without_the_registry(evidence, credit):
    """With the registry away an old version comes back, and stays when the registry does"""
    outage = evidence["outage"]
    back, until = outage["back"], outage["forth"]["first"]
    runs = part(outage["runs"], back["first"], until)
    wrong = (
        ended(back)
        if back["status"] != 0
        else noticed(runs, ["3", "1"]) or settled(outage["runs"], back, until)
    )
    if not wrong and outage["again"]["status"] != 0:
        wrong = f"again: {ended(outage['again'])}"
    credit.award(
        not wrong,
        expected="exit status 0, and again; every answer by version 3, then by 1, and no way back",
        seen=wrong or in_words(runs),
        where="outage.back, outage.again, outage.runs",
    )


@check(points=8, competency="traceability")
def test_record_follows_when_the_registry_is_back(evidence, credit):
    """The record follows when the registry is back: the first one's, whoever asked again"""
    outage = evidence["outage"]
    back, until = outage["back"], outage["forth"]["first"]
    wrong = missing(outage["record"], back, previous="3")
    if versions(part(outage["runs"], 0, until))[-1:] != ["1"]:
        wrong = f"version 1 does not answer, whatever is written down; {wrong}".rstrip("; ")
    credit.award(
        not wrong,
        expected="champion 1, with champion.by, .at, .why and .previous of the first command",
        seen=wrong or "all of it",
        where="outage.record",
    )


@check(points=9, competency="resilience")
def test_restart_without_the_registry_answers_as_before(evidence, credit):
    """Started again without the registry, it answers with what it answered, and owes the record"""
    outage = evidence["outage"]
    forth, restarted = outage["forth"], outage["restarted"]
    expected = "version 2, as before; then the record of that; half of the points for each"
    if forth["status"] != 0 or restarted["problem"]:
        seen = restarted["problem"] or f"the command before: {ended(forth)}"
        credit.award(0.0, expected=expected, seen=seen, where="outage.restarted")
        return
    wrong = noticed(part(restarted["runs"], 0, restarted["back_at"]), ["2"])
    # Who was champion when the registry was last there.
    before = outage["record"]["champion"]
    lost = missing(restarted["record"], forth, previous=before) or noticed(restarted["runs"], ["2"])
    credit.award(
        0.0 if wrong else 0.5 if lost else 1.0,
        expected=expected,
        seen=wrong or lost or "both",
        where="outage.restarted",
    )


@check(points=9, competency="rollback")
def test_rollback_wins_over_a_release_under_way(evidence, credit):
    """A release that is being loaded does not overtake the rollback that came after it"""
    releases = evidence["releases"]
    command, until = releases["overtaken"], releases["crashed_at"]
    runs = part(releases["runs"], 0, until)
    wrong = (
        ended(command)
        if command["status"] != 0
        else noticed(runs, ["2", "3"], ["2", releases["slow"], "3"])
        or settled(runs, command, until)
    )
    if not wrong and releases["record"]["champion"] != "3":
        wrong = f"the registry's champion is {releases['record']['champion']}"
    credit.award(
        not wrong,
        expected="exit status 0 and from then on version 3, also as champion; no request fails",
        seen=wrong or in_words(runs),
        where="releases.overtaken, releases.runs",
    )


@check(points=8, competency="resilience")
def test_release_that_crashes_never_answers(evidence, credit):
    """A release that crashes while it loads changes nothing; ways back and forward stay open"""
    releases = evidence["releases"]
    command, until = releases["after_crash"], releases["promoted_at"]
    runs = part(releases["runs"], releases["crashed_at"], until)
    wrong = (
        ended(command)
        if command["status"] != 0
        else noticed(runs, ["3", "2"], [releases["slow"], "2"])
        or settled(releases["runs"], command, until)
    )
    if not wrong and releases["record_after_crash"]["champion"] != "2":
        wrong = f"the registry's champion is {releases['record_after_crash']['champion']}"
    if not wrong and (problem := noticed(part(releases["runs"], until), ["2", "3"])):
        wrong = f"the next promotion, of version 3: {problem}"
    credit.award(
        not wrong,
        expected="exit status 0; answered by what was there, then by version 2, also as champion;"
        " by version 3 when that is promoted",
        seen=wrong or in_words(part(releases["runs"], releases["crashed_at"])),
        where="releases.after_crash, releases.runs",
    )
