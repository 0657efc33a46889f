"""Go back to an earlier version, now.

    python -m pipeline.rollback --to 1 --why "..."

Exit status: 0 that version answers (again: nothing changes), 1 it does not answer in time or cannot
be served, 2 there is no such version.
Last line: {"version": "1", "previous": "2", "answering": "1"}

The service at `SERVICE_URL` does the work: it loads the version before it swaps, so nobody waits,
and takes it from its own disk where the registry is away. It writes who, when and why into the
registry as soon as that is there.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import UTC, datetime
from http import HTTPStatus

import requests

from pipeline import command

ANSWERS_WITHIN_S = 30.0
ASK_EVERY_S = 0.1


def ordered(url: str, wanted: dict[str, str], until: float) -> requests.Response | None:
    """The service's answer to the order; None where it gives none in time."""
    while (left := until - time.monotonic()) > 0:
        try:
            return requests.post(f"{url}/release", json=wanted, timeout=left)
        except requests.RequestException:
            # It is starting, perhaps. An order that is taken twice changes nothing.
            time.sleep(ASK_EVERY_S)
    return None


def answering(url: str) -> str:
    """The version that answers at the service's address; empty where nobody does."""
    try:
        return str(requests.get(f"{url}/version", timeout=2).json()["version"])
    except (requests.RequestException, ValueError, KeyError):
        return ""


def main() -> None:
    """Roll back from the command line."""
    parser = argparse.ArgumentParser(description="Go back to an earlier version, now.")
    parser.add_argument("--to", required=True, help="the version's number")
    parser.add_argument("--why", required=True)
    arguments = parser.parse_args()

    until = time.monotonic() + ANSWERS_WITHIN_S
    url = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")
    wanted = {
        "version": arguments.to,
        "by": command.actor(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "why": arguments.why,
    }
    answer = ordered(url, wanted, until)
    if answer is None:
        command.finish(command.REFUSED, error=f"expected the service to answer at {url}")
    if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
        command.finish(command.USAGE, error=f"expected a version's number: {answer.text}")
    if answer.status_code != HTTPStatus.OK:
        command.finish(command.REFUSED, error=f"{answer.status_code}: {answer.text}")
    while (version := answering(url)) != arguments.to and time.monotonic() < until:
        time.sleep(ASK_EVERY_S)
    command.finish(
        command.DONE if version == arguments.to else command.REFUSED,
        version=arguments.to,
        previous=answer.json()["previous"],
        answering=version,
    )


if __name__ == "__main__":
    main()
