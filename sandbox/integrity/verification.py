"""Whether results are still what was graded and signed. Whatever is there is computed again:

    public key ─► scorecard.sig ─► scorecard.json, and the pages made of it
                                        ├─► evidence/index.json ─► every document of the evidence
                                        ├─► the submission, where it is given
                                        └─► graders and scenario, where they are here

What was signed has to be there as it was, and nothing may have joined it. Graders and scenario may
move on: that they are others now is told, and is no forgery.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import paths
from sandbox.assessment import EVIDENCE, SCORECARD, folder_digest
from sandbox.errors import UsageError
from sandbox.evidence import INDEX
from sandbox.grading.scorecard import read_scorecard
from sandbox.integrity import signing
from sandbox.report.formats import FILES, SIGNATURE
from sandbox.untrusted import is_map_of_text, shortened

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    from sandbox.grading.scorecard import Scorecard

_OTHER = "is not what was {}"
_FINGERPRINT_CHARACTERS = 16


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Args:
        name: what: a path in the results, or the submission's.
        how: what is wrong with it, to be read after the name.
    """

    name: str
    how: str

    def __str__(self) -> str:
        return f"{self.name} {self.how}"


@dataclass(frozen=True)
class Verification:
    """What came of verifying results.

    Args:
        changes: everything that is not as it was; results verify if there is nothing.
        notes: what was not compared, and what is other now without being a forgery.
        held: what was compared and is as it was.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    held: tuple[str, ...]


def sign(results: Path, key: Ed25519PrivateKey) -> list[Change]:
    """Sign a folder of results, unless its evidence is not what its scorecard was made of.

    Returns:
        What speaks against it; signed if nothing does.

    Raises:
        UsageError: there is no sound scorecard in the folder, or the signature cannot be written.
    """
    card = read_scorecard(results / SCORECARD)
    if changes := _evidence_changes(results / EVIDENCE, _graded(card, "evidence")):
        return changes
    digests = {name: _digest(results / name) for name in FILES.values()}
    signature = signing.sign({name: digest for name, digest in digests.items() if digest}, key)
    path = results / SIGNATURE
    try:
        path.unlink(missing_ok=True)
        path.write_text(signing.signature_json(signature), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            expected=f"to write {path}", seen=str(error), hint="choose another folder"
        ) from error
    return []


def verify(results: Path, key: Ed25519PublicKey, submission: Path | None = None) -> Verification:
    """Compute everything again that a scorecard and its signature vouch for.

    Args:
        results: a folder that `grade` wrote and `sign` signed.
        key: the public key of whoever has to have signed it.
        submission: the archive or workspace that has to be the graded one; None leaves it out.

    Raises:
        UsageError: there are no results in the folder, or there is no such submission.
    """
    if not any((results / name).exists() for name in (SCORECARD, SIGNATURE)):
        raise UsageError(
            expected=f"results with {SCORECARD} and {SIGNATURE} in {results}",
            seen="neither",
            hint="give the folder that `sandbox grade` wrote",
        )
    if submission is not None and not submission.exists():
        raise UsageError(
            expected="an archive or a workspace folder", seen=f"nothing at {submission}"
        )
    changes, signed = _signature_changes(results, key)
    # Only a scorecard that was signed can tell what else has to be there.
    vouched_for = not {SIGNATURE, SCORECARD} & {change.name for change in changes}
    card = _card(results, changes) if vouched_for else None
    changes += _evidence_changes(results / EVIDENCE, _graded(card, "evidence") if card else None)
    held = [*signed, EVIDENCE]
    notes = []
    if submission is None:
        notes.append("not compared: the submission, which was not given")
    elif card is None:
        notes.append("not compared: the submission, since nobody vouches for the scorecard")
    else:
        changes += _submission_changes(submission, _graded(card, "submission"))
        held.append(str(submission))
    if card is not None:
        notes += _moved_on(card)
    return Verification(tuple(changes), tuple(notes), tuple(held))


def short(fingerprint: str) -> str:
    """The beginning of a key's fingerprint, enough for a person to compare."""
    return fingerprint[:_FINGERPRINT_CHARACTERS]


