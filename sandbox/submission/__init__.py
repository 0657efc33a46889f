"""A submission: what a candidate changed in a workspace, packed, unpacked, laid over a fresh copy.

    workspace ── pack ──► archive ── unpack ──► Submission ── apply ──► freshly made workspace

Only changes travel; everything else comes from the scenario again, and so do protected files,
whatever a submission says about them. A folder goes the same road as an archive (`load`).
"""

from sandbox.submission.applying import apply
from sandbox.submission.changed import Changes, changes
from sandbox.submission.packing import pack
from sandbox.submission.unpacking import Submission, load, unpack

__all__ = ["Changes", "Submission", "apply", "changes", "load", "pack", "unpack"]
