"""Make the image ahead of the first grade: `python -m sandbox.runtimes.docker`.

A daemon that was just started is waited for.
"""

from __future__ import annotations

import contextlib
import sys

from sandbox.errors import HarnessFault, SandboxError
from sandbox.runtimes import docker
from sandbox.system.waiting import wait_for

_ANSWERS_WITHIN_S = 30.0

if __name__ == "__main__":
    try:
        with contextlib.suppress(HarnessFault):  # why it does not answer is said below
            wait_for(
                lambda: None if docker.unavailable() else True,
                what="the Docker daemon to answer",
                within_s=_ANSWERS_WITHIN_S,
                poll_s=0.2,
            )
        docker.prepare(print)
    except SandboxError as error:
        sys.exit(f"No image: {error}")