def _signature_changes(results: Path, key: Ed25519PublicKey) -> tuple[list[Change], list[str]]:
    """What is wrong with the signature and the files it lists, and the names of those files."""
    try:
        signature = signing.signature_from_json(_limited(results / SIGNATURE))
    except OSError:
        return [Change(SIGNATURE, "is missing: nobody vouches for these results")], []
    except UsageError as error:
        return [Change(SIGNATURE, f"is damaged: expected {error.expected}; saw {error.seen}")], []
    changes = []
    ours = signing.fingerprint(key)
    if signature.key != ours:
        by = f"was made with the key {short(signature.key)}, not with {short(ours)}"
        changes.append(Change(SIGNATURE, by))
    elif not signing.fits(signature, key):
        changes.append(Change(SIGNATURE, "does not fit the digests in it: one of them was changed"))
    if SCORECARD not in signature.files:
        changes.append(Change(SIGNATURE, f"does not cover {SCORECARD}"))
    for name, wanted in sorted(signature.files.items()):
        changes += _compared(name, results / name, wanted, "signed")
    for name in FILES.values():
        if name not in signature.files and (results / name).exists():
            changes.append(Change(name, "was added after signing"))
    return changes, sorted(signature.files)


def _card(results: Path, changes: list[Change]) -> Scorecard | None:
    """The scorecard, whose bytes were signed; none, and one change more, if it makes no sense."""
    try:
        return read_scorecard(results / SCORECARD)
    except UsageError as error:
        changes.append(Change(SCORECARD, f"makes no sense: {error.seen}"))
        return None


def _evidence_changes(folder: Path, wanted: str | None) -> list[Change]:
    """What changed in the evidence: against the scorecard's digest if given, and its own index."""
    index = f"{EVIDENCE}/{INDEX}"
    if not folder.is_dir():
        return [Change(EVIDENCE, "is missing")]
    changes = _compared(index, folder / INDEX, wanted, "graded")
    try:
        listed = json.loads((folder / INDEX).read_text("utf-8"))
    except FileNotFoundError:
        return changes
    except (OSError, ValueError, RecursionError):
        listed = None
    if not is_map_of_text(listed) or any(name != Path(name).name for name in listed):
        return changes or [Change(index, "is no index of evidence")]
    for name, digest in listed.items():
        changes += _compared(f"{EVIDENCE}/{name}", folder / name, digest, "graded")
    there = {path.name for path in folder.iterdir()}
    changes += [
        Change(f"{EVIDENCE}/{_said(name)}", "was added after grading")
        for name in sorted(there - {INDEX, *listed})
    ]
    return changes


def _submission_changes(path: Path, wanted: str) -> list[Change]:
    from sandbox import submission  # noqa: PLC0415 - reads archives; most calls have none

    with tempfile.TemporaryDirectory(prefix="mlops-sandbox-verify-") as scratch:
        try:
            digest = submission.load(path, Path(scratch) / "submission").digest
        except UsageError as error:
            how = f"cannot be what was graded: expected {error.expected}; saw {error.seen}"
            return [Change(str(path), how)]
    return [] if digest == wanted else [Change(str(path), "is not the submission that was graded")]


def _moved_on(card: Scorecard) -> list[str]:
    """How graders and scenario differ from those of the scorecard; no forgery either way."""
    notes = []
    for what, place in (("graders", paths.GRADERS), ("scenario", paths.SERVICES)):
        folder = place / card.scenario
        if not folder.is_dir():
            notes.append(f"not compared: no {what} of {card.scenario} here")
        elif folder_digest(folder) != _graded(card, what):
            notes.append(
                f"graded with another state of the {what} than is here; to compare, "
                "`sandbox regrade` a copy of the results"
            )
    return notes


def _graded(card: Scorecard, what: str) -> str:
    """The digest of what was graded; one that nothing has, where a card has none."""
    return card.digests.get(what, "")


def _compared(name: str, path: Path, wanted: str | None, done: str) -> list[Change]:
    """What is wrong with one file; without a digest to compare with it only has to be there."""
    digest = _digest(path)
    name = _said(name)
    if digest is None:
        return [Change(name, "is missing" if not path.exists() else "is no plain file")]
    return [] if wanted in {None, digest} else [Change(name, _OTHER.format(done))]


def _digest(path: Path) -> str | None:
    """A plain file's SHA-256; nothing for anything else."""
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _limited(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(signing.MAX_BYTES + 1)


def _said(name: str) -> str:
    """A name, quoted unless it is plain: whoever changed results may have chosen it."""
    return name if name.isprintable() and name.isascii() else shortened(name)
